import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { inForm } from '../support/property.ts';
import { NOW, post } from '../support/providers/sandbox.ts';
import { aShopOf, dyingAfter, ordersIn, type ShopUnderTest } from '../support/providers/shopify.ts';
import { testKeyring } from '../support/rows/factory.ts';
import { claimJob, runClaimed } from '../support/run.ts';

const ORDERS = 'shopify.orders';

function order(id: number, lines = 1, more: object = {}) {
  const lineItems = Array.from({ length: lines }, (_, i) => ({
    id: id * 100 + i,
    originalUnitPriceSet: `${i + 1}.50`,
  }));
  const refunds =
    id % 3 === 0 ? [{ createdAt: '2026-11-05T00:00:00Z', refundLineItems: [{ lineItem: id * 100 }] }] : [];
  return {
    id,
    processedAt: `2026-11-0${(id % 4) + 1}T10:00:00Z`,
    customer: id % 7,
    lineItems,
    refunds,
    ...more,
  };
}

const few = Array.from({ length: 12 }, (_, i) => order(i + 1, 3));
/** More lines than fit into two batches. */
const many = Array.from({ length: 300 }, (_, i) => order(i + 1, 25));

const count = (names: string[], name: string) => names.filter((one) => one === name).length;

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

// Position and rows commit together, so dying before any commit must cost one batch and no more.
test('a load that dies before any of its commits goes on with the same operation to the same end', async () => {
  await using whole = await freshDb();
  await using sound = await aShopOf(whole, { 'orders.ndjson': many });
  const tally = await sound.sync(ORDERS);
  const expected = await ordersIn(whole);
  const commits = Number(tally.pages);
  expect(commits).toBeGreaterThan(6);

  const each = Array.from({ length: commits }, (_, at) => at);
  for (const at of inForm([0, commits >> 1, commits - 1], each)) {
    await using db = await freshDb();
    await using shop = await aShopOf(db, { 'orders.ndjson': many });
    await expect(shop.sync(ORDERS, {}, dyingAfter(db, at)), `dead before commit ${at}`).rejects.toThrow();
    const stored = await db.column('select count(*)::int from raw.shopify_orders');
    const { read } = await shop.sync(ORDERS);
    expect(Number(read) + Number(stored[0]), `read after commit ${at}`).toBe(many.length);
    expect(await ordersIn(db)).toEqual(expected);
    const asked = await shop.asked();
    expect(count(asked, 'BulkRun'), `operations after commit ${at}`).toBe(1);
  }
}, 240_000);

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

// While a load runs, rollups wait for a minute. The run that ends it may find nothing new to mark.
test('wherever a load is broken off, its end makes the rollup due', async () => {
  await using whole = await freshDb();
  await using sound = await aShopOf(whole, { 'orders.ndjson': few });
  const { pages } = await sound.sync(ORDERS);
  const each = Array.from({ length: Number(pages) - 1 }, (_, at) => at + 1);
  for (const at of inForm(each.slice(-2), each)) {
    await using db = await freshDb();
    await using shop = await aShopOf(db, { 'orders.ndjson': few });
    await expect(shop.sync(ORDERS, {}, dyingAfter(db, at)), `dead before commit ${at}`).rejects.toThrow();
    await shop.sync(ORDERS);
    const due = "select run_at <= now() from graphile_worker.jobs where task_identifier = 'rollup'";
    expect(await db.column(due), `broken off before commit ${at}`).toEqual([true]);
  }
});

test('a worker that is killed in the middle leaves nothing that the next one must undo', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': many });
  const { brandId, connectionId } = shop;
  const payload = JSON.stringify({ brandId, connectionId, stream: ORDERS, now: NOW });
  const program = join(import.meta.dirname, '../support/programs/sync.ts');
  const child = spawn(process.execPath, [program, db.url, payload], { stdio: 'ignore' });
  const ended = once(child, 'exit'); // from here on: a fast machine may be through before the signal
  await eventually(async () => {
    expect(await db.column('select 1 from raw.shopify_orders limit 1')).toEqual([1]);
  });
  child.kill('SIGKILL');
  await ended;
  await shop.sync(ORDERS);
  expect(await db.column('select count(*)::int from raw.shopify_orders')).toEqual([many.length]);
  expect(await db.column('select count(*)::int from raw.shopify_sales')).toEqual([
    many.length * 25 + many.length / 3,
  ]);
  expect(count(await shop.asked(), 'BulkRun')).toBe(1);
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

test('an operation that is denied its data holds the connection and names what is missing', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': few });
  await shop.faults({ kind: 'bulk_failed', errorCode: 'ACCESS_DENIED' });
  await expect(shop.sync(ORDERS)).rejects.toMatchObject({ code: 'NS_SCOPE_MISSING', verdict: 'hold' });
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
  expect(await shop.sync(ORDERS)).toMatchObject({
    warning: expect.stringContaining('keep contradicting themselves'),
    incomplete: null,
  });
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
  expect(await shop.sync(ORDERS)).toMatchObject({
    warning: expect.stringContaining('not grouped'),
    incomplete: null,
  });
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
