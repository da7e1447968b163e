import { expect, test } from 'vitest';
import { checkConnection } from '#connectors/providers.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { NOW } from '../support/providers/sandbox.ts';
import { aShopOf, type ShopUnderTest } from '../support/providers/shopify.ts';
import { aBrand, testKeyring, testSealer } from '../support/rows/factory.ts';

const ORDERS = 'shopify.orders';

const order = (id: number, more: object = {}) => ({
  ...{ id, processedAt: '2026-11-10T10:00:00Z' },
  lineItems: [{ id: id * 10, originalUnitPriceSet: '10.00' }],
  ...more,
});

test('two shops with the same ids in two brands do not touch each other', async () => {
  await using db = await freshDb();
  await using one = await aShopOf(db, { 'orders.ndjson': [order(1, { name: 'one' }), order(2)] });
  await using other = await aShopOf(db, { 'orders.ndjson': [order(1, { name: 'other' })] });
  await one.sync(ORDERS);
  await other.sync(ORDERS);
  const stored = await db.rows('select brand_id, id, name from raw.shopify_orders order by name');
  expect(stored).toEqual([
    { brand_id: one.brandId, id: '2', name: '#2' },
    { brand_id: one.brandId, id: '1', name: 'one' },
    { brand_id: other.brandId, id: '1', name: 'other' },
  ]);
  await one.serve({
    'orders.ndjson': [order(1), order(2)],
    'events.ndjson': [
      { action: 'destroy', subjectId: 'gid://shopify/Order/1', createdAt: '2026-11-15T00:00:00Z' },
    ],
  });
  await one.sync('shopify.deletions');
  expect(await db.rows('select brand_id from raw.shopify_orders where deleted_at is not null')).toEqual([
    { brand_id: one.brandId },
  ]);
});

test('two shops of one brand keep their rows apart too', async () => {
  await using db = await freshDb();
  const { id } = await aBrand(db);
  await using one = await aShopOf(db, { 'orders.ndjson': [order(1)] }, {}, id);
  await using other = await aShopOf(db, { 'orders.ndjson': [order(1)] }, {}, id);
  await one.sync(ORDERS);
  await other.sync(ORDERS);
  expect(await db.rows('select distinct connection_id, id from raw.shopify_sales')).toHaveLength(2);
});

test('deleted orders, products and customers become tombstones', async () => {
  await using db = await freshDb();
  const gone = (type: string, id: number) => ({
    action: 'destroy',
    subjectId: `gid://shopify/${type}/${id}`,
    createdAt: '2026-11-15T00:00:00Z',
  });
  const rows = {
    'orders.ndjson': [order(1), order(2)],
    'products.ndjson': [{ id: 5 }, { id: 6 }],
    'customers.ndjson': [{ id: 7 }, { id: 8 }],
  };
  await using shop = await aShopOf(db, rows);
  for (const stream of ['shopify.products', 'shopify.customers', ORDERS]) await shop.sync(stream);
  await shop.serve({
    ...rows,
    'events.ndjson': [gone('Order', 1), gone('Product', 5), gone('Customer', 7), gone('Collection', 9)],
  });
  await db.query('delete from ops.marks');
  expect(await shop.sync('shopify.deletions')).toMatchObject({ deleted: 3, incomplete: null });
  const left = (table: string) => db.column(`select id from raw.shopify_${table} where deleted_at is null`);
  expect([await left('orders'), await left('products'), await left('customers')]).toEqual([
    ['2'],
    ['6'],
    ['8'],
  ]);
  expect(await db.column('select distinct day from ops.marks where day is not null')).toEqual(['2026-11-10']);
  expect(
    await db.column("select position ->> 'changesTo' from ops.positions where stream = 'shopify.deletions'"),
  ).toEqual(['2026-11-20T05:59:00.000Z']);
  expect(await shop.sync('shopify.deletions')).toMatchObject({ deleted: 0 });
});

test('orders that Shopify hides in silence make a sync incomplete', async () => {
  await using db = await freshDb();
  const scopes = ['read_orders', 'read_customers', 'read_products'];
  const rows = { 'orders.ndjson': [order(1), order(2, { processedAt: '2026-01-01T00:00:00Z' })] };
  await using shop = await aShopOf(db, rows, { shop: { scopes } });
  expect(await shop.sync(ORDERS)).toMatchObject({
    read: 1,
    incomplete: expect.stringContaining('read_all_orders'),
  });
  expect(await db.rows('select state, cause from ops.positions')).toEqual([
    { state: 'partial', cause: expect.stringContaining('read_all_orders') },
  ]);
});

async function check(db: TestDb, { brandId, connectionId }: ShopUnderTest) {
  const connection = await openConnection(db, { brandId, connectionId }, testKeyring);
  return checkConnection(
    { connection, db, sealer: testSealer, signal: new AbortController().signal },
    new Date(NOW),
  );
}

test('a check says what a key may read and which streams lack what', async () => {
  await using db = await freshDb();
  await using whole = await aShopOf(db, {});
  expect(await check(db, whole)).toMatchObject({
    ...{ missing: [], warnings: [], apiVersion: '2026-10' },
    account: { domain: 'acme.myshopify.com', currency: 'USD', timeZone: 'America/New_York' },
  });
  await using poor = await aShopOf(db, {}, { shop: { scopes: ['read_orders', 'read_products'] } });
  expect(await check(db, poor)).toMatchObject({
    missing: [
      { stream: 'shopify.products', scopes: ['read_inventory'] },
      { stream: 'shopify.customers', scopes: ['read_customers'] },
      { stream: ORDERS, scopes: ['read_customers'] },
      { stream: 'shopify.deletions', scopes: ['read_customers'] },
    ],
    warnings: [expect.stringContaining('read_all_orders'), expect.stringContaining('read_locations')],
  });
});

test('what a run took is told: requests, bytes, rows', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(1), order(2)] });
  const tally = await shop.sync(ORDERS);
  expect(tally).toMatchObject({ read: 2, changed: 2, unchanged: 0, stale: 0, rejected: 0, rows: 8 });
  expect(Number(tally.requests)).toBe((await shop.asked()).length);
  expect(Number(tally.bytes)).toBeGreaterThan(1000);
  expect(await db.column("select tally ->> 'rows' from ops.job_runs")).toEqual(['8']);
});
