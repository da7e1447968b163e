/**
 * Brings the exchange rates up to date. A *gap* is a day of publication without stored rates. The whole history closes
 * gaps that are older than the feed of 90 days; otherwise that feed is enough, so that a missed week is repaired. A run
 * finds out itself what is missing, so it may come twice, late or by hand.
 */
import { z } from 'zod';
import {
  addDays,
  FIRST_PUBLICATION,
  frankfurt,
  lastPublication,
  PUBLISHED_AT,
  publicationDays,
} from '#connectors/ecb/calendar.ts';
import { type Feed, type FeedAnswer, feeds, feedUrl, readFeed } from '#connectors/ecb/feeds.ts';
import type { Published } from '#connectors/ecb/published.ts';
import { newRequestStats, type RequestStats } from '#connectors/kit/http/retry.ts';
import type { Tx } from '#sql/db/pool.ts';
import { daysWithRates, noteUnchanged, readValidators, saveValidators } from '#sql/fx/feeds.ts';
import { type RatesKept, storeRates } from '#sql/fx/rates.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask, type TaskContext } from '../task.ts';
import { fxFanOut } from './fx_fan_out.ts';

/** The feed of 90 days may begin a few days late. */
const RECENT_DAYS = 85;
const ASK_AGAIN_MINUTES = 30;
/** In Frankfurt: rates that are not published by then come on another day, if at all. */
const GIVE_UP_AT = '20:00';
const SOURCE = 'ecb';
/** Keeps log lines short. */
const NAMED_MAX = 5;

const payload = z.strictObject({
  /** Read the whole history again. */
  full: z.boolean().optional(),
  now: z.iso.datetime({ offset: true }).optional(),
});

type Run = {
  context: TaskContext;
  payload: z.output<typeof payload>;
  stats: RequestStats;
  counts: Record<(typeof COUNTED)[number], number>;
  read: string[];
  doubtful: string[];
};

const COUNTED = ['added', 'changed', 'withdrawn', 'unchanged'] as const;

export const fxRates = defineTask({
  name: 'fx_rates',
  payload,
  lane: () => 'fx_rates',
  key: ({ full }) => (full ? 'full' : 'ecb'),
  attempts: 8,
  timeoutSeconds: 30 * 60,
  // The ECB publishes around 16:00; a run that comes too early looks again by itself.
  schedules: [{ name: 'fx-rates', of: 'platform', expression: '15 16 * * 1-5', timeZone: 'Europe/Berlin' }],
  async run(which, context) {
    const counts = { added: 0, changed: 0, withdrawn: 0, unchanged: 0 };
    const run: Run = { context, payload: which, stats: newRequestStats(), counts, read: [], doubtful: [] };
    await readFeeds(run);
    const missing = await missingDays(context);
    // A run with a given instant gets no retry, which would use the real clock.
    const again = missing.isLate && !which.now ? nextTry(context.now()) : undefined;
    if (again) await askAgain(context);
    const warning = warningOf(run.doubtful, missing);
    if (warning) context.log.warn({ doubtful: run.doubtful.slice(0, NAMED_MAX) }, warning);
    return {
      ...counts,
      feeds: run.read.join(', '),
      newest_day: missing.newest,
      requests: run.stats.requests,
      bytes: run.stats.bytes,
      ...(warning && { warning }),
      ...(missing.isLate && { incomplete: lateText(missing, again) }),
    };
  },
});

export type KeepOptions = {
  source: string;
  now: Date;
  actor?: string;
  /** The instant that the rollups take for now. */
  rollupNow?: string;
  /** Further changes of the same transaction. */
  note?: (tx: Tx, kept: RatesKept) => Promise<void>;
};

/** Stores rates; a job then passes their change on to each brand. Comes last in its transaction. */
export async function keepRates(tx: Tx, { days }: Published, options: KeepOptions): Promise<RatesKept> {
  const { rollupNow, note, ...how } = options;
  const kept = await storeRates(tx, { days, ...how });
  await note?.(tx, kept);
  if (kept.reach !== null) await enqueue(tx, fxFanOut, { ...(rollupNow && { now: rollupNow }) });
  return kept;
}

async function readFeeds(run: Run): Promise<void> {
  const { context, payload } = run;
  const reach = addDays(frankfurt(context.now()).day, -RECENT_DAYS);
  const gaps = await missingDays(context);
  const needsHistory = payload.full || gaps.days.some((day) => day < reach);
  const hasHistory = needsHistory && (await bring(run, 'history'));
  if (!hasHistory) await bring(run, 'recent');
  const left = await missingDays(context);
  if (left.isLate) await bring(run, 'latest'); // it may be published a little earlier
}

/** Whether the feed had changed. */
async function bring(run: Run, feed: Feed): Promise<boolean> {
  const { context, payload, stats } = run;
  const { db, signal, services, now, progress } = context;
  const url = feedUrl(services.ecbUrl, feed);
  const known = payload.full ? undefined : await readValidators(db, url);
  const today = frankfurt(now()).day;
  const answer = await readFeed(feed, { baseUrl: services.ecbUrl, today, known, signal, stats });
  run.read.push(answer ? feeds[feed] : `${feeds[feed]} (not modified)`);
  progress({ requests: stats.requests });
  if (!answer) await db.transaction((tx) => noteUnchanged(tx, url, now()));
  else await keepAnswer(run, url, answer);
  return answer !== undefined;
}

async function keepAnswer({ context, payload, ...run }: Run, url: string, answer: FeedAnswer) {
  const now = context.now();
  const options: KeepOptions = {
    ...{ source: SOURCE, now, actor: fxRates.name },
    ...(payload.now && { rollupNow: payload.now }),
    note: (tx) => saveValidators(tx, url, answer.validators, now),
  };
  const kept = await context.db.transaction((tx) => keepRates(tx, answer.published, options));
  for (const key of COUNTED) run.counts[key] += kept[key];
  run.doubtful.push(...kept.doubtful);
}

type Missing = {
  /** Oldest first. */
  days: string[];
  expected: string;
  newest: string | undefined;
  /** Whether the newest day that should be out is missing. */
  isLate: boolean;
};

async function missingDays({ db, now }: TaskContext): Promise<Missing> {
  const stored = await daysWithRates(db);
  const expected = lastPublication(now());
  const days = publicationDays(FIRST_PUBLICATION, expected).filter((day) => !stored.has(day));
  return { days, expected, newest: [...stored].sort().at(-1), isLate: days.at(-1) === expected };
}

/** The time in Frankfurt of the next attempt on the same day; undefined if it is too late, or not due yet. */
function nextTry(now: Date): string | undefined {
  const { day, time } = frankfurt(now);
  const next = frankfurt(new Date(now.getTime() + ASK_AGAIN_MINUTES * 60_000));
  const isDue = lastPublication(now) === day && time >= PUBLISHED_AT;
  return isDue && next.time <= GIVE_UP_AT ? next.time : undefined;
}

/** Comes last in its transaction. */
async function askAgain({ db }: TaskContext): Promise<void> {
  await db.transaction((tx) => enqueue(tx, fxRates, {}, { delaySeconds: ASK_AGAIN_MINUTES * 60 }));
}

function lateText({ expected, newest }: Missing, again: string | undefined): string {
  const late = `the rates of ${expected} are not out, the newest are of ${newest ?? 'no day at all'}`;
  return again ? `${late}; the next attempt is at ${again} in Frankfurt` : late;
}

function warningOf(doubtful: readonly string[], { days, expected, isLate }: Missing): string {
  const recent = days.filter(
    (day) => day >= addDays(expected, -RECENT_DAYS) && !(isLate && day === expected),
  );
  const parts: [string, readonly string[]][] = [
    ['rates to look at, used all the same', doubtful],
    ['days of publication without rates', recent],
  ];
  return parts
    .filter(([, items]) => items.length > 0)
    .map(([what, items]) => `${what} (${items.length}): ${some(items)}`)
    .join('; ');
}

function some(items: readonly string[]): string {
  return `${items.slice(0, NAMED_MAX).join(', ')}${items.length > NAMED_MAX ? ', …' : ''}`;
}
