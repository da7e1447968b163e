/** One run of a stream: what the key may read, then everything or what is left of it, then the changes. */
import type { Fields } from '../../kit/fields.ts';
import type { Page, StreamContext } from '../../kit/stream.ts';
import { type Access, assertScopes, assertShop, readAccess } from '../api/access.ts';
import { openShopify, type Shopify } from '../api/client.ts';
import { backfill } from './backfill.ts';
import { type Collection, contentOf, type Result, read, rejectionOf } from './collection.ts';
import { countCheck } from './count_check.ts';
import type { Content, Feed } from './feed.ts';
import { endOfChanges, readIncrement, resyncWindow, startOfChanges } from './incremental.ts';
import type { SyncRun } from './sync_run.ts';
import { parsePosition } from './sync_state.ts';

export type StreamNeeds = { name: string; scopes: readonly string[] };

export async function openRun(context: StreamContext, { name, scopes }: StreamNeeds): Promise<SyncRun> {
  const shopify = openShopify(context);
  const access = await readAccess(shopify);
  await assertShop(access, context.connection, context.db);
  assertScopes(access, context.connection, name, scopes);
  return { context, shopify, access, position: parsePosition(context.position), phase: 'changes' };
}

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
  if (context.window) {
    yield* resyncWindow(run, feed, context.window.since, context.window.until);
  } else {
    if (isLoadDue(run)) {
      run.phase = 'first_load';
      yield* backfill(run, collection);
      run.phase = 'changes';
    }
    const [start, end] = [startOfChanges(run), endOfChanges(run)];
    // First, because it moves no position: that of the collection itself stands for both.
    const { alsoChangedBy } = collection;
    const isWhole = !alsoChangedBy || !start || (yield* resyncWindow(run, alsoChangedBy, start, end));
    if (isWhole) yield* readIncrement(run, feed, end);
  }
  const incomplete = hidden?.(run.access, context.now());
  if (incomplete !== undefined) yield { phase: 'changes', items: [], rejected: [], incomplete };
  else if (!context.window) yield await countCheck(run, needs.name, collection);
}

/** Also the rest of a load that was broken off. One that a retry of the same job has behind it is not repeated. */
function isLoadDue({ position, context }: SyncRun): boolean {
  if (position.bulk !== undefined || position.changesTo === undefined) return true;
  return context.full && position.catchingUp !== context.request;
}

export function feedOf(collection: Collection): Feed {
  const { name, page, count, pageSize } = collection;
  return {
    ...{ name, page, count, pageSize },
    filterField: 'updated_at',
    instantField: 'updatedAt',
    contents: async (shopify, nodes) => [await completeItems(collection, shopify, nodes)],
  };
}

export async function completeItems(
  collection: Collection,
  shopify: Shopify,
  nodes: readonly Fields[],
): Promise<Content> {
  const results: Result[] = [];
  for (const node of nodes) results.push(await wholeItem(collection, shopify, node));
  return contentOf(results);
}

async function wholeItem(collection: Collection, shopify: Shopify, node: Fields): Promise<Result> {
  try {
    return read(collection, await collection.whole(shopify, node));
  } catch (error) {
    return { rejection: rejectionOf(node, error) }; // connections of another shape than we know
  }
}
