import { expect, test } from 'vitest';
import { rejectRows } from '#sql/load/quarantine.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { requestSync } from '#tasks/request_sync.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShopOf, type ShopUnderTest } from '../support/providers/shopify.ts';
import { aRetailer } from '../support/rows/factory.ts';

const ORDERS = 'shopify.orders';
const NOW = new Date('2026-11-20T06:00:00Z');

const order = (id: number, more: object = {}) => ({
  ...{ id, processedAt: '2026-11-10T10:00:00Z' },
  lineItems: [{ id: id * 10, originalUnitPriceSet: '10.00' }],
  ...more,
});

/** A database in which something happens before each transaction of a job. */
function before(db: TestDb, act: (number: number) => Promise<void>): TestDb {
  let number = 0;
  return aroundTransactions(db, async (transaction) => {
    await act(++number);
    return transaction();
  });
}

test('a shop that gets another retailer while it is being read has its days rolled up for that one', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(1)] });
  const { brandId, connectionId } = shop;
  const { id: retailerId } = await aRetailer(db, { brandId });
  const move = () =>
    db.transaction((tx) => moveConnection(tx, { brandId, connectionId, retailerId, tables: [], now: NOW }));
  await shop.sync(
    ORDERS,
    {},
    before(db, async (number) => {
      if (number === 3) await move();
    }),
  );
  expect(await db.column('select distinct retailer_id from ops.marks')).toEqual([retailerId]);
  expect(
    await db.column(
      "select payload ->> 'retailerId' from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'rollup'",
    ),
  ).toEqual([retailerId]);
});

test('a window that is read again says nothing of how far the stream is', async () => {
  await using db = await freshDb();
  const rows = { 'orders.ndjson': [order(1), order(2)] };
  await using shop = await aShopOf(db, rows);
  await shop.sync(ORDERS);
  const state = () =>
    db.rows('select state, cause, last_run_at, last_success_at, position from ops.positions');
  await db.query("update ops.positions set state = 'partial', cause = 'one order is missing'");
  const stored = await state();
  const window = {
    since: '2026-11-10T00:00:00Z',
    until: '2026-11-11T00:00:00Z',
    now: '2026-11-20T08:00:00Z',
  };
  expect(await shop.sync(ORDERS, window)).toMatchObject({ read: 2, incomplete: null });
  expect(await state()).toEqual(stored);
  await shop.faults({ kind: 'status', status: 404 });
  await expect(shop.sync(ORDERS, window)).rejects.toMatchObject({ code: 'NS_ACCOUNT_NOT_FOUND' });
  expect(await state()).toEqual(stored);
});

function setAside(db: TestDb, { brandId, connectionId }: ShopUnderTest, key: string): Promise<void> {
  const rejection = { key, reason: 'a field is missing', payload: {} };
  return db.transaction((tx) => rejectRows(tx, { brandId, connectionId, stream: ORDERS }, [rejection]));
}

test('a stored order whose newer version is set aside counts once, so that a missing one is noticed', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(1), order(2)] });
  await shop.sync(ORDERS);
  await setAside(db, shop, '1');
  await db.query("delete from raw.shopify_orders where id = '2'");
  expect(await shop.sync(ORDERS)).toMatchObject({
    incomplete: expect.stringContaining('counts 2 orders in all, 1 is stored'),
  });
});

test('an order that is set aside and then deleted no longer keeps its stream from being whole', async () => {
  await using db = await freshDb();
  const event = { action: 'destroy', subjectId: 'gid://shopify/Order/1', createdAt: '2026-11-15T00:00:00Z' };
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(2)], 'events.ndjson': [event] });
  await setAside(db, shop, '1');
  expect(await shop.sync(ORDERS)).toMatchObject({ incomplete: expect.stringContaining('1 record could') });
  await shop.sync('shopify.deletions');
  expect(await shop.sync(ORDERS)).toMatchObject({ incomplete: null });
});

// The first order of a customer is found by comparing ids as numbers: one that is none would end every load.
test('an order whose id is not a number is set aside, and stops nothing', async () => {
  await using db = await freshDb();
  const customer = { id: 7 };
  const strange = order(0, { id: 'gid://shopify/Order/A2', customer });
  const rows = { 'orders.ndjson': [order(1, { customer }), strange], 'customers.ndjson': [customer] };
  await using shop = await aShopOf(db, rows);
  expect(await shop.sync(ORDERS)).toMatchObject({ changed: 1, rejected: 1 });
  expect(await db.rows('select row_key, reason from ops.rejected_rows')).toEqual([
    { row_key: 'A2', reason: 'id: "A2" is not a number' },
  ]);
});

const isRollupDue = (db: TestDb) =>
  db.column("select run_at <= now() from graphile_worker.jobs where task_identifier = 'rollup'");

// The last of the first loads on the queue sees to the figures.
test('the rollup of a first load waits for the others of the retailer, and not for those of another one', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order(1)] });
  await using other = await aShopOf(db, { 'orders.ndjson': [order(1)] });
  for (const { brandId, connectionId, streams } of [
    { ...shop, streams: [ORDERS, 'shopify.customers'] },
    { ...other, streams: ['shopify.products'] },
  ])
    for (const stream of streams)
      await db.transaction((tx) => requestSync(tx, { brandId, connectionId, stream }));
  await shop.sync(ORDERS);
  expect(await isRollupDue(db)).toEqual([false]);
  await shop.sync('shopify.customers');
  expect(await isRollupDue(db)).toEqual([true]);
});

const JOB = 'from ops.positions p where p.first_load_job = j.id';

test.each([
  ['is dead', `update graphile_worker._private_jobs j set attempts = max_attempts ${JOB}`],
  [
    'rests until tomorrow',
    `update graphile_worker._private_jobs j set run_at = now() + interval '1 day' ${JOB}`,
  ],
  [
    'was taken off the queue',
    `delete from graphile_worker._private_jobs j using ops.positions p where p.first_load_job = j.id`,
  ],
])(
  'the rollup of a first load does not wait for a stream whose job %s, until it is queued again',
  async (_, lose) => {
    await using db = await freshDb();
    await using shop = await aShopOf(db, { 'orders.ndjson': [order(1)], 'customers.ndjson': [{ id: 7 }] });
    const { brandId, connectionId } = shop;
    const queueCustomers = () =>
      db.transaction((tx) =>
        requestSync(tx, { brandId, connectionId, stream: 'shopify.customers' }, { keyMode: 'replace' }),
      );
    await queueCustomers();
    await db.query(lose);
    await shop.sync(ORDERS);
    expect(await isRollupDue(db)).toEqual([true]);
    const again = await queueCustomers();
    const named = "select first_load_job from ops.positions where stream = 'shopify.customers'";
    expect(await db.column(named)).toEqual([Number(again)]);
  },
);
