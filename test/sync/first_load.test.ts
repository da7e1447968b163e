import { expect, test } from 'vitest';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { count, few, order } from '../support/providers/orders.ts';
import { post } from '../support/providers/sandbox.ts';
import { aShopOf, dyingAfter, ordersIn, type ShopUnderTest } from '../support/providers/shopify.ts';
import { testKeyring } from '../support/rows/factory.ts';
import { claimJob, runClaimed } from '../support/run.ts';

const ORDERS = 'shopify.orders';

test('a first load brings everything, in one bulk operation, and the rollup of its days', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  expect(await shop.sync(ORDERS)).toMatchObject({
    read: 12,
    changed: 12,
    rejected: 0,
    incomplete: null,
  });
  expect(await db.column('select count(*)::int from raw.shopify_order_lines')).toEqual([36]);
  expect(count(await shop.asked(), 'BulkRun')).toBe(1);
  expect(await db.rows('select state, cause, position from ops.positions')).toMatchObject([
    { state: 'ok', cause: null, position: { changesTo: '2026-11-20T05:59:00.000Z' } },
  ]);
  expect(await db.rows('select task_identifier, run_at <= now() as due from graphile_worker.jobs')).toEqual([
    { task_identifier: 'rollup', due: true },
  ]);
  expect(await db.column('select distinct ok from ops.completeness')).toEqual([true]);

  const versions = () =>
    db.rows(
      'select id, xmin::text from raw.shopify_orders union all select id, xmin::text from raw.shopify_sales order by 1, 2',
    );
  const before = await versions();
  expect(await shop.sync(ORDERS)).toMatchObject({ changed: 0 });
  expect(await shop.sync(ORDERS, { full: true })).toMatchObject({
    read: 12,
    changed: 0,
    unchanged: 12,
    days: 0,
  });
  expect(await versions()).toEqual(before);
});

/** A full sync that dies behind its bulk operation, with what changed meanwhile still to be read. Gives its job. */
async function aFullSyncThatCatchesUp(db: TestDb, shop: ShopUnderTest): Promise<string> {
  const catchingUp = async () =>
    (await db.column("select position ->> 'catchingUp' from ops.positions")).some((job) => job !== null);
  for (let at = 1; !(await catchingUp()); at++) {
    await db.query('delete from graphile_worker._private_jobs');
    await expect(shop.sync(ORDERS, { full: true }, dyingAfter(db, at))).rejects.toThrow();
  }
  const [id] = await db.column("select id from graphile_worker.jobs where task_identifier = 'sync_stream'");
  return String(id);
}

test('a full sync that is tried again does not repeat its bulk operation; another one does', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.sync(ORDERS);
  const operations = async () => count(await shop.asked(), 'BulkRun');
  const same = await aFullSyncThatCatchesUp(db, shop);
  expect(await operations()).toBe(2);
  const options = { services: testKeyring };
  expect(await runClaimed(syncStream, await claimJob(db, same), db, options)).toMatchObject({
    outcome: 'succeeded',
  });
  expect(await operations()).toBe(2);

  await aFullSyncThatCatchesUp(db, shop);
  const before = await operations();
  const another = { full: true, request: crypto.randomUUID() };
  expect(await shop.sync(ORDERS, another)).toMatchObject({ read: 12, unchanged: 12 });
  expect(await operations()).toBe(before + 1);
});

test('a lost answer to the start of an operation starts no second one', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'cut', bytes: 10, match: 'bulkOperationRunQuery' });
  expect(await shop.sync(ORDERS)).toMatchObject({ read: 12 });
  expect(count(await shop.asked(), 'BulkRun')).toBe(1);
});

test.each([
  ['canceled', { kind: 'bulk_canceled', lines: 20 }, 2],
  ['failed for being too large', { kind: 'bulk_failed', errorCode: 'TIMEOUT', lines: 20 }, 3],
  ['over before it was read', { kind: 'bulk_expired_url' }, 2],
])('an operation that is %s is not believed: another one is', async (_, fault, operations) => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults(fault);
  expect(await shop.sync(ORDERS)).toMatchObject({ changed: 12, incomplete: null });
  expect(await db.column('select count(*)::int from raw.shopify_orders')).toEqual([12]);
  expect(count(await shop.asked(), 'BulkRun')).toBe(operations);
});

test('an operation that is denied its data fails its stream and holds nothing', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'bulk_failed', errorCode: 'ACCESS_DENIED' });
  expect(await shop.sync(ORDERS)).toMatchObject({ incomplete: expect.stringContaining('ACCESS_DENIED') });
  expect(await db.column('select held_code from app.connections')).toEqual([null]);
  expect(await shop.sync(ORDERS)).toMatchObject({ changed: 12, incomplete: null }); // granted
});

test('a shop without orders is up to date, since nothing means no address and no objects', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, {});
  expect(await shop.sync(ORDERS)).toMatchObject({ read: 0, incomplete: null });
  expect(await db.column('select state from ops.positions')).toEqual(['ok']);
});

test('nothing at all where there was something is not believed', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.sync(ORDERS);
  await shop.serve({});
  expect(await shop.sync(ORDERS, { full: true })).toMatchObject({
    read: 0,
    incomplete: expect.stringContaining('no orders at all'),
  });
  expect(await db.column('select state from ops.positions')).toEqual(['partial']);
  expect(await db.column('select count(*)::int from raw.shopify_orders where deleted_at is null')).toEqual([
    12,
  ]);
  await shop.serve({ 'orders.ndjson': few });
  expect(await shop.sync(ORDERS, { full: true })).toMatchObject({ read: 12, incomplete: null });
});

test.each([
  ['cut', [{ kind: 'cut', on: 'download', bytes: 3000 }]],
  ['cut, by a server without ranges', [{ kind: 'cut', on: 'download', bytes: 3000 }, { kind: 'no_range' }]],
  ['refused with 503', [{ kind: 'status', status: 503, on: 'download' }]],
  ['reset', [{ kind: 'reset', on: 'download' }]],
])('a result that is %s is read again to its end', async (_, faults) => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults(...faults);
  expect(await shop.sync(ORDERS)).toMatchObject({ read: 12, incomplete: null });
  expect(await db.column('select count(*)::int from raw.shopify_order_lines')).toEqual([36]);
  expect(count(await shop.asked(), 'BulkRun')).toBe(1);
});

test('a result that is shorter than announced is not a success, and the next attempt asks anew', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'bulk_count', difference: 3 });
  await expect(shop.sync(ORDERS)).rejects.toMatchObject({ code: 'NS_BULK_RESULT_CUT', verdict: 'retry' });
  expect(await db.column('select state from ops.positions')).toEqual(['failing']);
  expect(await shop.sync(ORDERS)).toMatchObject({ read: 12, incomplete: null });
  expect(count(await shop.asked(), 'BulkRun')).toBe(2);
});

test.each([-3, 3])('a count that is wrong each time (by %i) ends in reading by pages', async (difference) => {
  await using whole = await freshDb();
  await using sound = await aShopOf(whole, { 'orders.ndjson': few });
  await sound.sync(ORDERS);
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'bulk_count', difference, count: 0 });
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(shop.sync(ORDERS)).rejects.toMatchObject({ verdict: 'retry' });
  }
  const tally = await shop.sync(ORDERS);
  expect(tally).toMatchObject({ incomplete: null });
  expect(tally).not.toHaveProperty('warning'); // nobody has to act
  expect(await ordersIn(db)).toEqual(await ordersIn(whole));
});

test('a full sync that reads by pages goes on with them when it is tried again', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.sync(ORDERS);
  await shop.faults({ kind: 'bulk_ungrouped', count: 0 });
  const same = await aFullSyncThatCatchesUp(db, shop);
  const operations = async () => count(await shop.asked(), 'BulkRun');
  const before = await operations();
  const options = { services: testKeyring };
  expect(await runClaimed(syncStream, await claimJob(db, same), db, options)).toMatchObject({
    ...{ outcome: 'succeeded', tally: { read: 12 } },
  });
  expect(await operations()).toBe(before);
});

test('a result whose children are scattered is read by pages instead', async () => {
  await using whole = await freshDb();
  await using sound = await aShopOf(whole, { 'orders.ndjson': few });
  await sound.sync(ORDERS);
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'bulk_ungrouped' });
  const tally = await shop.sync(ORDERS);
  expect(tally).toMatchObject({ incomplete: null });
  expect(tally).not.toHaveProperty('warning'); // nobody has to act
  expect(await ordersIn(db)).toEqual(await ordersIn(whole));
});

test('while all places for operations are taken the job waits without spending an attempt', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'bulk_slow', ms: 120_000, count: 0 });
  const { ask, SHOP, TOKEN } = await import('../support/providers/sandbox.ts');
  const run =
    'mutation { bulkOperationRunQuery(query: "{ products { edges { node { id } } } }") { bulkOperation { id } userErrors { code } } }';
  for (let place = 0; place < 5; place++) await ask(shop.sandbox, run, { shop: SHOP, token: TOKEN });
  await expect(shop.sync(ORDERS)).rejects.toMatchObject({
    code: 'NS_BULK_NOT_READY',
    verdict: 'retry',
    retryAfterMs: 60_000,
  });
  expect(await db.column('select state from ops.positions')).toEqual(['never']);
  await post(shop.sandbox, 'reset', {});
  await shop.serve({ 'orders.ndjson': few }); // another shop, without those operations
  expect(await shop.sync(ORDERS)).toMatchObject({ read: 12 });
});

// What changes while the load runs comes in the window behind it, and its newest version stays.
test('a change during the load is there afterwards', async () => {
  await using db = await freshDb();
  const later = order(1, 3, { name: 'later', updatedAt: '2026-11-20T05:58:30Z' });
  await using shop = await aShopOf(db, { 'orders.ndjson': [...few, later] });
  await shop.faults({ kind: 'older_version', match: 'BulkRun' });
  await shop.sync(ORDERS);
  expect(await db.column("select name from raw.shopify_orders where id = '1'")).toEqual(['later']);
});
