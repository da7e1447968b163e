/**
 * Numbers of the accounts. Each hour those that have news are asked for in one request; once a day each alone, so that
 * one broken link cannot spoil the rest. https://www.ayrshare.com/docs/apis/analytics/social
 */
import { type Fields, isUnfit } from '../../kit/fields.ts';
import { rejectionOf } from '../../kit/records.ts';
import type { Check, Page } from '../../kit/stream.ts';
import { type Kind, networksOf, Refused } from '../api/answers.ts';
import type { Ayrshare } from '../api/client.ts';
import { accountMetrics, type Metric, readMetrics } from '../metrics.ts';
import { ayrshareStream, saved } from '../stream.ts';
import {
  answered,
  assertProfile,
  isDue,
  linkedOf,
  orRefused,
  passed,
  readAt,
  refused,
  unlinked,
} from '../sync/networks.ts';
import { dayOf, isDayDue, type Network, type Run, readTo, today, withNetwork } from '../sync/sync_state.ts';
import { accountReadingItems, accountReadings, numberPages, snapshotItem, snapshots } from './readings.ts';

/** It has no accounts to count. */
const UNCOUNTED: ReadonlySet<string> = new Set(['telegram']);
/** What an answer without a network says of all that were asked for. */
const OF_ALL: ReadonlySet<Kind> = new Set<Kind>(['empty', 'throttled']);
const HOUR_MS = 60 * 60_000;
/** Older numbers are stale at the network; Google publishes a day late and more. */
const STALE_MS = 48 * HOUR_MS;
const STALE_MS_OF: Readonly<Record<string, number>> = { gmb: 7 * 24 * HOUR_MS };
/** A number that was there for so long is missed for so long. */
const MISSED_MS = 7 * 24 * HOUR_MS;

export const accountMetricsStream = ayrshareStream({
  name: 'account_metrics',
  tables: [accountReadings, snapshots],
  feeds: ['social', 'rankings'],
  async *read(run, ayrshare) {
    const { context } = run;
    const now = context.now();
    if (!isDayDue(run)) {
      context.keepWarnings();
      yield* readDue(run, ayrshare, now);
      const changesTo = readTo(run.position, counted(run.position.linked), now);
      return yield saved(run, changesTo === undefined ? {} : { changesTo });
    }
    const linked = await linkedOf(context, ayrshare);
    yield { ...saved(run, {}), checks: unlinked(run, linked, ['account {}', 'freshness {}']) };
    for (const platform of counted(linked)) yield* readNetworks(run, ayrshare, [platform]);
    const changesTo = readTo(run.position, counted(linked), now);
    yield saved(run, { linked, day: today(context), ...(changesTo !== undefined && { changesTo }) });
  },
});

function counted(linked: readonly string[]): string[] {
  return linked.filter((platform) => !UNCOUNTED.has(platform));
}

async function* readDue(run: Run, ayrshare: Ayrshare, now: Date): AsyncGenerator<Page> {
  const { linked, networks } = run.position;
  const due = counted(linked).filter(
    (platform) => !networks[platform]?.isFailing && isDue(networks[platform], now),
  );
  if (due.length > 0) yield* readNetworks(run, ayrshare, due);
}

async function* readNetworks(
  run: Run,
  ayrshare: Ayrshare,
  platforms: readonly string[],
): AsyncGenerator<Page> {
  const got = await orRefused(platforms, () => ayrshare.post('/analytics/social', { platforms }));
  if (got instanceof Refused) {
    if (platforms.length > 1 && got.platform === undefined && !OF_ALL.has(got.kind)) {
      // One of them is at fault, and does not say which.
      for (const platform of platforms) yield* readNetworks(run, ayrshare, [platform]);
      return;
    }
    await assertProfile(run, ayrshare, got);
    // A refusal that names one network says nothing of the others.
    const of = platforms.filter((platform) => got.platform === undefined || got.platform === platform);
    for (const platform of of) yield refusal(run, platform, got);
    const others = platforms.filter((platform) => !of.includes(platform));
    if (of.length > 0 && others.length > 0) yield* readNetworks(run, ayrshare, others);
    return;
  }
  for (const [platform, found] of networksOf(got.body, platforms)) {
    if (found instanceof Refused) {
      await assertProfile(run, ayrshare, found);
      yield refusal(run, platform, found);
    } else yield* numbersOf(run, platform, found[0] ?? {}, got.sentAt);
  }
}

function* numbersOf(run: Run, platform: string, answer: Fields, sentAt: Date): Generator<Page> {
  const at = readAt(answer, sentAt);
  const numbers = answer.analytics as Fields;
  let metrics: Metric[];
  try {
    metrics = readMetrics(accountMetrics, platform, numbers);
  } catch (error) {
    if (!isUnfit(error)) throw error;
    const network = withNetwork(run.position, platform, answered(answer, sentAt));
    return yield { ...saved(run, network), rejected: [rejectionOf({ ...numbers, id: platform }, error)] };
  }
  const readOn = dayOf(at, run.context.connection.timeZone);
  yield* numberPages(run, 'ayrshare.account_metrics', {
    accounts: accountReadingItems({ id: platform, readAt: at, metrics, readOn }),
    snapshots: [snapshotItem(platform, 'account', at, numbers)],
  });
  const network = { ...answered(answer, sentAt), ...remembered(run, platform, metrics, sentAt) };
  const checks = [passed(platform), freshness(platform, at, sentAt)];
  yield { ...saved(run, withNetwork(run.position, platform, network)), checks };
}

/** Which numbers there are, and since when; warns of one that is gone although it was there for a week. */
function remembered(run: Run, platform: string, metrics: readonly Metric[], now: Date): Network {
  const before = run.position.networks[platform]?.metrics ?? {};
  const at = now.toISOString();
  const known = Object.fromEntries(metrics.map(({ metric }) => [metric, [before[metric]?.[0] ?? at, at]]));
  for (const [metric, [first, last]] of Object.entries(before)) {
    if (metric in known || now.getTime() - Date.parse(last) > MISSED_MS) continue;
    known[metric] = [first, last];
    if (Date.parse(last) - Date.parse(first) >= MISSED_MS)
      run.context.warn(`${platform} gives no ${metric} since ${last}: bi.daily_social has null from then on`);
  }
  return {
    metrics: known as Network['metrics'],
    ...(metrics.length > 0 && { numbersAt: at }),
  };
}

function freshness(platform: string, at: Date, now: Date): Check {
  const name = `freshness ${platform}`;
  if (now.getTime() - at.getTime() <= (STALE_MS_OF[platform] ?? STALE_MS)) return { name, ok: true };
  return { name, ok: false, cause: `the numbers of ${platform} are as of ${at.toISOString()} still` };
}

function refusal(run: Run, platform: string, error: Refused): Page {
  const { network, checks, incomplete } = refused(run, platform, error, run.context.now());
  const page = { ...saved(run, withNetwork(run.position, platform, network)), checks };
  return incomplete === undefined ? page : { ...page, incomplete };
}
