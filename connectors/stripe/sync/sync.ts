/** One run of a stream: the backfill or the rest of it, then changes. */
import type { StreamContext } from '../../kit/stream.ts';
import { type SyncSteps, type SyncWindow, syncPages } from '../../kit/sync.ts';
import { emptyPage, parseState } from '../../kit/sync_run.ts';
import { guardAccount, guardPage } from '../api/account_guard.ts';
import { fetchByIds, unheard, withOwned } from '../api/fetch_by_id.ts';
import { BEGINNING, backfill } from './backfill.ts';
import type { Collection, Page } from './collection.ts';
import { readIncrement } from './incremental.ts';
import { reconcile } from './reconcile.ts';
import { contentsOf, isFullDue, openRun, type StripeRun } from './sync_run.ts';
import { positionSchema, secondOf } from './sync_state.ts';

/** Stripe keeps events for 30 days. */
const EVENTS_KEPT_MS = 29 * 24 * 60 * 60_000;

/** The pages of a stream that keeps a copy of a collection; `other` steps are those without events. */
export function collectionPages(
  context: StreamContext,
  collection: Collection,
  other: (run: StripeRun) => Partial<SyncSteps<Page>> = () => ({}),
): AsyncGenerator<Page> {
  const run = openRun(context);
  return syncPages(run, {
    resync: (window) => resyncWindow(run, collection, window),
    backfill: isBackfillDue(run) ? () => backfill(run, collection) : undefined,
    increment: () => readIncrement(run, collection),
    reconcile: () => reconcile(run, collection),
    ...other(run),
  });
}

/**
 * Objects by their ids, or by that of their owner, in their current state or deleted. The position stays. No event reports the deletions, so
 * nothing is deleted before the key is known to belong to the account.
 */
export async function* fetchPages(
  context: StreamContext,
  collection: Collection,
  ids: readonly string[],
): AsyncGenerator<Page> {
  const run = openRun(context);
  const now = secondOf(context.now());
  let isOwnAccount = false;
  const all = await withOwned(run.stripe, collection, ids);
  for await (const page of fetchByIds(run, collection, unheard([...all]), now)) {
    if (page.deletions?.length && !isOwnAccount) {
      const doubt = await guardAccount(run, collection, { from: BEGINNING, before: now });
      if (doubt !== undefined) {
        yield guardPage(run, doubt);
        return;
      }
      isOwnAccount = true;
    }
    yield page;
  }
}

/** Objects that were created in a window; the position stays. */
async function* resyncWindow(
  run: StripeRun,
  collection: Collection,
  { since, until }: SyncWindow,
): AsyncGenerator<Page> {
  const window = { from: secondOf(since), before: secondOf(until) + 1 };
  for await (const { content } of contentsOf(run, collection, [window])) {
    yield { ...emptyPage(run), ...content };
  }
}

/** Decided by the position of the stream; a run may also be a full refresh. */
export function needsBackfill(stored: unknown, now: Date): boolean {
  const { load, changesTo } = parseState(positionSchema, stored);
  if (load || changesTo === undefined) return true;
  return changesTo.getTime() < now.getTime() - EVENTS_KEPT_MS;
}

function isBackfillDue(run: StripeRun): boolean {
  return isFullDue(run) || needsBackfill(run.context.position, run.context.now());
}
