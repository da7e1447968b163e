/** Counts of an account: those that its files give, else those that follow from its events. */
import type { Draft } from '../ndjson.ts';
import type { Account } from '../tables/declare.ts';
import { memo } from '../tables/memo.ts';
import { toLocalDay } from '../zone.ts';
import { eventsOf } from './sent.ts';
import { listOf, type Settings, secondsOf } from './settings.ts';

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
/** What marketing statistics count. */
export const SEND_METRICS = METRICS.filter(
  (metric) => !['processed', 'deferred', 'blocks', 'unsubscribe_drops'].includes(metric),
);
type Metric = (typeof METRICS)[number];
export type Counts = Record<string, number>;

export function noCounts(metrics: readonly string[]): Counts {
  return Object.fromEntries(metrics.map((metric) => [metric, 0]));
}

const DROPS: Record<string, Metric> = {
  'Bounced Address': 'bounce_drops',
  'Invalid SMTPAPI header': 'invalid_emails',
  Invalid: 'invalid_emails',
  'Spam Reporting Address': 'spam_report_drops',
  'Unsubscribed Address': 'unsubscribe_drops',
};

function metricsOf({ event, type, reason }: Draft, isFirst: boolean): Metric[] {
  if (event === 'processed') return ['requests', 'processed'];
  if (event === 'dropped') {
    const drop = DROPS[String(reason)];
    return ['requests', ...(drop ? [drop] : [])];
  }
  if (event === 'delivered' || event === 'deferred') return [event];
  if (event === 'bounce') return [type === 'blocked' ? 'blocks' : 'bounces'];
  if (event === 'open') return isFirst ? ['opens', 'unique_opens'] : ['opens'];
  if (event === 'click') return isFirst ? ['clicks', 'unique_clicks'] : ['clicks'];
  if (event === 'spamreport') return ['spam_reports'];
  return event === 'unsubscribe' || event === 'group_unsubscribe' ? ['unsubscribes'] : [];
}

/** `kind`: global, category, subuser or singlesend. By name (empty for global) and day of `zone`. */
export type Statistics = (
  kind: string,
  zone: string,
  now: number,
) => ReadonlyMap<string, Map<string, Counts>>;

export function statisticsOf(account: Account<Settings>): Statistics {
  const given = account.rows('stats');
  if (given.length > 0) return (kind, _zone, now) => told(given, kind, now);
  return (kind, zone, now) =>
    memo(eventsOf(account), now, `${kind} ${zone}`, () => counted(account, kind, zone, now));
}

function told(rows: readonly Draft[], wanted: string, now: number) {
  const days = new Map<string, Map<string, Counts>>();
  for (const { type = 'global', name = '', date, _at, ...metrics } of rows) {
    if (type !== wanted || (_at !== undefined && Date.parse(String(_at)) > now)) continue;
    dayOf(days, String(name)).set(String(date), metrics as Counts);
  }
  return days;
}

function counted(account: Account<Settings>, kind: string, zone: string, now: number) {
  const days = new Map<string, Map<string, Counts>>();
  const known = new Set<string>();
  for (const event of eventsOf(account)) {
    const seconds = secondsOf(event);
    if (seconds * 1000 > now) continue;
    const once = `${event.event} ${event.sg_message_id ?? event.email}`;
    const metrics = metricsOf(event, !known.has(once));
    known.add(once);
    for (const name of namesOf(event, kind)) {
      const byDay = dayOf(days, name);
      const day = toLocalDay(seconds * 1000, zone);
      const counts = byDay.get(day) ?? {};
      for (const metric of metrics) counts[metric] = (counts[metric] ?? 0) + 1;
      byDay.set(day, counts);
    }
  }
  return days;
}

function dayOf(days: Map<string, Map<string, Counts>>, name: string): Map<string, Counts> {
  const found = days.get(name) ?? new Map<string, Counts>();
  days.set(name, found);
  return found;
}

function namesOf({ category, _subuser, singlesend_id }: Draft, kind: string): string[] {
  if (kind === 'category') return listOf(category);
  if (kind === 'subuser') return listOf(_subuser);
  return kind === 'singlesend' ? listOf(singlesend_id) : [''];
}
