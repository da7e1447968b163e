/** Reads objects by their ids, after a report of a change. */
import { z } from 'zod';
import type { Page, StreamContext } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import type { Access } from '../api/access.ts';
import type { Shopify } from '../api/client.ts';
import { type Collection, completeItems } from './collection.ts';
import type { Content } from './feed.ts';
import { openRun, type StreamNeeds } from './sync_run.ts';

const AT_ONCE = 10;

/** Null if an object is deleted or hidden; its deletion is reported separately. */
const nodesSchema = z.object({ nodes: z.array(z.record(z.string(), z.unknown()).nullable()) });

export async function* contentsByIds(
  shopify: Shopify,
  collection: Collection,
  ids: readonly string[],
): AsyncGenerator<Content> {
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const part = ids.slice(at, at + AT_ONCE);
    const { nodes } = await shopify.ask(collection.byIds, { ids: part }, nodesSchema);
    const found = nodes.filter((node) => node !== null);
    yield await completeItems(collection, shopify, found);
  }
}

/** The pages of objects by the numbers in their ids. The position stays. */
export async function* fetchPages(
  context: StreamContext,
  needs: StreamNeeds,
  collectionFor: (access: Access) => Collection,
  ids: readonly string[],
): AsyncGenerator<Page> {
  const run = await openRun(context, needs);
  const collection = collectionFor(run.access);
  const gids = ids.map((id) => `gid://shopify/${collection.type}/${id}`);
  for await (const content of contentsByIds(run.shopify, collection, gids))
    yield { ...emptyPage(run), ...content };
}
