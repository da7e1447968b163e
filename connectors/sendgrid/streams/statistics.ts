/**
 * Counts by calendar day: of the account, of each category and of each subuser. A day is one of the account's own zone,
 * which no answer names; it is stored as the provider's date and never shifted. Counts go on moving for weeks, because
 * opens and late bounces count on the day they happen, so the last days are read again and again.
 * https://www.twilio.com/docs/sendgrid/api-reference/stats
 */
import { keyOf } from '#sql/db/copy.ts';
import { columnsOf, others, recordTable } from '../../kit/columns.ts';
import { type Fields, isObject, text as textOf } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import { addDays, dayIn, daysFrom } from '../api/calendar.ts';
import type { Params, SendGrid } from '../api/client.ts';
import { count, day, text } from '../api/columns.ts';
import { byOffset, chunksOf, recordsOf } from '../api/lists.ts';
import { type Reading, type SendGridFacts, type Step, type Steps, sendgridStream } from '../stream.ts';
import { look } from '../sync/look.ts';
import { daysBack, type Extent, type SendGridRun } from '../sync/sync_run.ts';

/** Statistics of categories go back 13 months. */
export const HISTORY_DAYS = 395;
const DAYS: Readonly<Record<Extent, number>> = { all: HISTORY_DAYS, week: 35, night: 7, hour: 1 };
const NAMES_PER_REQUEST = 10;
const NAMES_PAGE = 100;

/** The name of the whole account. */
export const ACCOUNT = 'account';
export const CATEGORY = 'category';

export const METRICS = [
  ...[
    'requests',
    'processed',
    'delivered',
    'deferred',
    'bounces',
    'blocks',
    'bounce_drops',
    'invalid_emails',
  ],
  ...['spam_report_drops', 'unsubscribe_drops', 'opens', 'unique_opens', 'clicks', 'unique_clicks'],
  ...['spam_reports', 'unsubscribes'],
] as const;

type Of = { zone: string };
const noted = columnsOf<Of>('text', (_record, _key, { zone }) => zone);

export const statistics = recordTable<Of>({
  name: 'raw.sendgrid_statistics',
  key: ['scope', 'name', 'day'],
  rootColumn: 'id',
  keeps: 'days',
  partColumn: 'part',
  personal: null,
  columns: {
    id: text('id'),
    scope: text('scope'),
    name: text('name'),
    day: day('day', { marks: 'email' }),
    part: columnsOf('text', ({ scope, name }) => (scope === ACCOUNT ? null : `${scope}:${name}`))('part'),
    time_zone: noted('zone'),
    ...Object.fromEntries(METRICS.map((metric) => [metric, count(metric)])),
    payload: others(),
  },
});

/** What an answer has of days, as a step. */
export function stepOf(
  { zone }: Pick<SendGridRun, 'zone'>,
  scope: string,
  { days, sentAt }: { days: readonly Fields[]; sentAt: Date },
): Step {
  // A day without counts is a record that cannot be understood.
  const records = days.flatMap(({ date, stats }) =>
    (Array.isArray(stats) && stats.length > 0 ? stats : [{}]).map((given) => {
      const { name = ACCOUNT, metrics } = isObject(given) ? given : {};
      return {
        ...(isObject(metrics) ? metrics : {}),
        // The longest name that SendGrid accepts is as long as a key may be.
        ...{ id: keyOf(`${scope}:${name} ${date}`), scope, name, day: date },
      };
    }),
  );
  return contentOf(
    records.map((record) =>
      resultOf(record, () => ({
        id: record.id,
        changedAt: sentAt,
        rows: { [statistics.name]: [statistics.rowOf(record, { zone })] },
      })),
    ),
  );
}

type Kind = {
  scope: string;
  path: string;
  /** The parameter that names what to count, and the list of all names. */
  names?: { param: string; list(sendgrid: SendGrid): Promise<readonly string[]> };
};

const OF_ACCOUNT: Kind = { scope: ACCOUNT, path: '/v3/stats' };

async function* readDays(
  run: SendGridRun,
  { scope, path, names }: Kind,
  { first, last }: { first: string; last: string },
  after = '',
): Steps {
  const all = names === undefined ? [] : (await names.list(run.sendgrid)).filter((name) => name > after);
  const chunks = names === undefined ? [[]] : chunksOf(all, NAMES_PER_REQUEST);
  // Today may not be there yet; a day without mail is, with zeros.
  const due = daysFrom(first, addDays(last, -1));
  const missing = new Set<string>();
  for (const [index, chunk] of chunks.entries()) {
    const params: Params = [
      ...([
        ['start_date', first],
        ['end_date', last],
        ['aggregated_by', 'day'],
      ] as const),
      ...chunk.map((name) => [names?.param ?? '', name] as const),
    ];
    const answer = await run.sendgrid.get(path, params, (body, sentAt) => ({
      days: recordsOf(path, body),
      sentAt,
    }));
    const there = new Set(answer.days.map(({ date }) => date));
    for (const day of due) if (!there.has(day)) missing.add(day);
    const next = index + 1 < chunks.length ? chunk.at(-1) : undefined;
    yield { ...stepOf(run, scope, answer), ...(next !== undefined && { next }) };
  }
  yield { checks: [daysCheck([...missing].sort())] };
  return true;
}

function daysCheck(missing: readonly string[]) {
  if (missing.length === 0) return { name: 'days', ok: true };
  const cause = `SendGrid gives no counts of ${missing.length} days, the first of them ${missing[0]}: they are not there yet`;
  return { name: 'days', ok: false, cause };
}

function readerOf(kind: Kind): Pick<SendGridFacts, 'read' | 'window'> {
  return {
    read({ run, extent, at, next }: Reading) {
      const last = dayIn(run.zone, at);
      const from = extent === 'all' ? at : daysBack(run, at, 0);
      const first = addDays(dayIn(run.zone, from), -DAYS[extent]);
      return readDays(run, kind, { first, last }, next);
    },
    window(run, { since, until }) {
      return readDays(run, kind, { first: dayIn(run.zone, since), last: dayIn(run.zone, until) });
    },
  };
}

const shared = { tables: [statistics], feeds: ['email', 'rankings'] } as const;

export const statisticsStream = sendgridStream({
  name: 'statistics',
  scopes: ['stats.read'],
  scopesOptional: ['stats.global.read'],
  costs: 'the counts of the account by day',
  ...shared,
  ...readerOf(OF_ACCOUNT),
  /** The first look of the hour, which says for all others whether anything moved. */
  async *hour({ run }) {
    const { days, sentAt, checks } = await look(run);
    const step = stepOf(run, ACCOUNT, { days, sentAt });
    yield { ...step, checks };
    return true;
  },
});

export const categoryStatisticsStream = sendgridStream({
  name: 'category_statistics',
  scopes: ['categories.read', 'categories.stats.read'],
  costs: 'the counts of each category',
  ...shared,
  ...readerOf({
    scope: CATEGORY,
    path: '/v3/categories/stats',
    names: { param: 'categories', list: (sendgrid) => namesIn(sendgrid, '/v3/categories', 'category') },
  }),
});

export const subuserStatisticsStream = sendgridStream({
  name: 'subuser_statistics',
  scopes: ['subusers.read', 'subusers.stats.read'],
  costs: 'the counts of each subuser',
  ...shared,
  ...readerOf({
    scope: 'subuser',
    path: '/v3/subusers/stats',
    names: { param: 'subusers', list: (sendgrid) => namesIn(sendgrid, '/v3/subusers', 'username') },
  }),
});

async function namesIn(sendgrid: SendGrid, path: string, field: string): Promise<readonly string[]> {
  const names = new Set<string>();
  for await (const { records } of byOffset(sendgrid, path, [], { size: NAMES_PAGE }))
    for (const record of records) names.add(textOf(record, field));
  return [...names].sort();
}
