/**
 * Events come by webhook, unasked. What is read here is what got lost: SendGrid tries to deliver an event for a day, so
 * a day is closed 26 hours after its end. Then its events are held against the counts of the account; where they lack
 * some, Email Logs bring them, as long as those remember.
 */
import { personKeyOf } from '#sql/tenants/persons.ts';
import { Denied } from '../../kit/errors.ts';
import { failingChecks } from '../../kit/failing.ts';
import { extentOf, rowsBetween } from '../../kit/stored/stored.ts';
import type { Check, Delivered, StreamContext } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { exactJson } from '../../kit/webhook.ts';
import { addDays, dayIn, daysFrom } from '../api/calendar.ts';
import { chunksOf } from '../api/lists.ts';
import { events, eventsOf } from '../events/event.ts';
import { gapCheck, isGap, type Judged, judge, startOf, switchChecks } from '../events/gaps.ts';
import { HOUR_MS, openLogs } from '../events/logs.ts';
import { eventsIn, type Left, repair } from '../events/repair.ts';
import { settingsChecks } from '../events/switches.ts';
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
/** Of a run. */
const DETAILS_MAX = 500;
const LISTS_MAX = 1_000;
/** Without events a day has its counts alone, which go on moving for so long. */
const MOVING_DAYS = 7;
/** Of a page. A body has up to 5 MB, whatever its events weigh, and none of them may be refused: it takes several. */
const EVENTS_MAX = 10_000;
const SILENT = 'webhook';
const NOT_BEGUN = `no event of ${PROVIDER} has come yet: the account has counts only, until its Event Webhook posts to Nightshift`;

export const eventsStream = sendgridStream({
  name: 'events',
  scopes: ['messages.read'],
  scopesOptional: ['user.webhooks.event.settings.read'],
  costs: 'events that the webhook has lost',
  tables: [events],
  feeds: ['email', 'campaigns', 'rankings'],
  read,
  async *fetch(context: StreamContext, ids: readonly string[]) {
    const run = openRun(context);
    const logs = await openLogs(context, run.sendgrid);
    for (const id of ids) yield { ...emptyPage(run), ...(await eventsIn(context, logs, [id])) };
  },
  async *deliver({ db, sealer, connection, now }: StreamContext, deliveries: readonly Delivered[]) {
    const { digestOf: personOf } = await personKeyOf(db, sealer, connection.brandId);
    for (const delivery of deliveries)
      for (const batch of chunksOf(batchIn(delivery), EVENTS_MAX))
        yield {
          ...emptyPage({ phase: 'changes' }),
          ...eventsOf(batch, { personOf, source: 'webhook', readAt: now() }),
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
  // Of the webhook: what was fetched from the logs by hand does not say that one delivers.
  const { first, last } = await extentOf(context, events.name, 'happened_at', { source: 'webhook' });
  if (first === null || last === null) {
    context.warn(NOT_BEGUN);
    return startOf(addDays(dayIn(zone, at), -MOVING_DAYS), zone);
  }
  const begun = dayIn(zone, first);
  const closed = addDays(dayIn(zone, new Date(at.getTime() - CLOSED_MS)), -1);
  const days = await daysToJudge(run, { begun, closed });
  const found = await judge(run, days);
  const oldest = addDays(dayIn(zone, at), -KEPT_DAYS);
  // The newest first, so that days that nothing repairs do not use up what a run may ask for.
  const gaps = found.filter((judged) => isGap(judged) && judged.day >= oldest).reverse();
  yield* repairAll(run, gaps, begun);
  const again = gaps.length === 0 ? found : await judge(run, days);
  const checks = [...again.map(gapCheck), ...switchChecks(again), ...(await silence(run, { last, at }))];
  yield { checks: [...checks, ...(await settingsChecks(context))] };
  return startOf(addDays(closed, 1), zone);
}

/** Logs that the key may not read leave the days as they are; their checks say what lacks. */
async function* repairAll(run: SendGridRun, gaps: readonly Judged[], begun: string): AsyncGenerator<Step> {
  const left: Left = { details: DETAILS_MAX, lists: LISTS_MAX };
  try {
    const logs = gaps.length === 0 ? undefined : await openLogs(run.context, run.sendgrid);
    if (logs) for (const gap of gaps) yield* repair(run, logs, gap, { begun, left });
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    run.context.warn(`${PROVIDER} denies its logs (${error.answer}): what the webhook loses stays lost`);
  }
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
