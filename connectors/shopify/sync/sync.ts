/** One run of a stream: permissions of the key, then the backfill or the rest of it, then changes. */
import type { Page, StreamContext } from '../../kit/stream.ts';
import { syncPages } from '../../kit/sync.ts';
import { emptyPage, parseState } from '../../kit/sync_run.ts';
import type { Access } from '../api/access.ts';
import { backfill } from './backfill.ts';
import { type Collection, completeItems } from './collection.ts';
import { countCheck, wantedOfCheck } from './count_check.ts';
import type { Feed } from './feed.ts';
import { endOfChanges, readIncrement, resyncWindow, startOfChanges, wantedOfChanges } from './incremental.ts';
import type { Wanted } from './look.ts';
import { openRun, type ShopifyRun, type StreamNeeds } from './sync_run.ts';
import { positionSchema } from './sync_state.ts';
import { followUnready } from './unready.ts';

/** Changes of a longer time are read by a job of their own. */
const CHANGES_MS_MAX = 3 * 24 * 60 * 60_000;

/** The pages of a stream that keeps a copy of a collection. */
export async function* collectionPages(
  context: StreamContext,
  needs: StreamNeeds,
  collectionFor: (access: Access) => Collection,
  hidden?: (access: Access, now: Date) => string | undefined,
): AsyncGenerator<Page> {
  const run = await openRun(context, needs);
  const collection = collectionFor(run.access);
  const feed = feedOf(collection);
  const incomplete = hidden?.(run.access, context.now());
  yield* syncPages(run, {
    resync: ({ since, until }) => resyncWindow(run, feed, since, until),
    backfill: isBackfillDue(run) ? () => backfill(run, collection) : undefined,
    async *increment() {
      // First: what the changes bring is not worth asking for again at once.
      yield* followUnready(run, collection);
      yield* readChanges(run, collection, feed);
    },
    async *verify() {
      if (incomplete === undefined) yield await countCheck(run, needs.name, collection);
    },
  });
  if (incomplete !== undefined) yield { ...emptyPage(run), incomplete };
}

async function* readChanges(
  run: ShopifyRun,
  { alsoChangedBy }: Collection,
  feed: Feed,
): AsyncGenerator<Page> {
  const [start, end] = [startOfChanges(run), endOfChanges(run)];
  // First, because it moves no position: the position of the collection counts for both.
  const isWhole = !alsoChangedBy || !start || (yield* resyncWindow(run, alsoChangedBy, start, end));
  if (isWhole) yield* readIncrement(run, feed, end);
}

/** Also for changes of many days, such as a backfill that is read page by page: an account's run leaves them alone. */
export function needsBackfill(stored: unknown, now: Date): boolean {
  const { changesTo } = parseState(positionSchema, stored);
  const isLong = changesTo !== undefined && now.getTime() - changesTo.getTime() > CHANGES_MS_MAX;
  return isLong || isUnloaded(stored);
}

/** Also the rest of an interrupted load. */
function isUnloaded(stored: unknown): boolean {
  const { bulk, changesTo } = parseState(positionSchema, stored);
  return bulk !== undefined || changesTo === undefined;
}

/** A retry does not repeat a full load that an earlier attempt of the same request has finished. */
function isBackfillDue({ position, context }: ShopifyRun): boolean {
  return isUnloaded(context.position) || (context.full && position.catchingUp !== context.request);
}

/** The questions of a run that reads the changes of a collection. */
export function wantedOf(
  collection: Collection,
  stored: unknown,
  { end, isHidden }: { end: Date; isHidden: boolean },
): Wanted[] {
  const position = parseState(positionSchema, stored);
  const { alsoChangedBy } = collection;
  return [
    ...(alsoChangedBy ? wantedOfChanges(position, alsoChangedBy, end) : []),
    ...wantedOfChanges(position, feedOf(collection), end),
    ...(isHidden ? [] : wantedOfCheck(collection, end)),
  ];
}

export function feedOf(collection: Collection): Feed {
  const { name, page, count, pageSize, changedFilter } = collection;
  return {
    ...{ name, page, count, pageSize },
    filterField: changedFilter,
    instantField: 'updatedAt',
    contents: async (shopify, nodes) => [await completeItems(collection, shopify, nodes)],
  };
}
