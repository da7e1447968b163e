/** One run of a stream: everything or what is left of it, then the changes. */
import type { StreamContext } from '../../kit/stream.ts';
import { firstLoad } from './backfill.ts';
import type { Collection, Page } from './collection.ts';
import { readChanges } from './incremental.ts';
import { reconcile } from './reconcile.ts';
import { contentsOf, emptyPage, openReading, type Reading } from './sync_run.ts';
import { secondOf } from './sync_state.ts';

/** Stripe keeps events for 30 days. */
const EVENTS_KEPT_MS = 29 * 24 * 60 * 60_000;

/** The pages of a stream that keeps a copy of a collection. */
export async function* collectionPages(context: StreamContext, collection: Collection): AsyncGenerator<Page> {
  const reading = openReading(context);
  if (context.window) {
    yield* readAgain(reading, collection, context.window);
    return;
  }
  const isLoaded = isLoadDue(reading); // which has just listed everything
  if (isLoaded) {
    reading.phase = 'first_load';
    if (!(yield* firstLoad(reading, collection))) return;
    reading.phase = 'changes';
  }
  yield* readChanges(reading, collection);
  if (context.reconcile && !isLoaded) yield* reconcile(reading, collection);
}

/** What was created in a window, without moving the position. */
export async function* readAgain(
  reading: Reading,
  collection: Collection,
  { since, until }: { since: Date; until: Date },
): AsyncGenerator<Page> {
  const window = { from: secondOf(since), before: secondOf(until) + 1 };
  for await (const { content } of contentsOf(reading, collection, [window])) {
    yield { ...emptyPage(reading), ...content };
  }
}

function isLoadDue({ position, context }: Reading): boolean {
  if (position.load || context.full || position.changesTo === undefined) return true;
  return position.changesTo.getTime() < context.now().getTime() - EVENTS_KEPT_MS;
}
