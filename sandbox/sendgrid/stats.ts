/** Answers with counts: of an account, its categories, its subusers, and its single sends. */
import type { Draft } from '../ndjson.ts';
import { type Asked, Refusal } from '../tables/declare.ts';
import { wholeOf } from '../tables/lists.ts';
import { toLocalDay } from '../zone.ts';
import { byToken, marketing } from './lists.ts';
import type { Settings } from './settings.ts';
import { METRICS, noCounts, SEND_METRICS, statisticsOf } from './statistics.ts';

type Question = Asked<Settings>;

const DAY_MS = 86_400_000;
const DAYS_MAX = 2_000;
const NAMES_MAX = 10;

export function statistics(asked: Question, kind: string, names: readonly string[]): unknown {
  const { account, query, now } = asked;
  if (kind !== 'global' && (names.length < 1 || names.length > NAMES_MAX))
    throw new Refusal(400, `1 to ${NAMES_MAX} names are needed`);
  const { zone } = account.settings;
  const counted = statisticsOf(account)(kind, zone, now);
  const days = daysOf(query, toLocalDay(now, zone)).map((date) => ({
    date,
    stats: names.map((name) => ({
      ...(kind !== 'global' && { type: kind, name }),
      metrics: { ...noCounts(METRICS), ...counted.get(name)?.get(date) },
    })),
  }));
  return wholeOf(asked, days);
}

/** The days that were asked for, up to today. */
function daysOf(query: URLSearchParams, today: string): string[] {
  const start = query.get('start_date') ?? '';
  const end = query.get('end_date') ?? today;
  if (!/^\d{4}-\d\d-\d\d$/.test(start)) throw new Refusal(400, 'start_date is needed as YYYY-MM-DD');
  const days: string[] = [];
  for (let at = Date.parse(start); days.length < DAYS_MAX; at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    if (day > end || day > today) break;
    days.push(day);
  }
  return days;
}

/** Of those that are named, else of all. */
export function sendTotals(asked: Question): unknown {
  const wanted = asked.query.get('singlesend_ids')?.split(',');
  const ids = wanted ?? marketing(asked).map(({ id }) => String(id));
  return byToken(
    asked,
    ids.map((id) => sendRow(asked, id)),
    'results',
  );
}

export function sendDays(asked: Question): unknown {
  const [id = ''] = asked.ids;
  const { query, now } = asked;
  if (!marketing(asked).some((send) => send.id === id)) throw new Refusal(404, 'not found');
  if (query.get('aggregated_by') !== 'day') return byToken(asked, [sendRow(asked, id)], 'results');
  const zone = query.get('timezone') ?? 'UTC';
  const days = daysOf(query, toLocalDay(now, zone));
  return byToken(
    asked,
    days.map((day) => sendRow(asked, id, day, zone)),
    'results',
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
