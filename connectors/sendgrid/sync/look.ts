/**
 * The one request of a quiet hour: the counts of yesterday and today. What moved in them says which lists are worth a
 * request, and the newest day of the answer says whether the zone that a person named is that of the account.
 */

import type { Check } from '#sql/load/checks.ts';
import { Denied } from '../../kit/errors.ts';
import { failingChecks, overCheck } from '../../kit/failing.ts';
import type { Fields } from '../../kit/fields.ts';
import { isObject } from '../../kit/fields.ts';
import { extentOf, rowsBetween } from '../../kit/stored/stored.ts';
import { addDays, dayIn } from '../api/calendar.ts';
import { recordsOf } from '../api/lists.ts';
import { PROVIDER } from '../key.ts';
import type { SendGridRun } from './sync_run.ts';

const LOOK = Symbol('the counts of yesterday and today');
const TABLE = 'raw.sendgrid_statistics';
const EVENTS = 'raw.sendgrid_events';
/** Around midnight the clocks of SendGrid may show another day than ours. */
const MIDNIGHT_MS = 15 * 60_000;
/** Events that came within this time say that a webhook brings what the lists would. */
const PUSHED_MS = 24 * 60 * 60_000;
/** Of an hour, besides the look itself. */
const LISTS_MAX = 2;

/** The list that a count is about. */
const LISTS: Readonly<Record<string, string>> = {
  bounces: 'bounces',
  blocks: 'blocks',
  invalid_emails: 'invalid_emails',
  spam_reports: 'spam_reports',
  unsubscribes: 'unsubscribes',
};

export type Look = {
  days: readonly Fields[];
  sentAt: Date;
  checks: readonly Check[];
  /** The lists that are worth a request, those that moved most. */
  lists: ReadonlySet<string>;
};

/** Once for all streams of the run; before the answer is stored, because it is compared with what is. */
export function look(run: SendGridRun): Promise<Look> {
  return run.context.account.once(LOOK, () => makeLook(run));
}

/** Whether a list is worth a request this hour. Without a look only the nights are left. */
export async function isMoved(run: SendGridRun, list: string): Promise<boolean> {
  try {
    return (await look(run)).lists.has(list);
  } catch (error) {
    if (error instanceof Denied) return false; // which is a fault of the counts, not of the list
    throw error;
  }
}

async function makeLook(run: SendGridRun): Promise<Look> {
  const { sendgrid, zone, context } = run;
  const today = dayIn(zone, context.now());
  // Without an end the answer ends today, by the account's own calendar.
  const params = [
    ['start_date', addDays(today, -1)],
    ['aggregated_by', 'day'],
  ] as const;
  const answer = await sendgrid.get('/v3/stats', params, (body, sentAt) => ({
    days: recordsOf('/v3/stats', body),
    sentAt,
  }));
  const lists = await movedLists(run, answer.days, today);
  return { ...answer, lists, checks: await zoneChecks(run, answer) };
}

async function movedLists(run: SendGridRun, days: readonly Fields[], today: string): Promise<Set<string>> {
  const { context } = run;
  const { last } = await extentOf(context, EVENTS, 'happened_at', { source: 'webhook' });
  if (last !== null && context.now().getTime() - last.getTime() < PUSHED_MS) return new Set();
  const stored = await rowsBetween(
    context,
    TABLE,
    { by: 'day', from: addDays(today, -1), to: today, where: { scope: 'account', name: 'account' } },
    { columns: ['day::text as day', ...Object.keys(LISTS)], max: 2 },
  );
  const moved = Object.entries(LISTS).map(([metric, list]) => {
    const now = days.reduce((sum, day) => sum + countIn(day, metric), 0);
    const before = stored.reduce((sum, row) => sum + Number(row[metric] ?? 0), 0);
    return { list, by: Math.abs(now - before) };
  });
  const most = moved.filter(({ by }) => by > 0).toSorted((one, other) => other.by - one.by);
  return new Set(most.slice(0, LISTS_MAX).map(({ list }) => list));
}

function countIn({ stats }: Fields, metric: string): number {
  const [first] = Array.isArray(stats) ? stats : [];
  const metrics = isObject(first) && isObject(first.metrics) ? first.metrics : {};
  return Number(metrics[metric] ?? 0);
}

/**
 * A zone that is wrong by some hours shows only in these hours of the day. So a check that failed passes once another
 * zone was named, or a whole day went by without a difference.
 */
async function zoneChecks(
  run: SendGridRun,
  { days, sentAt }: Pick<Look, 'days' | 'sentAt'>,
): Promise<Check[]> {
  const { context, zone } = run;
  const today = dayIn(zone, sentAt);
  const name = (day: string) => `zone ${zone} ${day}`;
  const lasting = new Set([name(today), name(addDays(today, -1))]);
  const failing = [...(await failingChecks(context, 'sendgrid.statistics')).keys()];
  const checks: Check[] = failing
    .filter((one) => one.startsWith('zone ') && !lasting.has(one))
    .map((one) => overCheck(one, `the account is in ${zone}`));
  const around = [-MIDNIGHT_MS, MIDNIGHT_MS].map((ms) => dayIn(zone, new Date(sentAt.getTime() + ms)));
  const newest = days
    .map(({ date }) => String(date))
    .toSorted()
    .at(-1);
  if (newest === undefined || around.includes(newest)) return checks;
  const { name: connection, brand } = context.connection;
  const cause = `it is ${newest} at ${PROVIDER} and ${today} in ${zone}: the account counts its days in another zone, so no day is certain. Name the zone of its settings: npx nightshift connections zone ${connection} ZONE --brand ${brand}`;
  return [...checks, { name: name(today), ok: false, cause }];
}
