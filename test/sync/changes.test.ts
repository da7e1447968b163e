import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { post } from '../support/providers/sandbox.ts';
import { aShopOf, dyingAfter, ordersIn } from '../support/providers/shopify.ts';

const ORDERS = 'shopify.orders';
const at = (text: string) => ({ now: `2026-11-20T${text}Z` });
const served = (text: string) => ({
  scenario: {
    now: `2026-11-20T${text}Z`,
    shops: { acme: { token: 'shpat_acme', currency: 'USD', zone: 'America/New_York' } },
  },
});

function order(id: number, updated: string, more: object = {}) {
  const lineItems = [{ id: id * 10, originalUnitPriceSet: '10.00' }];
  return { id, processedAt: '2026-11-10T10:00:00Z', updatedAt: `2026-11-20T${updated}Z`, lineItems, ...more };
}

const names = (db: TestDb) =>
  db.column('select name from raw.shopify_orders where deleted_at is null order by length(id), id');
const positionOf = (db: TestDb) =>
  db
    .column("select position ->> 'changesTo' from ops.positions")
    .then(([value]) => String(value).slice(11, 19));

const old = [order(1, '01:00:00'), order(2, '02:00:00')];

test('a change comes with the next sync, and only then do its days become dirty', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await db.query('delete from ops.marks');
  await shop.serve(
    { 'orders.ndjson': [...old, order(2, '06:30:00', { name: 'changed' }), order(3, '06:40:00')] },
    served('07:00:00'),
  );
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({ read: 2, changed: 2, incomplete: null });
  expect(await names(db)).toEqual(['#1', 'changed', '#3']);
  expect(await db.column('select distinct day from ops.marks')).toEqual(['2026-11-10']);
  expect(await positionOf(db)).toBe('06:59:00');
});

test('windows reach back, so that what Shopify shows late is not lost', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.sync(ORDERS, at('06:30:00'));
  // Changed at 06:26, which the window before has passed, but Shopify's index had it later.
  await shop.serve({ 'orders.ndjson': [...old, order(3, '06:26:00')] }, served('07:00:00'));
  await shop.sync(ORDERS, at('07:00:00'));
  expect(await names(db)).toEqual(['#1', '#2', '#3']);
});

test('what is being written at this moment is left for the next window', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.serve({ 'orders.ndjson': [...old, order(3, '06:59:30')] }, served('07:00:00'));
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({ read: 0, incomplete: null });
  await shop.serve({ 'orders.ndjson': [...old, order(3, '06:59:30')] }, served('07:05:00'));
  expect(await shop.sync(ORDERS, at('07:05:00'))).toMatchObject({ read: 1, changed: 1 });
});

test('an object that no window brought is missed in the end, and the sync says so', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.serve({ 'orders.ndjson': [...old, order(3, '03:00:00')] }, served('07:00:00'));
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({
    incomplete: 'Shopify counts 3 orders in all, 2 are stored: sync everything again with --full',
  });
  expect(await shop.sync(ORDERS, { ...at('07:00:00'), full: true })).toMatchObject({
    changed: 1,
    incomplete: null,
  });
  expect(await names(db)).toEqual(['#1', '#2', '#3']);
});

test('an older version that comes later changes nothing', async () => {
  await using db = await freshDb();
  const versions = [order(1, '06:30:00', { name: 'older' }), order(1, '06:40:00', { name: 'newer' })];
  await using shop = await aShopOf(db, { 'orders.ndjson': versions }, served('07:00:00'));
  await shop.sync(ORDERS, at('07:00:00'));
  await shop.faults({ kind: 'older_version', match: 'OrdersPage', count: 0 });
  expect(await shop.sync(ORDERS, { ...at('07:00:00'), since: '2026-11-20T06:00:00Z' })).toMatchObject({
    read: 1,
    stale: 1,
    changed: 0,
  });
  expect(await names(db)).toEqual(['newer']);
});

const hundreds = Array.from({ length: 120 }, (_, i) =>
  order(
    i + 1,
    `06:${String(10 + Math.floor(i / 4)).padStart(2, '0')}:${String((i % 4) * 15).padStart(2, '0')}`,
  ),
);

async function whole(): Promise<unknown> {
  await using db = await freshDb();
  await using shop = await aShopOf(
    db,
    { 'orders.ndjson': [...old, ...hundreds.slice(2)] },
    served('07:00:00'),
  );
  await shop.sync(ORDERS, at('07:00:00'));
  return await ordersIn(db);
}

test.each([
  ['pages that come twice', [{ kind: 'repeat_page', count: 2 }]],
  ['pages in disorder', [{ kind: 'reorder_page', count: 0 }]],
  ['a cursor that is over', [{ kind: 'expired_cursor', count: 1 }]],
  [
    '429 and 503',
    [
      { kind: 'status', status: 429, retryAfter: 0.1, count: 2 },
      { kind: 'status', status: 503, after: 4, count: 2 },
    ],
  ],
  [
    'resets and cuts',
    [
      { kind: 'reset', count: 2, after: 1 },
      { kind: 'cut', bytes: 500, after: 2, count: 2 },
    ],
  ],
  ['an empty bucket', [{ kind: 'throttled', count: 2 }]],
])('%s leave the same rows', async (_, faults) => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.serve({ 'orders.ndjson': [...old, ...hundreds.slice(2)] }, served('07:00:00'));
  await shop.faults(...faults);
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({ changed: 118, incomplete: null });
  expect(await ordersIn(db)).toEqual(await whole());
});

test('a page that comes again and again is not taken for the end', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.serve({ 'orders.ndjson': [...old, ...hundreds.slice(2)] }, served('07:00:00'));
  await shop.faults({ kind: 'repeat_page', count: 0 });
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({
    incomplete: expect.stringContaining('118 orders from'),
  });
  expect(await db.column('select state from ops.positions')).toEqual(['partial']);
  expect(await positionOf(db)).toBe('05:59:00'); // the window is read again
  await post(shop.sandbox, 'reset', {});
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({ incomplete: null });
  expect(await ordersIn(db)).toEqual(await whole());
});

test('a sync that dies between pages goes on behind the last stored one', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.serve({ 'orders.ndjson': [...old, ...hundreds.slice(2)] }, served('07:00:00'));
  await expect(shop.sync(ORDERS, at('07:00:00'), dyingAfter(db, 3))).rejects.toThrow();
  const [stored] = await db.column('select count(*)::int from raw.shopify_orders');
  expect(stored).toBe(102);
  // The last object of a page is asked for again, because others may have its very instant.
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({ read: 19, incomplete: null });
  expect(await ordersIn(db)).toEqual(await whole());
});

test('a page that is too dear is asked for in halves', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': old }, served('06:00:00'));
  await shop.sync(ORDERS, at('06:00:00'));
  await shop.serve({ 'orders.ndjson': [...old, ...hundreds.slice(2, 20)] }, served('07:00:00'));
  await shop.faults({ kind: 'status', status: 504, retryAfter: 0, match: '"first":50', count: 0 });
  expect(await shop.sync(ORDERS, at('07:00:00'))).toMatchObject({ changed: 18, incomplete: null });
});

test('a window can be read again without moving the position', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': hundreds }, served('07:00:00'));
  await shop.sync(ORDERS, at('07:00:00'));
  await db.query('delete from raw.shopify_orders where id::int <= 20');
  const window = { since: '2026-11-20T06:12:00Z', until: '2026-11-20T06:13:00Z' };
  expect(await shop.sync(ORDERS, { ...at('08:00:00'), ...window })).toMatchObject({
    read: 5,
    changed: 5,
    incomplete: null,
  });
  expect(await positionOf(db)).toBe('06:59:00');
  expect(await db.column('select id from raw.shopify_orders where id::int <= 20 order by id')).toEqual([
    '10',
    '11',
    '12',
    '13',
    '9',
  ]);
});

// More children than a page holds: lines, agreements, and sales in one of them.
test('an order that is too long for a page comes whole', async () => {
  await using db = await freshDb();
  const lineItems = Array.from({ length: 600 }, (_, i) => ({ id: i + 1, originalUnitPriceSet: '1.00' }));
  const refunds = Array.from({ length: 7 }, (_, i) => ({
    createdAt: `2026-11-1${i}T00:00:00Z`,
    refundLineItems: [{ lineItem: i + 1 }],
  }));
  const long = order(1, '06:30:00', { lineItems, refunds });
  await using shop = await aShopOf(db, { 'orders.ndjson': [long] }, served('07:00:00'));
  await shop.sync(ORDERS, at('07:00:00'));
  const inBulk = await ordersIn(db);
  expect(inBulk.sales).toHaveLength(607);

  await using other = await freshDb();
  await using paged = await aShopOf(other, { 'orders.ndjson': [long] }, served('07:00:00'));
  expect(await paged.sync(ORDERS, { ...at('07:00:00'), since: '2026-11-20T06:00:00Z' })).toMatchObject({
    read: 1,
    rejected: 0,
  });
  expect(await ordersIn(other)).toEqual(inBulk);
});

test('a product with more variants than a page holds comes whole', async () => {
  const variants = Array.from({ length: 130 }, (_, i) => ({
    id: i + 1,
    title: `V${i}`,
    inventoryItem: { id: i + 1, updatedAt: '2026-11-20T06:00:00Z' },
  }));
  const product = {
    id: 1,
    title: 'Many',
    createdAt: '2026-01-01T00:00:00Z',
    updatedAt: '2026-11-20T06:30:00Z',
    variants,
  };
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'products.ndjson': [product] }, served('07:00:00'));
  expect(
    await shop.sync('shopify.products', { ...at('07:00:00'), since: '2026-11-20T06:00:00Z' }),
  ).toMatchObject({ rejected: 0 });
  expect(await db.column('select count(*)::int from raw.shopify_variants')).toEqual([130]);
});

test('stock and costs that change without their product come with the next sync', async () => {
  const item = (cost: string, available: number, updatedAt: string) => ({
    ...{ id: 7, updatedAt, unitCost: { amount: cost, currencyCode: 'USD' } },
    inventoryLevels: [{ location: 1, updatedAt, quantities: [{ name: 'available', quantity: available }] }],
  });
  const product = (inventoryItem: object) => ({
    ...{ id: 1, title: 'Mug', createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z' },
    variants: [{ id: 5, title: 'One', inventoryItem }],
  });
  await using db = await freshDb();
  const before = product(item('4.00', 9, '2026-11-01T00:00:00Z'));
  await using shop = await aShopOf(db, { 'products.ndjson': [before] }, served('06:00:00'));
  await shop.sync('shopify.products', at('06:00:00'));
  const after = product(item('5.00', 3, '2026-11-20T06:30:00Z'));
  await shop.serve({ 'products.ndjson': [after] }, served('07:00:00'));
  expect(await shop.sync('shopify.products', at('07:00:00'))).toMatchObject({ changed: 1, incomplete: null });
  expect(await db.rows('select valid_from, cost from raw.shopify_costs order by valid_from')).toEqual([
    { valid_from: new Date('2026-11-01T00:00:00Z'), cost: '4' },
    { valid_from: new Date('2026-11-20T06:30:00Z'), cost: '5' },
  ]);
  expect(await db.column('select available from raw.shopify_inventory_levels')).toEqual([3]);
});
