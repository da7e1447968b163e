/**
 * Objects that Shopify completes later without counting that as a change, so that no window brings it: the visits that led
 * to an order. Once an hour one request asks for the state of many of them, and those that are ready now are read. After
 * two days one is given up.
 */
import { z } from 'zod';
import { rowsBetween } from '../../kit/stored/stored.ts';
import type { Page } from '../../kit/stream.ts';
import { checkpoint, emptyPage } from '../../kit/sync_run.ts';
import { PAGE_SIZE_MAX } from '../api/queries.ts';
import type { Collection, Unready } from './collection.ts';
import { contentsByIds } from './fetch_by_id.ts';
import type { ShopifyRun } from './sync_run.ts';

const HOUR_MS = 60 * 60_000;
/** Runs of each hour do not begin at the same minute. */
const AGAIN_MS = HOUR_MS - 10 * 60_000;
const AGE_MS_MAX = 48 * HOUR_MS;
/** Of more than these the newest are asked for: they are the likeliest to be completed. */
const OBJECTS_MAX = 2_500;

/** Null for an object that is deleted or hidden. */
const nodesSchema = z.object({ nodes: z.array(z.looseObject({ id: z.string() }).nullable()) });

/** The instant is stored behind what came, so a run that breaks off leaves the rest to the next one. */
export async function* followUnready(run: ShopifyRun, collection: Collection): AsyncGenerator<Page> {
  const { unready } = collection;
  const now = run.context.now();
  const { unreadyAskedAt } = run.position;
  const isAsked = unreadyAskedAt && now.getTime() - unreadyAskedAt.getTime() < AGAIN_MS;
  if (!unready || isAsked) return;
  const gids = await waiting(run, collection, unready);
  if (gids.length === 0) return;
  for (let at = 0; at < gids.length; at += PAGE_SIZE_MAX) {
    const part = gids.slice(at, at + PAGE_SIZE_MAX);
    const { nodes } = await run.shopify.ask(unready.query, { ids: part }, nodesSchema);
    const ready = nodes.flatMap((node) => (node !== null && unready.isReady(node) ? [node.id] : []));
    for await (const content of contentsByIds(run.shopify, collection, ready))
      yield { ...emptyPage(run), ...content };
  }
  yield checkpoint(run, { ...run.position, unreadyAskedAt: now });
}

async function waiting(
  { context }: ShopifyRun,
  { target, type }: Collection,
  { by, where }: Unready,
): Promise<string[]> {
  const [table] = target.tables;
  if (!table) return [];
  const to = context.now();
  const from = new Date(to.getTime() - AGE_MS_MAX);
  const rows = await rowsBetween(
    context,
    table.name,
    { by, from, to, where },
    { columns: ['id'], max: OBJECTS_MAX, isNewestFirst: true },
  );
  return rows.map(({ id }) => `gid://shopify/${type}/${id}`);
}
