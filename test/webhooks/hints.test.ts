/** What a delivery leads to: the objects are asked for as they are now, and the figures follow. */
import { expect, test } from 'vitest';
import { tasks } from '#tasks/index.ts';
import { followDeliveries } from '#tasks/webhooks/follow_deliveries.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { booked } from '../support/money/money.ts';
import { aShopOf } from '../support/providers/shopify.ts';
import { charge, type Files } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { aWorker } from '../support/queue.ts';
import { aConnection } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import {
  APP_SECRET,
  aDoor,
  ENDPOINT_SECRET,
  fromShopify,
  fromStripe,
  giveSecret,
  send,
} from '../support/webhooks/door.ts';

const HOUR = 3_600;
const now = () => Math.floor(Date.now() / 1000);
const at = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 19);

/** A charge of two hours ago, and its refund if it has one. */
function money(refunded: boolean): Files {
  const created = now() - 2 * HOUR;
  const bookings = [
    booked({ id: 'txn_1', at: at(created), category: 'charge', amount: 10_000, fee: 170, source: 'ch_1' }),
    ...(refunded
      ? [booked({ id: 'txn_2', at: at(now() - 5), category: 'refund', amount: -4_000, source: 're_1' })]
      : []),
  ];
  const one = charge('ch_1', { amount: 10_000, currency: 'gbp', created });
  return {
    charges: [one, ...(refunded ? [{ ...one, amount_refunded: 4_000, _at: now() - 5 }] : [])],
    refunds: refunded
      ? [{ id: 're_1', charge: 'ch_1', amount: 4_000, currency: 'gbp', created: now() - 5 }]
      : [],
    balance_transactions: bookings,
  };
}

const payments = (db: TestDb, brandId: string) =>
  db.rows(
    `select sum(charge_amount)::int as charged, sum(refund_amount)::int as refunded
     from bi.daily_payments where brand_id = $1`,
    [brandId],
  );

test('a refund that is delivered is in the figures within seconds, by a worker that runs', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, money(false), real);
  await using other = await anAccountOf(db, money(false), real);
  for (const one of [account, other]) {
    for (const stream of ['charges', 'refunds', 'balance_transactions']) await one.sync(stream, real);
    await giveSecret(db, one, ENDPOINT_SECRET);
  }
  await using door = await aDoor(db);
  await using _ = await aWorker(db, { tasks });
  await eventually(async () => {
    expect(await payments(db, account.brandId)).toEqual([{ charged: 100, refunded: 0 }]);
    expect(await db.column('select count(*) from graphile_worker.jobs')).toEqual([0]);
  });
  await account.serve(money(true), real);
  await other.serve(money(true), real);
  const begunAt = performance.now();
  const event = fromStripe('charge.refunded', { id: 'ch_1', object: 'charge' });
  expect(await send(door, 'stripe', account.connectionId, event)).toBe(200);
  await eventually(async () =>
    expect(await payments(db, account.brandId)).toEqual([{ charged: 100, refunded: 40 }]),
  );
  console.log(`refund in bi.daily_payments after ${Math.round(performance.now() - begunAt)} ms`);
  expect(await payments(db, other.brandId)).toEqual([{ charged: 100, refunded: 0 }]);
  await eventually(async () => expect(await account.rows('refunds', 'id')).toEqual([{ id: 're_1' }])); // a job of its own
  await eventually(async () => expect(await db.column('select stream from ops.webhook_hints')).toEqual([]));
});

const real = { now: undefined };
const today = () => ({ now: new Date().toISOString() });
const live = {
  scenario: { shops: { acme: { token: 'shpat_acme', currency: 'USD', zone: 'America/New_York' } } },
};

const order = (name: string, updated: string) => ({
  ...{ id: 1, name, processedAt: '2026-11-10T10:00:00Z', updatedAt: `2026-11-20T${updated}Z` },
  lineItems: [{ id: 10, originalUnitPriceSet: '10.00' }],
});
const body = (name: string, updated: string) =>
  JSON.stringify({
    id: 1,
    admin_graphql_api_id: 'gid://shopify/Order/1',
    name,
    updated_at: `2026-11-20T${updated}Z`,
  });

test('an older version that is delivered behind a newer one changes nothing', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order('first', '01:00:00')] }, live);
  await shop.sync('shopify.orders', today());
  await giveSecret(db, shop, APP_SECRET);
  await using door = await aDoor(db);
  await shop.serve({ 'orders.ndjson': [order('third', '03:00:00')] }, live);
  const follow = () =>
    runTask(
      followDeliveries,
      { brandId: shop.brandId, connectionId: shop.connectionId, stream: 'shopify.orders' },
      db,
    );
  const names = () => db.rows('select name, changed_at, xmin::text from raw.shopify_orders');
  expect(
    await send(door, 'shopify', shop.connectionId, fromShopify('orders/updated', body('third', '03:00:00'))),
  ).toBe(200);
  expect(await follow()).toMatchObject({ hints: 1, changed: 1 });
  const before = await names();
  expect(before).toMatchObject([{ name: 'third' }]);
  expect(
    await send(door, 'shopify', shop.connectionId, fromShopify('orders/updated', body('second', '02:00:00'))),
  ).toBe(200);
  expect(await follow()).toMatchObject({ hints: 1, changed: 0 });
  expect(await names()).toEqual(before);
});

test('hints of a stream that was never read wait for its first load and are dropped', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order('first', '01:00:00')] }, live);
  await giveSecret(db, shop, APP_SECRET);
  await using door = await aDoor(db);
  await send(door, 'shopify', shop.connectionId, fromShopify('orders/updated', body('first', '01:00:00')));
  const which = { brandId: shop.brandId, connectionId: shop.connectionId, stream: 'shopify.orders' };
  expect(await runTask(followDeliveries, which, db)).toMatchObject({
    hints: 1,
    skipped: 'a first load is due',
  });
  expect(await shop.asked()).toEqual([]);
  expect(await db.column('select stream from ops.webhook_hints')).toEqual([]);
});

test('a hint that comes while its stream is read is followed by the next job', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order('first', '01:00:00')] }, live);
  await shop.sync('shopify.orders', today());
  await giveSecret(db, shop, APP_SECRET);
  await using door = await aDoor(db);
  const deliver = (name: string) =>
    send(door, 'shopify', shop.connectionId, fromShopify('orders/updated', body(name, '01:00:00')));
  await deliver('a');
  await shop.faults({ kind: 'slow', on: 'graphql', ms: 300 });
  const which = { brandId: shop.brandId, connectionId: shop.connectionId, stream: 'shopify.orders' };
  const running = runTask(followDeliveries, which, db);
  await new Promise((done) => setTimeout(done, 150));
  await deliver('b');
  await running;
  expect(await db.column('select object_id from ops.webhook_hints')).toEqual(['1']);
  expect(
    await db.column("select count(*) from ops.jobs where task = 'follow_deliveries' and state = 'waiting'"),
  ).not.toEqual([0]);
});

// The delivery alone holds nothing: its topic is not signed. What Shopify then answers does.
test('an app that is uninstalled holds its connection, by the answer to the next request', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order('first', '01:00:00')] }, live);
  await shop.sync('shopify.shop', today());
  await giveSecret(db, shop, APP_SECRET);
  await using door = await aDoor(db);
  const uninstalled = fromShopify('app/uninstalled', JSON.stringify({ id: 1, domain: 'acme.myshopify.com' }));
  const which = { brandId: shop.brandId, connectionId: shop.connectionId, stream: 'shopify.shop' };
  const held = () => db.column('select held_code from app.connections where id = $1', [shop.connectionId]);
  expect(await send(door, 'shopify', shop.connectionId, uninstalled)).toBe(200);
  await runTask(followDeliveries, which, db); // it is installed after all
  expect(await held()).toEqual([null]);
  await shop.faults({ kind: 'revoked_key', count: 0 });
  const again = { ...uninstalled, headers: { ...uninstalled.headers, 'x-shopify-webhook-id': 'another' } };
  expect(await send(door, 'shopify', shop.connectionId, again)).toBe(200);
  await db.query('update ops.webhook_hints set due_at = now()'); // it was read a moment ago
  await expect(runTask(followDeliveries, which, db)).rejects.toMatchObject({ verdict: 'hold' });
  expect(await held()).toEqual(['NS_CREDENTIALS_REJECTED']);
});

const jobs = (db: TestDb) =>
  db.rows(
    `select state, run_at > now() + interval '2 s' as later from ops.jobs where task = 'follow_deliveries' order by job_id`,
  );
const products = ({ brandId, connectionId }: { brandId: string; connectionId: string }) => ({
  ...{ brandId, connectionId, stream: 'shopify.products' },
});

test('what the provider lists only later is read then, also if its stream is read before', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, {}, live);
  await shop.sync('shopify.products', today());
  await giveSecret(db, shop, APP_SECRET);
  await using door = await aDoor(db);
  const deliver = (topic: string) => send(door, 'shopify', shop.connectionId, fromShopify(topic, '{"id":7}'));
  await deliver('inventory_items/update');
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: true }]);
  await deliver('products/update');
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: false }]);
  expect(await runTask(followDeliveries, products(shop), db)).toMatchObject({ hints: 1 });
  expect(await db.column('select object_id from ops.webhook_hints')).toEqual([null]);
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: true }]);
  await db.query('update ops.webhook_hints set due_at = now()');
  expect(await runTask(followDeliveries, products(shop), db)).toMatchObject({ hints: 1 });
  expect(await db.column('select number from ops.webhook_hints')).toEqual([]);
});

test('however many deliveries want its changes read, a stream is read once', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, {}, live);
  await shop.sync('shopify.products', today());
  await db.query(
    `insert into ops.webhook_hints (brand_id, connection_id, stream)
     select $1, $2, 'shopify.products' from generate_series(1, 600)`,
    [shop.brandId, shop.connectionId],
  );
  expect(await runTask(followDeliveries, products(shop), db)).toMatchObject({ hints: 600 });
  expect(await db.column('select number from ops.webhook_hints')).toEqual([]);
});

test('what cannot be followed rests, leaves no dead job for each delivery, and goes on once it can', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db);
  const gone = { brandId, connectionId, stream: 'shopify.of_another_release' };
  const again = () => db.query('update ops.webhook_trouble set retry_after = now()');
  for (let times = 0; times < 3; times++) {
    expect(await runTask(followDeliveries, gone, db)).toMatchObject({
      incomplete: expect.stringContaining('There is no stream'),
    });
    expect(await runTask(followDeliveries, gone, db)).toMatchObject({ skipped: 'it failed a moment ago' });
    await again();
  }
  expect((await jobs(db)).map(({ state }) => state)).toEqual(['waiting']);
  expect(await db.rows('select work, failures from ops.webhook_trouble')).toEqual([
    { work: gone.stream, failures: 3 },
  ]);
});

test('rows that were delivered are loaded while the connection is held, because nobody is asked for them', async () => {
  await using db = await freshDb();
  const account = { provider: 'sendgrid', account: 'acme', auth: 'key', secret: 'SG.a.b' };
  const { brandId, id: connectionId } = await aConnection(db, { ...account, baseUrl: 'http://127.0.0.1:9' });
  await db.query("update app.connections set held_at = now(), held_code = 'X', held_reason = 'x'");
  const stream = { brandId, connectionId, stream: 'sendgrid.events' };
  expect(await runTask(followDeliveries, { ...stream, rows: true }, db)).toMatchObject({ deliveries: 0 });
  await expect(runTask(followDeliveries, stream, db)).rejects.toThrow('held');
});

test('a booking that is named is fetched at once, and the ledger is read for it only some seconds after the last time', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, money(false), real);
  for (const stream of ['charges', 'refunds', 'balance_transactions']) await account.sync(stream, real);
  await giveSecret(db, account, ENDPOINT_SECRET);
  await using door = await aDoor(db);
  await account.serve(money(true), real);
  const { brandId, connectionId } = account;
  const follow = () =>
    runTask(followDeliveries, { brandId, connectionId, stream: 'stripe.balance_transactions' }, db);
  const refunded = () =>
    send(
      door,
      'stripe',
      connectionId,
      fromStripe('refund.created', {
        id: 're_1',
        object: 'refund',
        charge: 'ch_1',
        balance_transaction: 'txn_2',
      }),
    );
  expect(await refunded()).toBe(200);
  await db.query("update ops.webhook_hints set due_at = now() + interval '1 h' where object_id is null");
  expect(await follow()).toMatchObject({ hints: 1, changed: 1 });
  expect(await account.rows('balance_transactions', 'id')).toEqual([{ id: 'txn_1' }, { id: 'txn_2' }]);
  await db.query('update ops.webhook_hints set due_at = now()');
  expect(await follow()).toMatchObject({ hints: 1, changed: 0 }); // the ledger
  await refunded();
  expect(await follow()).toMatchObject({ hints: 1 });
  expect(
    await db.rows(
      `select object_id, due_at > now() as later from ops.webhook_hints where stream = 'stripe.balance_transactions'`,
    ),
  ).toEqual([{ object_id: null, later: true }]);
});
