/** A scope that the key lacks fails the streams that need it, and stops no other one. */
import { expect, test } from 'vitest';
import { acceptCheck } from '#sql/load/checks.ts';
import { saveScopes } from '#sql/tenants/account_facts.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { at, few, firstLoad, order, STREAMS, served } from '../support/providers/shop_account.ts';
import { aShopOf, type ShopUnderTest } from '../support/providers/shopify.ts';

const PRODUCTS = 'shopify.products';
/** Only products need inventory. */
const scopes = ['read_orders', 'read_all_orders', 'read_customers', 'read_products'];
const DENIED = expect.stringMatching(/^Shopify denies what needs read_inventory: grant it/);

const failing = (db: TestDb, { brandId }: ShopUnderTest) =>
  db.rows('select stream, check_name, cause from ops.completeness where brand_id = $1 and not ok', [brandId]);
const FAILING = [{ stream: PRODUCTS, check_name: 'permission', cause: DENIED }];
const partial = (db: TestDb, { brandId }: ShopUnderTest) =>
  db.column("select stream from ops.positions where brand_id = $1 and state <> 'ok' order by stream", [
    brandId,
  ]);
const stored = (db: TestDb, table: string, { brandId }: ShopUnderTest) =>
  db.column(`select id from raw.shopify_${table} where brand_id = $1 order by id`, [brandId]);
/** As `connections check` leaves it. */
const checked = (db: TestDb, shop: ShopUnderTest, hour: number) =>
  db.transaction((tx) => saveScopes(tx, shop, scopes, new Date(at(hour).now)));
const HELD = 'select count(*)::int from app.connections where held_at is not null';

test('a shop that is loaded for the first time reads all else, and the stream once its scope is granted', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6, { scopes }));
  await using other = await aShopOf(db, few, served(6));
  for (const one of [shop, other]) await firstLoad(one);
  expect(await stored(db, 'orders', shop)).toEqual(['1', '2']);
  expect(await stored(db, 'products', shop)).toEqual([]);
  expect(await partial(db, shop)).toEqual([PRODUCTS]);
  expect(await failing(db, shop)).toEqual(FAILING);
  expect([await partial(db, other), await failing(db, other)]).toEqual([[], []]);
  expect(await stored(db, 'products', other)).toEqual(['100']);
  await shop.serve(few, served(7));
  expect(await shop.sync(PRODUCTS, at(7))).toMatchObject({ read: 1, incomplete: null });
  expect([await partial(db, shop), await failing(db, shop)]).toEqual([[], []]);
  expect(await stored(db, 'products', shop)).toEqual(['100']);
});

test('a shop whose streams were read goes on with the others, hour by hour', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  const more = { ...few, 'orders.ndjson': [...few['orders.ndjson'], order(3, '06:30')] };
  await shop.serve(more, served(7, { scopes }));
  for (const hour of [7, 8])
    expect(await shop.syncAll(at(hour))).toMatchObject({ streams: { [PRODUCTS]: { incomplete: DENIED } } });
  expect(await db.column(HELD)).toEqual([0]);
  expect(await stored(db, 'orders', shop)).toEqual(['1', '2', '3']);
  expect(await failing(db, shop)).toEqual(FAILING);
  // Objects that a webhook names move no position, so they leave the check to the run of the stream.
  expect(await shop.sync(PRODUCTS, { ids: ['100'] } as object)).toMatchObject({
    read: 0,
    incomplete: DENIED,
  });
  await shop.serve(more, served(9));
  await checked(db, shop, 9);
  expect(await shop.sync(PRODUCTS, { ids: ['100'] } as object)).toMatchObject({ read: 1 });
  expect(await failing(db, shop)).toEqual(FAILING);
  expect(await shop.syncAll(at(9))).not.toHaveProperty('incomplete');
  expect([await partial(db, shop), await failing(db, shop)]).toEqual([[], []]);
});

test('streams that never could be read cost a quiet hour nothing, and are read once the key was checked', async () => {
  await using db = await freshDb();
  const orders = { scopes: ['read_orders', 'read_all_orders'] };
  await using shop = await aShopOf(db, few, served(6, orders));
  await using other = await aShopOf(db, few, served(6, orders));
  for (const one of [shop, other]) await firstLoad(one);
  const lacking = await partial(db, shop);
  expect(lacking.length).toBeGreaterThan(1);
  await checked(db, shop, 5);
  const queued = () =>
    db.column(
      "select payload ->> 'stream' from graphile_worker._private_jobs where payload ->> 'stream' is not null",
    );
  const before = (await shop.asked()).length;
  expect(await shop.syncAll(at(7))).toMatchObject({ quiet: STREAMS.length });
  expect((await shop.asked()).slice(before)).toEqual(['Access', 'Look']);
  expect([await queued(), await partial(db, shop)]).toEqual([[], lacking]);
  for (const one of [shop, other]) await one.serve(few, served(8));
  await checked(db, shop, 8);
  for (const one of [other, shop]) await one.syncAll(at(8));
  expect((await queued()).sort()).toEqual(lacking.toSorted());
  for (const stream of lacking) await shop.sync(String(stream), at(8));
  expect([await partial(db, shop), await stored(db, 'products', shop)]).toEqual([[], ['100']]);
  expect(await partial(db, other)).toEqual(lacking);
});

test('a scope that the key is not to have is accepted by a person, until it is granted', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6, { scopes }));
  await firstLoad(shop);
  const { brandId, connectionId } = shop;
  const which = { brandId, connectionId, connection: 'acme', stream: PRODUCTS };
  await db.transaction((tx) => acceptCheck(tx, which, 'permission'));
  expect(await shop.sync(PRODUCTS, at(7))).toMatchObject({ incomplete: null });
  expect(await partial(db, shop)).toEqual([]);
  const left = `select count(*)::int from ops.completeness
    where stream = $1 and check_name = 'permission' and accepted_cause = cause`;
  expect(await db.column(left, [PRODUCTS])).toEqual([1]);
  await shop.serve(few, served(8));
  expect(await shop.sync(PRODUCTS, at(8))).toMatchObject({ read: 1, incomplete: null });
  expect(await db.column(left, [PRODUCTS])).toEqual([0]);
});
