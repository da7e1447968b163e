/** One run of a stream: everything or what is left of it, then the changes. */
import type { StreamContext } from '../../kit/stream.ts';
import { backfill } from './backfill.ts';
import type { Collection, Page } from './collection.ts';
import { readIncrement } from './incremental.ts';
import { reconcile } from './reconcile.ts';
import { contentsOf, emptyPage, openRun, type SyncRun } from './sync_run.ts';
import { secondOf } from './sync_state.ts';

/** Stripe keeps events for 30 days. */
const EVENTS_KEPT_MS = 29 * 24 * 60 * 60_000;

/** The pages of a stream that keeps a copy of a collection. */
export async function* collectionPages(context: StreamContext, collection: Collection): AsyncGenerator<Page> {
  const run = openRun(context);
  if (context.window) {
    yield* resyncWindow(run, collection, context.window);
    return;
  }
  const isLoaded = isLoadDue(run); // which has just listed everything
  if (isLoaded) {
    run.phase = 'first_load';
    if (!(yield* backfill(run, collection))) return;
    run.phase = 'changes';
  }
  yield* readIncrement(run, collection);
  if (context.reconcile && !isLoaded) yield* reconcile(run, collection);
}

/** What was created in a window, without moving the position. */
export async function* resyncWindow(
  run: SyncRun,
  collection: Collection,
  { since, until }: { since: Date; until: Date },
): AsyncGenerator<Page> {
  const window = { from: secondOf(since), before: secondOf(until) + 1 };
  for await (const { content } of contentsOf(run, collection, [window])) {
    yield { ...emptyPage(run), ...content };
  }
}

function isLoadDue({ position, context }: SyncRun): boolean {
  if (position.load || context.full || position.changesTo === undefined) return true;
  return position.changesTo.getTime() < context.now().getTime() - EVENTS_KEPT_MS;
}
