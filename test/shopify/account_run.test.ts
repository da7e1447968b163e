/** One run for all streams of a shop: what it costs when nothing happened, and what it reads when something did. */

import { expect, test } from 'vitest';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb } from '../support/db/db.ts';
import {
  at,
  few,
  firstLoad,
  many,
  order,
  STREAMS,
  served,
  statesOf,
} from '../support/providers/shop_account.ts';
import { aShopOf, type ShopUnderTest } from '../support/providers/shopify.ts';

test.each([
  ['a small shop', few],
  ['a larger shop', many],
])('an hour in which nothing happened costs three requests at most: %s', async (_, rows) => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, rows, served(6));
  await using other = await aShopOf(db, few, served(6));
  for (const one of [shop, other]) await firstLoad(one);
  const checked = () =>
    db.rows(
      'select stream, check_name, expected, found, ok from ops.completeness where brand_id = $1 order by 1, 2',
      [shop.brandId],
    );
  const [before] = [await checked()];
  for (const hour of [7, 8]) {
    const earlier = (await shop.asked()).length;
    const tally = await shop.syncAll(at(hour));
    const asked = (await shop.asked()).slice(earlier);
    expect(asked.length, asked.join(', ')).toBeLessThanOrEqual(3);
    expect(tally).toMatchObject({ read: hour === 7 ? tally.read : 0, changed: 0 });
    expect(tally).not.toHaveProperty('incomplete');
    for (const { stream, state, complete_to, last_success_at } of await statesOf(db, shop)) {
      expect({ stream, state, last_success_at }).toEqual({
        ...{ stream, state: 'ok', last_success_at: new Date(at(hour).now) },
      });
      if (stream !== 'shopify.shop') expect(complete_to).toEqual(new Date(Date.parse(at(hour).now) - 60_000));
    }
  }
  const found = (await checked()).filter(({ check_name }) => String(check_name).endsWith('in all'));
  expect(found).toEqual(before.filter(({ check_name }) => String(check_name).endsWith('in all')));
  expect(
    (await statesOf(db, other)).every(
      ({ last_success_at }) => last_success_at.getTime() === Date.parse(at(6).now),
    ),
  ).toBe(true);
});

test('after a change of each kind a run for all streams ends as runs of each stream do', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await using alike = await aShopOf(db, few, served(6));
  for (const one of [shop, alike]) await firstLoad(one);
  const next = {
    'orders.ndjson': [order(1, '01:00', { customer: { id: 7 } }), order(3, '06:30')],
    'customers.ndjson': [
      { id: 7, updatedAt: '2026-11-20T06:20:00Z', state: 'ENABLED' },
      { id: 8, updatedAt: '2026-11-20T06:40:00Z' },
    ],
    'products.ndjson': [
      {
        ...{ id: 100, updatedAt: '2026-11-20T01:00:00Z' },
        variants: [
          { id: 101, inventoryItem: { id: 102, updatedAt: '2026-11-20T06:25:00Z', unitCost: '3.00' } },
        ],
      },
    ],
    'events.ndjson': [
      { action: 'destroy', subjectId: 'gid://shopify/Order/2', createdAt: '2026-11-20T06:45:00Z' },
    ],
  };
  for (const one of [shop, alike]) await one.serve(next, served(7, { zone: 'America/Chicago' }));
  const tally = await shop.syncAll(at(7));
  expect(tally).not.toHaveProperty('incomplete');
  for (const stream of STREAMS) await alike.sync(stream, at(7));
  const stored = async ({ brandId }: ShopUnderTest) => {
    const tables = [
      'orders',
      'order_lines',
      'customers',
      'products',
      'variants',
      'inventory_levels',
      'shops',
    ];
    const all: Record<string, unknown> = {};
    for (const name of tables)
      all[name] = await db.column(
        `select (to_jsonb(t) - 'brand_id' - 'connection_id' - 'seen_at')::text from raw.shopify_${name} t
         where brand_id = $1 order by 1`,
        [brandId],
      );
    return all;
  };
  expect(await stored(shop)).toEqual(await stored(alike));
  const states = async (one: ShopUnderTest) =>
    (await statesOf(db, one)).map(({ stream, state, complete_to }) => ({ stream, state, complete_to }));
  expect(await states(shop)).toEqual(await states(alike));
  expect((await states(shop)).every(({ state }) => state === 'ok')).toBe(true);
});

test('what changed in the last minutes before a run comes in the next window again, and is not read again', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  const product = { id: 100, updatedAt: '2026-11-20T06:57:00Z' };
  const stocked = { id: 102, updatedAt: '2026-11-20T06:57:30Z', unitCost: '3.00' };
  const next = {
    'orders.ndjson': [...few['orders.ndjson'], order(3, '06:56', { customer: { id: 7 } })],
    'customers.ndjson': [{ id: 7, updatedAt: '2026-11-20T06:56:00Z', state: 'ENABLED' }],
    'products.ndjson': [{ ...product, variants: [{ id: 101, inventoryItem: stocked }] }],
    'events.ndjson': [
      { action: 'destroy', subjectId: 'gid://shopify/Product/9', createdAt: '2026-11-20T06:56:30Z' },
    ],
  };
  await shop.serve(next, served(7));
  expect(await shop.syncAll(at(7))).toMatchObject({ read: 4 });
  for (const hour of [8, 9]) {
    const earlier = (await shop.asked()).length;
    expect(await shop.syncAll(at(hour))).toMatchObject({ read: 0, quiet: STREAMS.length });
    expect((await shop.asked()).slice(earlier)).toEqual(['Access', 'Look']);
  }
  // One that shows up late, and one that changed again within the same minutes, are new.
  const late = { ...next, 'orders.ndjson': [...next['orders.ndjson'], order(4, '08:58')] };
  await shop.serve(late, served(10));
  expect(await shop.syncAll(at(10))).toMatchObject({ read: 1 });
  const again = {
    ...late,
    'orders.ndjson': [...late['orders.ndjson'], order(4, '09:57', { name: 'again' })],
  };
  await shop.serve(again, served(11));
  expect(await shop.syncAll(at(11))).toMatchObject({ read: 1 });
  expect(await db.column("select name from raw.shopify_orders where id = '4'")).toEqual(['again']);
});

test('a window of which Shopify counts more than it lists is not complete, and is read until all came', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await using other = await aShopOf(db, few, served(6));
  for (const one of [shop, other]) await firstLoad(one);
  const late = [3, 4].map((id) => order(id, '06:30'));
  for (const one of [shop, other])
    await one.serve({ ...few, 'orders.ndjson': [...few['orders.ndjson'], ...late] }, served(8));
  const ids = late.map(({ id }) => `gid://shopify/Order/${id}`);
  await shop.faults({ kind: 'late_rows', ids, seconds: 3_600, counted: true });
  expect(await other.syncAll(at(8))).toMatchObject({ changed: 2 });
  for (const hour of [8, 9]) {
    expect(await shop.syncAll(at(hour))).toMatchObject({
      incomplete: expect.stringMatching(
        /shopify\.orders: Shopify counts 2 orders from 2026-11-20T05:54:00Z .* --full/,
      ),
    });
    const orders = (await statesOf(db, shop)).find(({ stream }) => stream === 'shopify.orders');
    expect(orders).toMatchObject({ state: 'partial', complete_to: new Date('2026-11-20T05:59:00Z') });
  }
  await shop.faults();
  expect(await shop.syncAll(at(10))).toMatchObject({ changed: 2 });
  const stored = 'select id from raw.shopify_orders where brand_id = $1 order by id';
  expect(await db.column(stored, [shop.brandId])).toEqual(['1', '2', '3', '4']);
  expect((await statesOf(db, shop)).every(({ state }) => state === 'ok')).toBe(true);
});

test('an order that changes after the look, and before its window is read, is not missing', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  const productsOf = [...few['products.ndjson'], { id: 200, updatedAt: '2026-11-20T06:30:00Z' }];
  const next = (updated: string) => ({
    ...few,
    'products.ndjson': productsOf,
    'orders.ndjson': [...few['orders.ndjson'], order(3, updated)],
  });
  await shop.serve(next('06:58'), served(7));
  let isChanged = false;
  // The first page that is stored is that of the products.
  const changing = aroundTransactions(db, async (transaction) => {
    const result = await transaction();
    const [products] = await db.column("select count(*)::int from raw.shopify_products where id = '200'");
    if (products === 1 && !isChanged) {
      isChanged = true;
      await shop.serve(next('07:00'), served(8));
    }
    return result;
  });
  expect(await shop.syncAll(at(7), changing)).not.toHaveProperty('incomplete');
  expect(isChanged).toBe(true);
  expect(await db.column("select id from raw.shopify_orders where id = '3'")).toEqual([]);
  expect(await shop.syncAll(at(8))).toMatchObject({ changed: 1 });
  expect((await statesOf(db, shop)).every(({ state }) => state === 'ok')).toBe(true);
});

test('an order that is missing is noticed by the count of a quiet hour, and of a shop that is always quiet each day', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  const lose = (id: string) => db.query('delete from raw.shopify_orders where id = $1', [id]);
  const missing = {
    incomplete: expect.stringContaining('shopify.orders: Shopify counts 2 orders in all, 1 is stored'),
  };
  await lose('2');
  expect(await shop.syncAll(at(7))).toMatchObject(missing);
  expect((await statesOf(db, shop)).filter(({ state }) => state !== 'ok')).toMatchObject([
    { stream: 'shopify.orders', state: 'partial' },
  ]);
  // Nothing is remembered of a count that failed: what mends it counts in the next run.
  await shop.sync('shopify.orders', {
    ...at(8),
    since: '2026-11-20T01:30:00Z',
    until: '2026-11-20T02:30:00Z',
  });
  expect(await shop.syncAll(at(9))).not.toHaveProperty('incomplete');
  await lose('2');
  expect(await shop.syncAll(at(10))).not.toHaveProperty('incomplete'); // nothing says that it is gone
  expect(await shop.syncAll({ now: '2026-11-21T09:00:00Z' })).toMatchObject(missing);
});
