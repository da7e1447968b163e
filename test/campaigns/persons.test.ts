/** Persons of orders: asked for only where an operator says so, and stored as digests only. */
import { expect, test } from 'vitest';
import { setReadsPersons } from '#sql/tenants/account_facts.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { freshDb } from '../support/db/db.ts';
import { order } from '../support/providers/orders.ts';
import { aShopOf } from '../support/providers/shopify.ts';
import { testSealer } from '../support/rows/factory.ts';

const ADDRESS = 'ann.example@shop.example';

test('an address becomes a digest if the connection reads persons, in bulk, page by page and by id', async () => {
  await using db = await freshDb();
  const orders = [order(1, 1, { email: ` ${ADDRESS.toUpperCase()}` }), order(2)];
  await using shop = await aShopOf(db, { 'orders.ndjson': orders });
  const stored = () => db.column('select person from raw.shopify_orders order by id');
  await shop.sync('shopify.orders');
  expect(await stored()).toEqual([null, null]);

  const which = { brandId: shop.brandId, connectionId: shop.connectionId, actor: 'test' };
  await db.transaction((tx) => setReadsPersons(tx, which, true));
  await shop.sync('shopify.orders', { full: true });
  const personOf = await personsOf(db, testSealer, shop.brandId);
  expect(await stored()).toEqual([personOf(ADDRESS), null]);
  const whole = await db.column('select o::text from raw.shopify_orders o');
  expect(whole.join('\n').toLowerCase()).not.toContain(ADDRESS);

  const later = orders.map((one) => ({ ...one, name: 'changed', updatedAt: '2026-11-20T05:00:00Z' }));
  await shop.serve({ 'orders.ndjson': later });
  await shop.sync('shopify.orders');
  expect(await stored()).toEqual([personOf(ADDRESS), null]);
});
