/** What one run of a stream of Shopify works with. */
import type { StreamContext } from '../../kit/stream.ts';
import { newRun, type SyncRun } from '../../kit/sync_run.ts';
import { type Access, assertScopes, assertShop, readAccess } from '../api/access.ts';
import { openShopify, type Shopify } from '../api/client.ts';
import { type Position, positionSchema } from './sync_state.ts';

/** Before anything that Shopify holds. */
export const BEGINNING = new Date('2000-01-01T00:00:00Z');

export type ShopifyRun = SyncRun<Position> & { shopify: Shopify; access: Access };

export type StreamNeeds = { name: string; scopes: readonly string[] };

/** Refuses another shop, and a key that may not read what the stream needs. */
export async function openRun(context: StreamContext, { name, scopes }: StreamNeeds): Promise<ShopifyRun> {
  const shopify = openShopify(context);
  const access = await readAccess(shopify);
  await assertShop(access, context.connection, context.db);
  assertScopes(access, context.connection, name, scopes);
  return { ...newRun(context, positionSchema), shopify, access };
}
