/**
 * Events come by webhook, unasked. What is read here is what got lost: SendGrid tries to deliver an event for a day, so
 * a day is closed 26 hours after its end. Then its events are held against the counts of the account; where they lack
 * some, Email Logs bring them, as long as those remember.
 */
import { Temporal } from 'temporal-polyfill';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { failingChecks } from '../../kit/failing.ts';
import { countsByDay, extentOf, rowsBetween, storedColumn } from '../../kit/stored/stored.ts';
import type { Check, Delivered, StreamContext } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { exactJson } from '../../kit/webhook.ts';
import { addDays, dayIn, daysFrom } from '../api/calendar.ts';
import { events, eventsOf } from '../events/event.ts';
import { eventsOfLetter, HOUR_MS, type Logged, lettersOf } from '../events/logs.ts';
import { PROVIDER } from '../key.ts';
import { type Reading, type Step, type Steps, sendgridStream } from '../stream.ts';
import { openRun, type SendGridRun } from '../sync/sync_run.ts';
import { ACCOUNT, statistics } from './statistics.ts';

const CLOSED_MS = 26 * HOUR_MS;
const SILENT_MS = 24 * HOUR_MS;
/** Logs are kept for 30 days. */
const KEPT_DAYS = 29;
/** Days that are held against the counts each night; those that failed are held against them again. */
const JUDGED_DAYS = 7;
/** Events of a day may be of letters that were made some days before. */
const LETTER_DAYS = 3;
/** Of a run. */
const DETAILS_MAX = 500;
const LISTS_MAX = 200;
/** With more letters a day their list is asked for by the hour. */
const LETTERS_PER_LIST = 500;
const DAY_MS = 24 * HOUR_MS;
const GAP_SHARE = 0.01;
const GAP_MIN = 5;
const SILENT = 'webhook';
const NOT_BEGUN = `no event of ${PROVIDER} has come yet: the account has counts only, until its Event Webhook posts to Nightshift`;

/** The counts that events can be held against, and the events that they count. */
const COUNTED: Readonly<Record<string, (event: string, bounceType: string | null) => boolean>> = {
  processed: (event) => event === 'processed',
  delivered: (event) => event === 'delivered',
  bounces: (event, type) => event === 'bounce' && type !== 'blocked',
  blocks: (event, type) => event === 'bounce' && type === 'blocked',
};

/** What an event shows of how far a letter has come, in the words of the logs. */
const REACHED: Readonly<Record<string, string>> = {
  ...{
    dropped: 'dropped',
    deferred: 'deferred',
    delivered: 'delivered',
    bounce: 'bounced',
    processed: 'processed',
  },
  ...{ open: 'delivered', click: 'delivered' },
};

type Judged = { day: string; expected: number; found: number };

export const eventsStream = sendgridStream({
  name: 'events',
  scopes: ['messages.read'],
  costs: 'events that the webhook has lost',
  tables: [events],
  feeds: ['email'],
  read,
  async *fetch(context: StreamContext, ids: readonly string[]) {
    const run = openRun(context);
    for (const id of ids) yield { ...emptyPage(run), ...(await eventsIn(run, [{ id, status: '' }])) };
  },
  async *deliver({ db, sealer, connection, now }: StreamContext, deliveries: readonly Delivered[]) {
    const { digestOf: personOf } = await personKeyOf(db, sealer, connection.brandId);
    for (const delivery of deliveries)
      yield {
        ...emptyPage({ phase: 'changes' }),
        ...eventsOf(batchIn(delivery), { personOf, source: 'webhook', readAt: now() }),
      };
  },
});

/** What is no list of events is rejected as one. */
function batchIn({ body }: Delivered): readonly unknown[] {
  try {
    const batch = exactJson(body);
    return Array.isArray(batch) ? batch : [batch];
  } catch {
    return ['what was delivered is no JSON'];
  }
}

async function* read({ run, at }: Reading): Steps {
  const { context, zone } = run;
  const { first, last } = await extentOf(context, events.name, 'happened_at');
  if (first === null || last === null) {
    context.warn(NOT_BEGUN);
    return true;
  }
  const closed = addDays(dayIn(zone, new Date(at.getTime() - CLOSED_MS)), -1);
  const days = await daysToJudge(run, { begun: dayIn(zone, first), closed });
  const found = await judge(run, days);
  const left: Left = { details: DETAILS_MAX, lists: LISTS_MAX };
  const oldest = addDays(dayIn(zone, at), -KEPT_DAYS);
  // The newest first, so that days that nothing repairs do not use up what a run may ask for.
  const gaps = found.filter((judged) => isGap(judged) && judged.day >= oldest).reverse();
  for (const gap of gaps) yield* repair(run, gap, left);
  const again = gaps.length === 0 ? found : await judge(run, days);
  yield { checks: [...again.map(checkOf), ...(await silence(run, { last, at }))] };
  return startOf(addDays(closed, 1), zone);
}

function startOf(day: string, zone: string): Date {
  return new Date(Temporal.PlainDate.from(day).toZonedDateTime(zone).epochMilliseconds);
}

/** The day on which events began to come is not complete, so it is not judged. */
async function daysToJudge(
  { context }: SendGridRun,
  { begun, closed }: { begun: string; closed: string },
): Promise<string[]> {
  const failing = [...(await failingChecks(context, 'sendgrid.events')).keys()];
  const again = failing.flatMap((name) => /^events (\d{4}-\d\d-\d\d)$/.exec(name)?.[1] ?? []);
  const first = [addDays(begun, 1), addDays(closed, 1 - JUDGED_DAYS)].toSorted().at(-1) ?? closed;
  return [...new Set([...again, ...daysFrom(first, closed)])].sort();
}

async function judge({ context, zone }: SendGridRun, days: readonly string[]): Promise<Judged[]> {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return [];
  const metrics = Object.keys(COUNTED);
  const counted = await rowsBetween(
    context,
    statistics.name,
    { by: 'day', from: first, to: last, where: { scope: ACCOUNT, name: ACCOUNT } },
    { columns: ['day::text as day', ...metrics], max: 1_000 },
  );
  const span = {
    by: 'happened_at',
    zone,
    from: startOf(first, zone),
    before: startOf(addDays(last, 1), zone),
  };
  const stored = await countsByDay(context, events.name, span, ['event', 'bounce_type']);
  return days.flatMap((day) => {
    const row = counted.find((one) => one.day === day);
    if (row === undefined) return [];
    const own = stored.filter((one) => one.day === day);
    const sides = metrics.map((metric) => {
      const fits = own.filter(({ event, bounce_type }) =>
        COUNTED[metric]?.(String(event), bounce_type as string | null),
      );
      return { expected: Number(row[metric]), found: fits.reduce((sum, { count }) => sum + count, 0) };
    });
    // A surplus of one kind does not make up for what another one lacks.
    const lacking = sides.reduce((sum, side) => sum + Math.max(0, side.expected - side.found), 0);
    const expected = sides.reduce((sum, side) => sum + side.expected, 0);
    return [{ day, expected, found: expected - lacking }];
  });
}

function isGap({ expected, found }: Judged): boolean {
  const lacking = expected - found;
  return lacking > GAP_MIN && lacking > expected * GAP_SHARE;
}

function checkOf(judged: Judged): Check {
  const { day, expected, found } = judged;
  const name = `events ${day}`;
  if (!isGap(judged)) return { name, expected, found, ok: true };
  const cause = `${expected - found} of the events that ${PROVIDER} counts on ${day} did not come, and its logs do not bring them (yet)`;
  return { name, expected, found, ok: false, cause };
}

/** What a run may still ask for. */
type Left = { details: number; lists: number };

/** Letters that we do not know, or that came further than our events say. Opens and clicks show in no list. */
async function* repair(
  { context, ...run }: SendGridRun,
  { day, expected }: Judged,
  left: Left,
): AsyncGenerator<Step> {
  const until = startOf(addDays(day, 1), run.zone).getTime();
  const spanMs = expected > LETTERS_PER_LIST ? HOUR_MS : DAY_MS;
  const first = startOf(addDays(day, -LETTER_DAYS), run.zone).getTime();
  for (let from = first; from < until && left.details > 0 && left.lists > 0; from += spanMs) {
    left.lists--;
    const { letters, isComplete } = await lettersOf(run.sendgrid, {
      from,
      before: Math.min(until, from + spanMs),
    });
    if (!isComplete) {
      const at = new Date(from).toISOString();
      yield { incomplete: `${PROVIDER} lists fewer letters than were made at ${at}` };
    }
    const lacking = (await lackingOf(context, letters)).slice(0, left.details);
    left.details -= lacking.length;
    if (lacking.length > 0) yield await eventsIn({ context, ...run }, lacking);
  }
}

async function lackingOf(context: StreamContext, letters: readonly Logged[]): Promise<Logged[]> {
  const ids = letters.map(({ id }) => id);
  const stored = await storedColumn(context, events.name, { by: 'message_id', among: ids }, [
    'message_id',
    'event',
    'bounce_type',
  ]);
  const reached = new Set(
    stored.map(({ message_id, event, bounce_type }) => {
      return `${message_id} ${bounce_type === 'blocked' ? 'blocked' : REACHED[String(event)]}`;
    }),
  );
  return letters.filter(({ id, status }) => !reached.has(`${id} ${status}`));
}

async function eventsIn(run: SendGridRun, letters: readonly Logged[]) {
  const { db, sealer, connection, now } = run.context;
  const { digestOf: personOf } = await personKeyOf(db, sealer, connection.brandId);
  const batch: object[] = [];
  for (const { id } of letters) batch.push(...(await eventsOfLetter(run.sendgrid, id)));
  return eventsOf(batch, { personOf, source: 'logs', readAt: now() });
}

/** Mail without any event: the webhook is off, its address or key has changed, or it lost all that it tried. */
async function silence(
  { context, zone }: SendGridRun,
  { last, at }: { last: Date; at: Date },
): Promise<Check[]> {
  if (at.getTime() - last.getTime() < SILENT_MS) return [{ name: SILENT, ok: true }];
  // The day of the last event has letters whose events came.
  const from = addDays(dayIn(zone, last), 1);
  const rows = await rowsBetween(
    context,
    statistics.name,
    { by: 'day', from, to: dayIn(zone, at), where: { scope: ACCOUNT, name: ACCOUNT } },
    { columns: ['processed'], max: 1_000 },
  );
  const sent = rows.reduce((sum, { processed }) => sum + Number(processed), 0);
  if (sent === 0) return [{ name: SILENT, ok: true }];
  const cause = `${PROVIDER} counts ${sent} letters since ${from}, and no event has come since ${last.toISOString()}: see whether its Event Webhook is on and posts to Nightshift`;
  return [{ name: SILENT, ok: false, cause }];
}
