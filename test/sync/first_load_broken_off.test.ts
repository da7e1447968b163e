/** A first load that is broken off, wherever that is: it goes on with the same operation to the same end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { inForm } from '../support/property.ts';
import { count, few, order } from '../support/providers/orders.ts';
import { NOW } from '../support/providers/sandbox.ts';
import { aShopOf, dyingAfter, ordersIn } from '../support/providers/shopify.ts';

const ORDERS = 'shopify.orders';
/** More lines than fit into two batches. */
const many = Array.from({ length: 300 }, (_, i) => order(i + 1, 25));

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
