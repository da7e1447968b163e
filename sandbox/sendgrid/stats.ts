/** Answers with counts: of an account, its categories, its subusers, and its single sends. */
import type { Draft } from '../ndjson.ts';
import { type Asked, Refusal } from '../tables/declare.ts';
import { wholeOf } from '../tables/lists.ts';
import { isZone, toLocalDay } from '../zone.ts';
import { byOffset, byToken, marketing } from './lists.ts';
import type { Settings } from './settings.ts';
import { METRICS, noCounts, SEND_METRICS, statisticsOf } from './statistics.ts';

type Question = Asked<Settings>;

const DAY_MS = 86_400_000;
const DAYS_MAX = 2_000;
const NAMES_MAX = 10;
const SENDS_MAX = 25;
const SUMS = 5;
const PAGE = { list: 'results', most: 50 };

export function statistics(asked: Question, kind: string, names: readonly string[]): unknown {
  const { account, query, now } = asked;
  if (kind !== 'global' && (names.length < 1 || names.length > NAMES_MAX))
    throw new Refusal(400, `1 to ${NAMES_MAX} names are needed`);
  if (query.has('aggregated_by') && query.get('aggregated_by') !== 'day')
    throw new Refusal(400, 'The sandbox counts by day only: aggregated_by=day');
  const { zone } = account.settings;
  const counted = statisticsOf(account)(kind, zone, now);
  const days = daysOf(query, toLocalDay(now, zone)).map((date) => ({
    date,
    stats: names.map((name) => ({
      ...(kind !== 'global' && { type: kind, name }),
      metrics: { ...noCounts(METRICS), ...counted.get(name)?.get(date) },
    })),
  }));
  return query.has('limit') || query.has('offset') ? byOffset(asked, days) : wholeOf(asked, days);
}

/** Each category over all days that were asked for, the greatest first. */
export function categorySums(asked: Question): unknown {
  const { account, query, now } = asked;
  const metric = query.get('sort_by_metric') ?? 'delivered';
  if (!METRICS.some((known) => known === metric)) throw new Refusal(400, 'invalid sort_by_metric');
  const sign = query.get('sort_by_direction') === 'asc' ? 1 : -1;
  const { zone } = account.settings;
  const days = daysOf(query, toLocalDay(now, zone));
  const sums = [...statisticsOf(account)('category', zone, now)].map(([name, byDay]) => {
    const metrics = noCounts(METRICS);
    for (const day of days)
      for (const [one, count] of Object.entries(byDay.get(day) ?? {}))
        metrics[one] = (metrics[one] ?? 0) + count;
    return { type: 'category', name, metrics };
  });
  sums.sort((one, other) => sign * ((one.metrics[metric] ?? 0) - (other.metrics[metric] ?? 0)));
  return { date: dayIn(query, 'start_date'), stats: byOffset(asked, sums, SUMS) };
}

/** The days that were asked for, up to today. */
function daysOf(query: URLSearchParams, today: string): string[] {
  const start = dayIn(query, 'start_date');
  const end = query.has('end_date') ? dayIn(query, 'end_date') : today;
  const days: string[] = [];
  for (let at = Date.parse(start); days.length < DAYS_MAX; at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    if (day > end || day > today) break;
    days.push(day);
  }
  return days;
}

function dayIn(query: URLSearchParams, name: string): string {
  const day = query.get(name) ?? '';
  const at = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(day) : Number.NaN;
  // 30 February would be taken for a day of March.
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(day))
    throw new Refusal(400, `${name} is needed as YYYY-MM-DD`);
  return day;
}

/** Of those that are named, else of all; of what the account does not have there is no row. */
export function sendTotals(asked: Question): unknown {
  const wanted = asked.query.get('singlesend_ids')?.split(',');
  if (wanted && wanted.length > SENDS_MAX) throw new Refusal(400, `1 to ${SENDS_MAX} ids are needed`);
  const ids = marketing(asked).map(({ id }) => String(id));
  const found = wanted?.filter((id) => ids.includes(id)) ?? ids;
  return byToken(
    asked,
    found.map((id) => sendRow(asked, id)),
    PAGE,
  );
}

export function sendDays(asked: Question): unknown {
  const [id = ''] = asked.ids;
  const { query, now } = asked;
  if (!marketing(asked).some((send) => send.id === id)) throw new Refusal(404, 'not found');
  if (query.get('aggregated_by') !== 'day') return byToken(asked, [sendRow(asked, id)], PAGE);
  const zone = query.get('timezone') ?? 'UTC';
  if (!isZone(zone)) throw new Refusal(400, 'timezone is no IANA time zone');
  const days = daysOf(query, toLocalDay(now, zone));
  return byToken(
    asked,
    days.map((day) => sendRow(asked, id, day, zone)),
    PAGE,
  );
}

function sendRow({ account, now }: Question, id: string, day?: string, zone = 'UTC'): Draft {
  const byDay = statisticsOf(account)('singlesend', zone, now).get(id) ?? new Map();
  const counts = noCounts(SEND_METRICS);
  for (const [date, metrics] of byDay)
    for (const metric of SEND_METRICS)
      if (day === undefined || date === day) counts[metric] = (counts[metric] ?? 0) + (metrics[metric] ?? 0);
  return { id, ab_variation: 'all', ab_phase: 'all', aggregation: day ?? 'total', stats: counts };
}
