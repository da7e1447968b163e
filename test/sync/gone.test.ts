/** Orders that vanish from a shop without any event that tells of it. */
import { expect, test } from 'vitest';
import { rejectRows } from '#sql/load/quarantine.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShopOf } from '../support/providers/shopify.ts';

const ORDERS = 'shopify.orders';
const DELETIONS = 'shopify.deletions';

const order = (id: number, day = '2026-11-10') => ({
  ...{ id, processedAt: `${day}T10:00:00Z` },
  lineItems: [{ id: id * 10, originalUnitPriceSet: '10.00' }],
});

const here = (db: TestDb) =>
  db.column('select id from raw.shopify_orders where deleted_at is null order by id');

test('an order that is gone without an event keeps the sync from being whole; a full one deletes it', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(1, '2026-11-09'), order(2)] });
  await shop.sync(ORDERS);
  expect(await shop.sync(DELETIONS)).toMatchObject({ deleted: 0, incomplete: null });
  await shop.serve({ 'orders.ndjson': [order(2)] });
  await db.query('delete from ops.marks');
  expect(await shop.sync(DELETIONS)).toMatchObject({
    ...{ deleted: 0, incomplete: '2 orders are stored, Shopify counts 1: sync deletions again with --full' },
  });
  expect(await here(db)).toEqual(['1', '2']);

  expect(await shop.sync(DELETIONS, { full: true })).toMatchObject({ deleted: 1, incomplete: null });
  expect(await here(db)).toEqual(['2']);
  expect(await db.column('select distinct day from ops.marks')).toEqual(['2026-11-09']);
  expect(await shop.sync(DELETIONS)).toMatchObject({ deleted: 0, incomplete: null });
});

const deletedAt = (createdAt: string) => ({
  'orders.ndjson': [order(2)],
  'events.ndjson': [{ action: 'destroy', subjectId: 'gid://shopify/Order/1', createdAt }],
});
const hour = (text: string) => ({ now: `2026-11-20T${text}Z` });
const servedAt = (text: string) => ({
  scenario: { ...hour(text), shops: { acme: { token: 'shpat_acme' } } },
});

test('an order that was counted as gone before its event came is so no more', async () => {
  await using db = await freshDb();
  const rows = { 'orders.ndjson': [order(1), order(2)] };
  await using shop = await aShopOf(db, rows, servedAt('06:00:00'));
  await shop.sync(ORDERS, hour('06:00:00'));
  await shop.sync(DELETIONS, hour('06:00:00'));
  await shop.serve({ 'orders.ndjson': [order(2)] }, servedAt('07:00:00'));
  expect(await shop.sync(DELETIONS, hour('07:00:00'))).toMatchObject({
    incomplete: expect.stringContaining('2 orders are stored, Shopify counts 1'),
  });
  await shop.serve(deletedAt('2026-11-20T07:00:00Z'), servedAt('08:00:00'));
  expect(await shop.sync(DELETIONS, hour('08:00:00'))).toMatchObject({ deleted: 1, incomplete: null });
  expect(await db.column('select check_name from ops.completeness where not ok')).toEqual([]);
});

test('an order that was deleted in the last minute does not make the run incomplete', async () => {
  await using db = await freshDb();
  const rows = { 'orders.ndjson': [order(1), order(2)] };
  await using shop = await aShopOf(db, rows, servedAt('06:00:00'));
  await shop.sync(ORDERS, hour('06:00:00'));
  await shop.sync(DELETIONS, hour('06:00:00'));
  await shop.serve(deletedAt('2026-11-20T06:59:30Z'), servedAt('07:00:00'));
  expect(await shop.sync(DELETIONS, hour('07:00:00'))).toMatchObject({ deleted: 0, incomplete: null });
  await shop.serve(deletedAt('2026-11-20T06:59:30Z'), servedAt('08:00:00'));
  expect(await shop.sync(DELETIONS, hour('08:00:00'))).toMatchObject({ deleted: 1, incomplete: null });
  expect(await here(db)).toEqual(['2']);
});

test('many stored orders are asked for page by page, and what was set aside with them', async () => {
  await using db = await freshDb();
  const orders = Array.from({ length: 260 }, (_, index) => order(index + 1));
  await using shop = await aShopOf(db, { 'orders.ndjson': orders });
  await shop.sync(ORDERS);
  await db.transaction((tx) =>
    rejectRows(tx, { ...shop, stream: ORDERS }, [{ key: '999', reason: 'none', payload: {} }]),
  );
  await shop.serve({ 'orders.ndjson': orders.slice(0, -1) });
  expect(await shop.sync(DELETIONS, { full: true })).toMatchObject({ deleted: 1, incomplete: null });
  expect(await here(db)).toHaveLength(259);
  expect(await db.column('select row_key from ops.rejected_rows')).toEqual([]);
  expect((await shop.asked()).filter((name) => name === 'NodesById')).toHaveLength(2);
});

test('what Shopify merely hides is not taken for gone', async () => {
  await using db = await freshDb();
  const rows = { 'orders.ndjson': [order(1, '2026-01-10'), order(2)] };
  await using shop = await aShopOf(db, rows);
  await shop.sync(ORDERS);
  await shop.serve(rows, { shop: { scopes: ['read_orders', 'read_customers', 'read_products'] } });
  expect(await shop.sync(DELETIONS, { full: true })).toMatchObject({ deleted: 0 });
  expect(await here(db)).toEqual(['1', '2']);
});
