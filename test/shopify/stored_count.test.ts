/** The number of stored orders that quiet runs remember. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { STREAMS } from '../support/providers/shop_account.ts';
import { aShopOf } from '../support/providers/shopify.ts';

const at = (hour: number) => ({ now: `2026-11-20T0${hour}:00:00Z` });
const order = (id: number) => ({
  ...{ id, processedAt: '2026-11-10T10:00:00Z', updatedAt: '2026-11-20T01:00:00Z' },
  lineItems: [{ id: id * 10, originalUnitPriceSet: '10.00' }],
});

test('a run of one stream that misses an order forgets what was counted before', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(1), order(2)] });
  for (const name of STREAMS) await shop.sync(name, at(6));
  expect(await shop.syncAll(at(7))).not.toHaveProperty('incomplete');
  await db.query("delete from raw.shopify_orders where id = '2'");
  const missing = 'Shopify counts 2 orders in all, 1 is stored';
  expect((await shop.sync('shopify.orders', at(8))).incomplete).toContain(missing);
  expect((await shop.syncAll(at(9))).incomplete).toContain(missing);
});
