/** One run for all streams of a shop that is refused, breaks off or dies: it ends as single runs do. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { at, few, firstLoad, order, STREAMS, served, statesOf } from '../support/providers/shop_account.ts';
import { aShopOf, dyingAfter } from '../support/providers/shopify.ts';

test('a look that Shopify refuses is asked for one by one, and one stream that fails stops no other', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  await shop.serve({ ...few, 'orders.ndjson': [...few['orders.ndjson'], order(3, '06:30')] }, served(7));
  await shop.faults(
    { kind: 'status', status: 400, match: 'query Look', count: 0 },
    { kind: 'status', status: 400, match: 'CustomersCount', count: 0 },
  );
  const tally = await shop.syncAll(at(7));
  expect(tally).not.toHaveProperty('warning'); // nobody has to act
  expect(tally).toMatchObject({
    streams: { 'shopify.orders': { changed: 1 }, 'shopify.customers': { job: expect.any(String) } },
  });
  const bad = (await statesOf(db, shop)).filter(({ state }) => state !== 'ok');
  expect(bad).toMatchObject([{ stream: 'shopify.customers', state: 'failing' }]);
});

test('a look that breaks off is asked for again with the whole run, and moves no position', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  await shop.faults({ kind: 'revoked_key', after: 1, count: 0 });
  await expect(shop.syncAll(at(7))).rejects.toMatchObject({ code: 'NS_CREDENTIALS_REJECTED' });
  const held = await db.column('select held_code from app.connections where id = $1', [shop.connectionId]);
  expect(held).toEqual(['NS_CREDENTIALS_REJECTED']);
  expect(
    await db.column("select count(*)::int from graphile_worker.jobs where task_identifier = 'sync_stream'"),
  ).toEqual([0]);
  const upTo =
    "select distinct (position ->> 'changesTo')::timestamptz from ops.positions where position ? 'changesTo'";
  expect(await db.column(upTo)).toEqual([new Date(Date.parse(at(6).now) - 60_000)]);
});

test('a backfill that fell back to pages goes on in a job of its own, and so do changes of many days', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await using other = await aShopOf(db, few, served(6));
  for (const one of [shop, other]) await firstLoad(one);
  const fallback = { changesTo: '2000-01-01T00:00:00.000Z', catchingUp: 'a request' };
  const setPosition = `update ops.positions set position = $3 where brand_id = $1 and stream = $2`;
  await db.query(setPosition, [shop.brandId, 'shopify.orders', fallback]);
  const days = { changesTo: '2026-11-16T06:00:00.000Z' };
  await db.query(setPosition, [shop.brandId, 'shopify.products', days]);
  for (const one of [shop, other]) await one.syncAll(at(7));
  const jobs = await db.column(
    `select payload ->> 'stream' from graphile_worker._private_jobs
     where payload ->> 'stream' is not null and payload ->> 'connectionId' = $1 order by 1`,
    [shop.connectionId],
  );
  expect(jobs).toEqual(['shopify.orders', 'shopify.products']);
  const all = "select count(*)::int from graphile_worker.jobs where task_identifier = 'sync_stream'";
  expect(await db.column(all)).toEqual([2]);
  for (const stream of ['shopify.orders', 'shopify.products']) await shop.sync(stream, at(7));
  expect(await shop.syncAll(at(8))).toMatchObject({ quiet: STREAMS.length });
});

test('a run that dies at any commit goes on behind what is stored', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, few, served(6));
  await firstLoad(shop);
  const next = {
    ...few,
    'orders.ndjson': [...few['orders.ndjson'], order(3, '06:30')],
    'customers.ndjson': [...few['customers.ndjson'], { id: 8, updatedAt: '2026-11-20T06:40:00Z' }],
  };
  await shop.serve(next, served(7));
  for (let commits = 0; ; commits++) {
    const ended = await shop.syncAll(at(7), dyingAfter(db, commits)).then(
      () => true,
      () => false,
    );
    if (ended) break;
    expect(commits).toBeLessThan(30);
  }
  expect(await db.column('select id from raw.shopify_orders order by id')).toEqual(['1', '2', '3']);
  expect(await db.column('select id from raw.shopify_customers order by id')).toEqual(['7', '8']);
  expect((await statesOf(db, shop)).every(({ state }) => state === 'ok')).toBe(true);
});
