/**
 * Counts of campaigns: in total, and by day. Days are those of the brand's zone, because these requests take one. They
 * move for weeks after a campaign was sent, and are read again for that long.
 * https://www.twilio.com/docs/sendgrid/api-reference/marketing-campaigns-stats
 */
import { columnsOf, others, type RecordTable, recordTable } from '../../kit/columns.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import { rowsBetween } from '../../kit/stored/stored.ts';
import { ObjectMissing } from '../api/answers.ts';
import { addDays, dayIn } from '../api/calendar.ts';
import { isEuropean, type Params } from '../api/client.ts';
import { count, day, text } from '../api/columns.ts';
import { byToken, type ListPage } from '../api/lists.ts';
import { type Step, type Steps, sendgridStream } from '../stream.ts';
import { daysBack, type Extent, type SendGridRun } from '../sync/sync_run.ts';
import { HISTORY_DAYS } from './statistics.ts';

const PATH = '/v3/marketing/stats/singlesends';
const IDS_PER_REQUEST = 25;
const PAGE = 50;
/** After so many days the counts of a campaign are not read again. */
const MOVING_DAYS = 35;
const SENDS_MAX = 10_000;

/** Twelve of the sixteen counts of an account. */
const METRICS = [
  ...['requests', 'delivered', 'opens', 'unique_opens', 'clicks', 'unique_clicks', 'bounces', 'bounce_drops'],
  ...['invalid_emails', 'spam_reports', 'spam_report_drops', 'unsubscribes'],
];
const counts = Object.fromEntries(METRICS.map((metric) => [metric, count(metric)]));
const of = {
  id: text('id'),
  single_send_id: text('send'),
  ab_variation: text('ab_variation'),
  ab_phase: text('ab_phase'),
};

const totals = recordTable({
  name: 'raw.sendgrid_single_send_totals',
  key: ['id'],
  observed: true,
  personal: null,
  columns: { ...of, ...counts, payload: others() },
});

const days = recordTable<{ zone: string }>({
  name: 'raw.sendgrid_single_send_days',
  key: ['single_send_id', 'ab_variation', 'ab_phase', 'day'],
  rootColumn: 'id',
  keeps: 'days',
  personal: null,
  columns: {
    ...of,
    day: day('aggregation'),
    time_zone: columnsOf<{ zone: string }>('text', (_record, _key, { zone }) => zone)('zone'),
    ...counts,
    payload: others(),
  },
});

type Send = { id: string; sentOn: string };

/** Campaigns that were sent in the last days, and since they were last read, as they are stored, by their ids. */
async function sendsOf(run: SendGridRun, reach: number, at: Date, after = ''): Promise<Send[]> {
  const { context } = run;
  const from = daysBack(run, at, reach);
  const where = { status: 'triggered' };
  const columns = ['id', 'send_at'];
  const rows = await rowsBetween(
    context,
    'raw.sendgrid_single_sends',
    { by: 'send_at', from, to: at, where },
    { columns, max: SENDS_MAX },
  );
  return rows
    .map(({ id, send_at }) => ({
      id: String(id),
      sentOn: dayIn(context.connection.timeZone, send_at as Date),
    }))
    .filter(({ id }) => id > after)
    .sort((one, other) => (one.id < other.id ? -1 : 1));
}

function stepOf<Of>(table: RecordTable<Of>, { records, sentAt }: ListPage, of: Of): Step {
  const flat = records.map(({ stats, id: send, ...record }): Fields & { id: string } => {
    const { ab_variation, ab_phase, aggregation } = record;
    const variant = [send, ab_variation, ab_phase, ...(aggregation === 'total' ? [] : [aggregation])].join(
      ' ',
    );
    return { ...(isObject(stats) ? stats : {}), ...record, send, id: variant };
  });
  return contentOf(
    flat.map((record) =>
      resultOf(record, () => ({
        ...{ id: record.id, changedAt: sentAt },
        rows: { [table.name]: [table.rowOf(record, of)] },
      })),
    ),
  );
}

/** The pages of one answer as steps; undefined if what was asked for is not there. */
async function stepsOf<Of>(
  run: SendGridRun,
  { path, params, table, of: given }: { path: string; params: Params; table: RecordTable<Of>; of: Of },
): Promise<Step[] | undefined> {
  const steps: Step[] = [];
  try {
    for await (const page of byToken(run.sendgrid, path, params, { field: 'results', size: PAGE }))
      steps.push(stepOf(table, page, given));
  } catch (error) {
    if (!(error instanceof ObjectMissing)) throw error;
    return undefined;
  }
  return steps;
}

/** One campaign that is gone may take the answer for all of them with it: then each is asked for alone. */
async function totalsOf(run: SendGridRun, ids: readonly string[]): Promise<Step[]> {
  const params: Params = [['singlesend_ids', ids.join(',')]];
  const steps = await stepsOf(run, { path: PATH, params, table: totals, of: undefined });
  if (steps !== undefined || ids.length < 2) return steps ?? [];
  const all: Step[] = [];
  for (const id of ids) all.push(...(await totalsOf(run, [id])));
  return all;
}

const marketing = { scopes: ['marketing.read'] };
const REACH: Readonly<Record<Extent, number>> = {
  all: HISTORY_DAYS,
  week: MOVING_DAYS,
  night: MOVING_DAYS,
  hour: 0,
};

export const singleSendTotalsStream = sendgridStream({
  name: 'single_send_totals',
  ...marketing,
  costs: 'the counts of each campaign',
  tables: [totals],
  async *read({ run, extent, at, next }): Steps {
    if (isEuropean(run.context.connection)) return true;
    const sends = await sendsOf(run, REACH[extent], at, next);
    for (let from = 0; from < sends.length; from += IDS_PER_REQUEST) {
      const chunk = sends.slice(from, from + IDS_PER_REQUEST);
      yield* await totalsOf(
        run,
        chunk.map(({ id }) => id),
      );
      if (from + IDS_PER_REQUEST < sends.length) yield { next: chunk.at(-1)?.id ?? '' };
    }
    return true;
  },
});

/** Campaigns of the last week; all that still move once a week. */
const DAILY: Readonly<Record<Extent, number>> = { ...REACH, night: 7 };

export const singleSendDaysStream = sendgridStream({
  name: 'single_send_days',
  ...marketing,
  costs: 'the counts of each campaign by day',
  tables: [days],
  async *read({ run, extent, at, next }): Steps {
    if (isEuropean(run.context.connection)) return true;
    const { timeZone: zone } = run.context.connection;
    const today = dayIn(zone, at);
    const sends = await sendsOf(run, DAILY[extent], at, next);
    for (const [index, { id, sentOn }] of sends.entries()) {
      const last = [addDays(sentOn, MOVING_DAYS), today].toSorted()[0] ?? today;
      // Both ends always: the documented defaults are days of 2021.
      const params: Params = [
        ...([
          ['aggregated_by', 'day'],
          ['timezone', zone],
        ] as const),
        ...([
          ['start_date', sentOn],
          ['end_date', last],
        ] as const),
      ];
      const path = `${PATH}/${encodeURIComponent(id)}`;
      yield* (await stepsOf(run, { path, params, table: days, of: { zone } })) ?? [];
      if (index + 1 < sends.length) yield { next: id };
    }
    return true;
  },
});
