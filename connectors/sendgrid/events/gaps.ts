/** A day's events, held against the counts of the account: kind by kind, because one cannot make up for another. */
import { Temporal } from 'temporal-polyfill';
import { countsByDay, rowsBetween } from '../../kit/stored/stored.ts';
import type { Check, StreamContext } from '../../kit/stream.ts';
import { addDays } from '../api/calendar.ts';
import { PROVIDER } from '../key.ts';
import { ACCOUNT, statistics } from '../streams/statistics.ts';
import { events } from './event.ts';

const GAP_SHARE = 0.01;
const GAP_MIN = 5;
const DAYS_MAX = 1_000;

type Kind = {
  /** The counts that it is the sum of. */
  counts: readonly string[];
  is(event: string, bounceType: string | null): boolean;
};

/** What the logs list, so that what lacks can be found and repaired. */
const LISTED: Readonly<Record<string, Kind>> = {
  processed: { counts: ['processed'], is: (event) => event === 'processed' },
  delivered: { counts: ['delivered'], is: (event) => event === 'delivered' },
  bounces: { counts: ['bounces'], is: (event, type) => event === 'bounce' && type !== 'blocked' },
  blocks: { counts: ['blocks'], is: (event, type) => event === 'bounce' && type === 'blocked' },
};

/** What no list shows. Its counts are not quite those of events, but where there are some, events come too. */
const SWITCHED: Readonly<Record<string, Kind>> = {
  opens: { counts: ['opens'], is: (event) => event === 'open' },
  clicks: { counts: ['clicks'], is: (event) => event === 'click' },
  spam_reports: { counts: ['spam_reports'], is: (event) => event === 'spamreport' },
  unsubscribes: { counts: ['unsubscribes'], is: (event) => /^(group_)?unsubscribe$/.test(event) },
  drops: {
    counts: ['bounce_drops', 'invalid_emails', 'spam_report_drops', 'unsubscribe_drops'],
    is: (event) => event === 'dropped',
  },
};
const KINDS = { ...LISTED, ...SWITCHED };

type Side = { kind: string; expected: number; found: number };
export type Judged = { day: string; sides: readonly Side[] };

export function startOf(day: string, zone: string): Date {
  return new Date(Temporal.PlainDate.from(day).toZonedDateTime(zone).epochMilliseconds);
}

/** Days without counts are left out. */
export async function judge(
  { context, zone }: { context: StreamContext; zone: string },
  days: readonly string[],
): Promise<Judged[]> {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return [];
  const metrics = [...new Set(Object.values(KINDS).flatMap(({ counts }) => counts))];
  const counted = await rowsBetween(
    context,
    statistics.name,
    { by: 'day', from: first, to: last, where: { scope: ACCOUNT, name: ACCOUNT } },
    { columns: ['day::text as day', ...metrics], max: DAYS_MAX },
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
    const sides = Object.entries(KINDS).map(([kind, { counts, is }]) => {
      const fitting = own.filter(({ event, bounce_type: type }) => is(String(event), type as string | null));
      return {
        kind,
        expected: counts.reduce((sum, metric) => sum + Number(row[metric]), 0),
        found: fitting.reduce((sum, { count }) => sum + count, 0),
      };
    });
    return [{ day, sides }];
  });
}

/** The kinds of which too many lack. */
function gapsIn({ sides }: Judged): Side[] {
  return sides.filter(({ kind, expected, found }) => {
    const lacking = expected - found;
    return kind in LISTED && lacking > GAP_MIN && lacking > expected * GAP_SHARE;
  });
}

export function isGap(judged: Judged): boolean {
  return gapsIn(judged).length > 0;
}

/** How many letters were made on the day. */
export function madeOn({ sides }: Judged): number {
  return sides.find(({ kind }) => kind === 'processed')?.expected ?? 0;
}

export function gapCheck(judged: Judged): Check {
  const { day, sides } = judged;
  const name = `events ${day}`;
  const gaps = gapsIn(judged);
  const lacking = gaps.reduce((sum, side) => sum + side.expected - side.found, 0);
  const expected = sides.reduce((sum, side) => (side.kind in LISTED ? sum + side.expected : sum), 0);
  if (gaps.length === 0) return { name, expected, found: expected, ok: true };
  const kinds = gaps.map(({ kind }) => kind).join(', ');
  const cause = `${lacking} of the events that ${PROVIDER} counts on ${day} did not come (${kinds}), and its logs do not bring them (yet)`;
  return { name, expected, found: expected - lacking, ok: false, cause };
}

/**
 * Of each kind that only the webhook brings, whether any came on the newest day of which enough are counted. The cause
 * names no day, so that a person can accept it once and for all.
 */
export function switchChecks(judged: readonly Judged[]): Check[] {
  return Object.keys(SWITCHED).flatMap((kind) => {
    const newest = judged
      .flatMap(({ sides }) => sides.filter((side) => side.kind === kind && side.expected > GAP_MIN))
      .at(-1);
    if (newest === undefined) return [];
    const name = `events of ${kind}`;
    if (newest.found > 0) return { name, ok: true };
    const cause = `${PROVIDER} counts ${kind} and no event of them comes, so they are 0 in the figures: switch them on in the Event Webhook`;
    return { name, ok: false, cause };
  });
}
