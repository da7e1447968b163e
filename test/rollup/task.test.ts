/** The task: what it claims, what it leaves, and what happens when something comes in between. */
import { expect, test } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { lockRollup } from '#sql/dirty/marks.ts';
import { textTablesOf } from '#sql/privacy/text_tables.ts';
import { rollups } from '#sql/rollups/index.ts';
import { rollup } from '#tasks/rollup.ts';
import { eventually } from '../support/eventually.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, type RolledShop, roll, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const marks = (db: Db) =>
  db
    .query('select count(*)::int as n from ops.marks where retailer_id is not null')
    .then(({ rows }) => rows[0]?.n);

/** Every row of `agg` with the transaction that wrote it and that last locked it. */
async function headers({ db }: RolledShop) {
  const tables = rollups.map(({ writes }) => `select tableoid, ctid, xmin, xmax from ${writes}`);
  return db.rows(`${tables.join(' union all ')} order by tableoid, ctid`);
}

test('a second run changes nothing, not even a row header', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  await roll(shop, { orders: [anOrder({ customer: '7', country: 'DE' })] });
  const before = await headers(shop);
  expect(before).toHaveLength(8);
  const range = { from: '2024-04-01', to: '2024-06-01' };
  const again = await runTask(rollup, { brandId: brand.id, retailerId: retailer.id, ...range }, db);
  expect(again).toEqual({ days: 62, objects: 1, written: 0, deleted: 0, unclassified: 0 });
  expect(await headers(shop)).toEqual(before);
});

test('it works through every mark, in batches, and takes them along', async () => {
  await using shop = await aRolledShop();
  const first = Date.parse('2024-01-01T12:00:00Z');
  const orders = Array.from({ length: 130 }, (_, day) =>
    anOrder({ id: `${day}`, at: new Date(first + day * 86_400_000).toISOString() }),
  );
  const tally = await roll(shop, { orders });
  expect(tally).toEqual({ days: 130, written: 526, deleted: 0, unclassified: 0 }); // 4 of each day, and 5 months, one in two batches
  expect(await marks(shop.db)).toBe(0);
  expect(await shop.db.column('select progress from ops.job_runs')).toEqual([{ days: 130 }]);
});

test('days that nobody marked stay as they are', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  await roll(shop, { orders: [anOrder({ id: '1' }), anOrder({ id: '2', at: '2024-05-02T12:00:00Z' })] });
  await db.query('update agg.daily_sales set orders = 77');
  await roll(shop, { orders: [anOrder({ id: '3' })] });
  expect(await figures(db, 'daily_sales', 'day, orders')).toEqual([
    { day: '2024-05-01', orders: 2 },
    { day: '2024-05-02', orders: 77 },
  ]);
});

test('a range is rebuilt whether dirty or not, and takes the marks of its days only', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  const days = ['2024-05-01', '2024-05-02', '2024-05-03'];
  await roll(shop, { orders: days.map((day, id) => anOrder({ id: `${id}`, at: `${day}T12:00:00Z` })) });
  await db.query('update agg.daily_sales set orders = 77');
  const mark =
    "insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) select $1, $2, 'sales', day, now() from unnest($3::date[]) day";
  await db.query(mark, [brand.id, retailer.id, ['2024-05-02', '2024-05-03']]);
  const which = { brandId: brand.id, retailerId: retailer.id, from: '2024-05-01', to: '2024-05-02' };
  expect(await runTask(rollup, which, db)).toMatchObject({ days: 2, written: 2 });
  expect(await db.column('select orders from bi.daily_sales order by day')).toEqual([1, 1, 77]);
  expect(await db.column('select day from ops.marks where retailer_id is not null')).toEqual(['2024-05-03']);
});

test('a range must be one', async () => {
  await using shop = await aRolledShop();
  const which = { brandId: shop.brand.id, retailerId: shop.retailer.id };
  const refused = { code: 'NS_PAYLOAD_INVALID', verdict: 'give_up' };
  const run = (range: object) => runTask(rollup, { ...which, ...range }, shop.db);
  await expect(run({ from: '2024-05-01' })).rejects.toMatchObject(refused);
  await expect(run({ from: '2024-05-02', to: '2024-05-01' })).rejects.toMatchObject(refused);
  await expect(run({ from: '2024-02-30', to: '2024-05-01' })).rejects.toMatchObject(refused);
  await expect(run({ from: '1000-01-01', to: '2024-05-01' })).rejects.toMatchObject(refused);
});

test('computed_at is the instant of the run that changed the row', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  await db.transaction((tx) => loadOrders(tx, shop.place, [anOrder()]));
  const now = '2024-06-01T00:00:00.000Z';
  await runTask(rollup, { brandId: brand.id, retailerId: retailer.id, now }, db);
  const stamps = await db.column('select computed_at from bi.daily_country_sales');
  expect(stamps).toEqual([new Date(now)]);
});

test('a run that dies takes nothing back and leaves its marks for the next', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  await db.transaction((tx) => loadOrders(tx, shop.place, [anOrder()]));
  await db.query('alter table agg.daily_country_sales add constraint refuse check (false)');
  await expect(rollDirty(shop)).rejects.toThrow('refuse');
  expect(await db.column('select count(*) from agg.daily_sales')).toEqual([0]);
  expect(await marks(db)).toBe(1);
  await db.query('alter table agg.daily_country_sales drop constraint refuse');
  expect(await runTask(rollup, { brandId: brand.id, retailerId: retailer.id }, db)).toMatchObject({
    written: 5,
  });
});

test("marks that another transaction holds are nobody's end: the job comes again", async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  await db.transaction((tx) => loadOrders(tx, shop.place, [anOrder()]));
  await db.transaction(async (tx) => {
    await tx.query('select from ops.marks for update');
    expect(await rollDirty(shop)).toMatchObject({ days: 0 });
  });
  expect(await db.column("select run_at > now() from ops.jobs where task = 'rollup'")).toEqual([true]);
  // What sweeps a person out of the marks holds those of the person only.
  const found = (await textTablesOf(db)).find(({ name }) => name === 'ops.marks');
  expect(found?.key).toEqual([{ name: 'id', type: 'bigint' }]);
});

/** Runs `first`, then `second` until it hangs on a lock or is through, then `meanwhile`; then `first` commits. */
async function interleave(
  db: Db,
  first: (tx: Tx) => Promise<unknown>,
  second: () => Promise<unknown>,
  meanwhile: () => Promise<unknown> = async () => {},
) {
  let ended = false;
  let running: Promise<unknown> = Promise.resolve();
  await db.transaction(async (tx) => {
    await first(tx);
    running = second().finally(() => {
      ended = true;
    });
    await eventually(async () => expect(ended || (await waiting(db)) > 0).toBe(true));
    await meanwhile();
  });
  await running;
}

/** How many sessions wait for a lock. */
async function waiting(db: Db): Promise<number> {
  const { rowCount } = await db.query(
    "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
  );
  return rowCount ?? 0;
}

test('a load that commits while a rollup runs keeps its own mark', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  const second = anOrder({ id: '2' });
  await db.transaction((tx) => loadOrders(tx, shop.place, [anOrder({ id: '1' })]));
  await interleave(
    db,
    (tx) => loadOrders(tx, shop.place, [second]),
    () => rollDirty(shop),
  );
  expect(await figures(db, 'daily_sales', 'orders')).toEqual([{ orders: 1 }]);
  expect(await marks(db)).toBe(1);
  await rollDirty(shop);
  expect(await figures(db, 'daily_sales', 'orders')).toEqual([{ orders: 2 }]);
});

// The first has read two orders and hangs before it can write. The second would find the table as it
// should be, with one order, and take the only mark of the day along: then the first writes two.
test('two rollups of one retailer run one after the other, so that what was read last is written last', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  await roll(shop, { orders: [anOrder({ id: '1' })] });
  await db.transaction((tx) => loadOrders(tx, shop.place, [anOrder({ id: '2' })]));
  const deletion = { id: '2', deletedAt: new Date('2024-06-01T00:00:00Z') };
  let second: Promise<unknown> = Promise.resolve();
  await interleave(
    db,
    (tx) => tx.query('select from agg.daily_sales for update'),
    () => rollDirty(shop),
    async () => {
      await db.transaction((tx) => loadOrders(tx, shop.place, [], [deletion]));
      let ended = false;
      second = rollDirty(shop).finally(() => {
        ended = true;
      });
      await eventually(async () => expect(ended || (await waiting(db)) === 2).toBe(true));
    },
  );
  await second;
  expect(await figures(db, 'daily_sales', 'orders')).toEqual([{ orders: 1 }]);
});

test('a range waits for a rollup of the same retailer too, and not for one of another', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  const order: string[] = [];
  const range = (retailerId: string) =>
    runTask(rollup, { brandId: brand.id, retailerId, from: '2024-05-01', to: '2024-05-01' }, db);
  await interleave(
    db,
    async (tx) => {
      await lockRollup(tx, brand.id, retailer.id);
      await range(crypto.randomUUID()); // would hang here
    },
    () => range(retailer.id).then(() => order.push('range')),
    async () => order.push('first'),
  );
  expect(order).toEqual(['first', 'range']);
});

test('more marks than one job takes on are left to another one', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  await db.query(
    `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
     select $1, $2, 'sales', date '2000-01-01' + n, now() from generate_series(1, 3010) n`,
    [brand.id, retailer.id],
  );
  expect(await rollDirty(shop)).toMatchObject({ days: 3_000, written: 0 });
  expect(await marks(db)).toBe(10);
  const waiting = 'select task_identifier, key from graphile_worker.jobs';
  expect(await db.rows(waiting)).toEqual([
    { task_identifier: 'rollup', key: `rollup:${brand.id}:${retailer.id}` },
  ]);
});
