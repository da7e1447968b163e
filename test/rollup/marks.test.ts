/** A mark says what has changed: only rollups that follow it run, and only for what really came out different. */
import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { dailySales } from '#sql/rollups/daily_sales.ts';
import { composeRollup } from '#sql/rollups/define.ts';
import { rollups } from '#sql/rollups/index.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { runMarked, runRollups } from '#sql/rollups/run.ts';
import { twoShops } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { aRolledShop, placeOf, roll } from '../support/rows/rolled.ts';
import { WEEKLY_TABLE, weeklyOrders } from '../support/rows/weekly.ts';

const now = new Date('2024-06-01T00:00:00Z');
const order = (id: string, at: string, version = at) => anOrder({ id, at, version });

/** Runs what the marks ask for, and says which rollups ran over which days. */
async function ranOver(tx: Tx, given: readonly Rollup[], which: { brandId: string; retailerId: string }) {
  const ran: Record<string, string[]> = {};
  const watched: Tx = Object.create(tx, {
    query: {
      value: (text: string, values: unknown[]) => {
        const rollup = given.find(({ sql }) => sql === text);
        if (rollup) ran[rollup.name] = values[2] as string[];
        return tx.query(text, values);
      },
    },
  });
  const marks = await claimMarks(tx, which.brandId, which.retailerId, { days: 60, objects: 60 });
  await runMarked(watched, given, { ...which, marks, now });
  return ran;
}

test('a changed order runs the rollups of sales and nothing else', async () => {
  await using shop = await aRolledShop();
  await shop.db.transaction((tx) => loadOrders(tx, shop.place, [order('1', '2024-05-01T10:00:00Z')]));
  const which = { brandId: shop.brand.id, retailerId: shop.retailer.id };
  const ran = await shop.db.transaction((tx) => ranOver(tx, rollups, which));
  expect(Object.keys(ran).toSorted()).toEqual([
    ...['daily_country_sales', 'daily_product_sales', 'daily_sales', 'monthly_country_sales', 'order_days'],
  ]);
});

const counted = {
  name: 'days_with_orders',
  reads: ['agg.daily_sales'] as const,
  writes: 'agg.days_with_orders' as const,
  grain: ['brand_id', 'retailer_id', 'day', 'currency'],
  measures: ['orders'],
  changesWith: ['daily_sales'],
  fresh: `
    select w.retailer_id, w.day, s.currency, s.orders
    from wanted w
    join agg.daily_sales s on s.brand_id = $1 and s.retailer_id = w.retailer_id and s.day = w.day`,
};
const both: Rollup[] = [dailySales, composeRollup(counted)];

test('a rollup that reads another one runs for the days on which rows were written or deleted', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  await db.query(`
    create table agg.days_with_orders (brand_id uuid, retailer_id uuid, day date, currency text, orders bigint,
      computed_at timestamptz, primary key (brand_id, retailer_id, day, currency))`);
  const [one, other] = await twoShops(db);
  const which = { brandId: one.brand.id, retailerId: one.retailer.id };
  const take = (...orders: ReturnType<typeof order>[]) =>
    db.transaction(async (tx) => {
      await loadOrders(tx, placeOf(one), orders);
      return ranOver(tx, both, which);
    });
  await roll({ ...other, db }, { orders: [order('1', '2024-05-01T10:00:00Z')] });
  const [first, second] = ['2024-05-01', '2024-05-02'];
  expect(await take(order('1', '2024-05-01T10:00:00Z'), order('2', '2024-05-02T10:00:00Z'))).toEqual({
    daily_sales: [first, second],
    days_with_orders: [first, second],
  });
  await db.query(
    `insert into ops.marks (brand_id, subject, retailer_id, day, marked_at)
     select brand_id, 'sales', id, $2::date, now() from app.retailers where id = $1`,
    [which.retailerId, first],
  );
  expect(await take()).toEqual({ daily_sales: [first] }); // nothing came out different
  expect(await take(order('2', '2024-05-01T11:00:00Z', '2024-05-20T00:00:00Z'))).toEqual({
    daily_sales: [first, second],
    days_with_orders: [first, second],
  });
  const kept = 'select day, orders from agg.days_with_orders where brand_id = $1 order by day';
  expect(await db.rows(kept, [which.brandId])).toEqual([{ day: first, orders: 2 }]);
  const whole = await db.transaction((tx) => runRollups(tx, both, { ...which, days: [first, second], now }));
  expect(whole).toMatchObject({ written: 0, deleted: 0 });
});

test('days beyond what is handed on at once are marked for the next claim', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  await db.query(`
    create table agg.days_with_orders (brand_id uuid, retailer_id uuid, day date, currency text, orders bigint,
      computed_at timestamptz, primary key (brand_id, retailer_id, day, currency))`);
  const which = { brandId: shop.brand.id, retailerId: shop.retailer.id };
  const orders = Array.from({ length: 70 }, (_, n) =>
    order(`${n + 1}`, new Date(Date.UTC(2024, 0, n + 1, 12)).toISOString()),
  );
  await db.transaction(async (tx) => {
    await loadOrders(tx, shop.place, orders);
    const marks = await claimMarks(tx, which.brandId, which.retailerId, { days: 100, objects: 100 });
    await runMarked(tx, both, { ...which, marks, now });
  });
  expect(await db.column('select count(*) from agg.days_with_orders')).toEqual([60]);
  expect(await db.column('select distinct subject from ops.marks')).toEqual(['daily_sales']);
  expect(await db.transaction((tx) => ranOver(tx, both, which))).toEqual({
    days_with_orders: Array.from({ length: 10 }, (_, n) => `2024-03-${String(n + 1).padStart(2, '0')}`),
  });
  expect(await db.column('select count(*) from agg.days_with_orders')).toEqual([70]);
});

const weekly = [dailySales, weeklyOrders];

test('a rollup of weeks runs for the week of a changed day, and only that week is written', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  await db.query(WEEKLY_TABLE);
  const [one, other] = await twoShops(db);
  const take = async (taken: typeof one, ...orders: ReturnType<typeof order>[]) => {
    await db.transaction(async (tx) => {
      await loadOrders(tx, placeOf(taken), orders);
      await ranOver(tx, weekly, { brandId: taken.brand.id, retailerId: taken.retailer.id });
    });
    return db.rows('select day, orders from agg.weekly_orders where brand_id = $1 order by day', [
      one.brand.id,
    ]);
  };
  const [sunday, monday, tuesday] = ['2024-05-05T10:00:00Z', '2024-05-06T10:00:00Z', '2024-05-07T10:00:00Z'];
  await take(one, order('1', sunday), order('2', monday));
  const versions = () =>
    db.column('select day || xmin::text from agg.weekly_orders where brand_id = $1 order by day', [
      one.brand.id,
    ]);
  const [before] = await versions();
  const found = await take(one, order('3', tuesday));
  expect(found).toEqual([
    { day: '2024-04-29', orders: 1 },
    { day: '2024-05-06', orders: 2 },
  ]);
  expect((await versions())[0]).toBe(before);
  expect(await take(other, order('1', monday))).toEqual(found);
  const days = ['2024-05-05', '2024-05-06', '2024-05-07'];
  const which = { brandId: one.brand.id, retailerId: one.retailer.id, days, now };
  expect(await db.transaction((tx) => runRollups(tx, weekly, which))).toMatchObject({
    written: 0,
    deleted: 0,
  });
  expect(await take(one, order('1', tuesday, '2024-05-20T00:00:00Z'))).toEqual([
    { day: '2024-05-06', orders: 3 },
  ]);
});
