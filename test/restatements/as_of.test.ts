/** Sales as they stood at the end of a day: what the log gives back is what a copy of that time has, or it says that it cannot. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { claimMarks } from '#sql/dirty/claim.ts';
import type { Deletion, Item } from '#sql/load/table.ts';
import { beginLogAnew } from '#sql/restatements/final_days.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { readToNow } from '../support/restatements.ts';
import { aConnection, aRetailer, aShop, type Shop, twoShops } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const NUMBERS = `orders, units, units_returned, trim_scale(gross_sales)::text as gross_sales, trim_scale(discounts)::text as discounts,
  trim_scale(returns)::text as returns, trim_scale(net_sales)::text as net_sales, trim_scale(total_sales)::text as total_sales,
  trim_scale(taxes)::text as taxes, new_customers, returning_customers, guest_orders`;
const ZONE = { timeZone: 'UTC' };
const at = (day: number) => `2024-05-0${day}T12:00:00Z`;

type Row = Record<string, unknown>;

/** What the table says now, without rows of zeros; figures of days that are not final now are left out. */
function copyOf(db: TestDb, brandId: string): Promise<Row[]> {
  return db.rows(
    `select retailer_id, day::text, currency, ${NUMBERS} from bi.daily_sales s
     where brand_id = $1 and exists (
       select from ops.final_days d where d.brand_id = $1 and d.retailer_id = s.retailer_id and d.figures = 'sales'
         and s.day between d.final_from and d.final_to)
       and (orders, units, units_returned, gross_sales, discounts, returns, taxes) <> (0, 0, 0, 0, 0, 0, 0)
     order by retailer, day, currency`,
    [brandId],
  );
}

const asOf = (db: TestDb, brandId: string, day: unknown) =>
  db.rows(
    `select retailer_id, day::text, currency, ${NUMBERS} from bi.daily_sales_as_of($1, $2::date)
     where state = 'final' and (orders, units, units_returned, gross_sales, discounts, returns, taxes) <> (0, 0, 0, 0, 0, 0, 0)`,
    [brandId, day],
  );
const statesOn = (db: TestDb, brandId: string, daysAgo: number) =>
  db.rows(
    `select day::text, state, cause, net_sales::text as net from bi.daily_sales_as_of($1, (now() at time zone 'UTC')::date - $2::int)`,
    [brandId, daysAgo],
  );

/** Lets a day go by: what was, was a day earlier. */
async function age(db: TestDb, days = 1): Promise<void> {
  await db.query("update ops.restatements set restated_at = restated_at - $1 * interval '1 day'", [days]);
  await db.query("update ops.days_told set told_at = told_at - $1 * interval '1 day'", [days]);
  await db.query("update ops.log_whole_from set whole_from = whole_from - $1 * interval '1 day'", [days]);
}

async function roll(db: TestDb, { brand, retailer }: Shop, range = {}): Promise<void> {
  await runTask(rollup, { brandId: brand.id, retailerId: null }, db);
  await runTask(rollup, { brandId: brand.id, retailerId: retailer.id, ...range }, db);
}

/** As a change of the zone does with days that are not over any more: what changes of them is not logged, nor known later. */
async function cut(db: TestDb, brandId: string, last: string): Promise<void> {
  await db.query(
    "update ops.final_days set final_to = $2 where brand_id = $1 and figures = 'sales' and final_to > $2",
    [brandId, last],
  );
}

const step = fc.record({
  id: fc.integer({ min: 1, max: 4 }),
  of: fc.integer({ min: 0, max: 1 }),
  day: fc.integer({ min: 1, max: 3 }),
  total: fc.integer({ min: 1, max: 5_000 }).map((cents) => (cents / 100).toFixed(2)),
  currency: fc.constantFrom('GBP', 'USD'),
  back: fc.boolean(),
  does: fc.constantFrom(
    'order',
    'order',
    'gone',
    'order and roll',
    'order and roll',
    'gone and roll',
    'rebuild',
    'cut',
    'told',
  ),
  isLast: fc.boolean(),
});

test('what the log gives back is what copies of each day have', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 12 }), async (steps) => {
      const one = await aShop(db, ZONE);
      const brandId = one.brand.id;
      const retailer = await aRetailer(db, { brandId });
      const shops = [
        one,
        { ...one, retailer, connection: await aConnection(db, { brandId, retailerId: retailer.id }) },
      ];
      const load = async (shop: Shop, orders: Item[], gone: Deletion[] = []) => {
        await db.transaction((tx) => loadOrders(tx, placeOf(shop), orders, gone));
      };
      const tell = async () => {
        await readToNow(db, brandId);
        for (const shop of [...shops, ...shops]) await roll(db, shop);
      };
      for (const shop of shops)
        await load(shop, [anOrder({ id: '1', at: at(1) }), anOrder({ id: '2', at: at(3) })]);
      await tell();
      const copies: { day: unknown; rows: Row[] }[] = [];
      for (const [index, { id, of, day, total, currency, back, does, isLast }] of steps.entries()) {
        const shop = shops[of] ?? one;
        const now = new Date(Date.parse('2024-06-01T00:00:00Z') + index * 1000);
        const sales = [
          { total, quantity: 1 },
          ...(back ? [{ reason: 'REFUND', action: 'RETURN', at: at(1), quantity: -1, total: '-0.55' }] : []),
        ];
        const order = anOrder({ id: String(id), at: at(day), version: now.toISOString(), currency, sales });
        if (does.startsWith('order')) await load(shop, [order]);
        if (does.startsWith('gone')) await load(shop, [], [{ id: String(id), deletedAt: now }]);
        if (does.endsWith('roll')) await roll(db, shop);
        if (does === 'rebuild') await roll(db, shop, { from: '2024-05-01', to: '2024-05-03' });
        if (does === 'told') await tell();
        if (does === 'cut') {
          const last = `2024-05-0${day}`;
          await cut(db, brandId, last);
          for (const copy of copies) copy.rows = copy.rows.filter((row) => String(row.day) <= last);
        }
        if (!isLast && index < steps.length - 1) continue;
        const [today] = await db.column("select (now() at time zone 'UTC')::date::text");
        copies.push({ day: today, rows: await copyOf(db, brandId) });
        await age(db);
      }
      for (const [index, { day, rows }] of copies.entries()) {
        const ago = `${copies.length - index} days`;
        const [then] = await db.column('select ($1::date - $2::interval)::date::text', [day, ago]);
        expect(await asOf(db, brandId, then)).toEqual(rows);
      }
    }),
    5,
  );
});

/** Two brands alike, with an order on a day that was told as final ten days ago. */
async function twoFinal(db: TestDb): Promise<[Shop, Shop]> {
  const shops = await twoShops(db, ZONE);
  for (const shop of shops) {
    await db.transaction((tx) =>
      loadOrders(tx, placeOf(shop), [
        anOrder({ id: '1', at: at(1), sales: [{ total: '10.00', quantity: 1 }] }),
      ]),
    );
    await readToNow(db, shop.brand.id);
    for (let twice = 0; twice < 2; twice++) await roll(db, shop);
  }
  await age(db, 10);
  return shops;
}

const edit = (db: TestDb, shop: Shop, total: string) =>
  db.transaction((tx) =>
    loadOrders(tx, placeOf(shop), [
      anOrder({ id: '1', at: at(1), version: `2024-07-01T00:00:${total}Z`, sales: [{ total, quantity: 1 }] }),
    ]),
  );

test('a day that was not final then, a change that is only known as a sum, and what is older than the log say so', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoFinal(db);
  const { id: brandId } = shop.brand;
  await edit(db, shop, '12');
  await roll(db, shop);
  const day = '2024-05-01';
  expect(await statesOn(db, brandId, 1)).toEqual([{ day, state: 'final', cause: null, net: '10' }]);
  expect(await statesOn(db, brandId, 0)).toEqual([{ day, state: 'final', cause: null, net: '12' }]);
  expect(await statesOn(db, other.brand.id, 0)).toMatchObject([{ net: '10' }]);
  expect(await statesOn(db, brandId, 11)).toEqual([
    { day, state: 'not_final', cause: expect.stringContaining('not final at that time'), net: null },
  ]);
  expect(await statesOn(db, brandId, 3_000)).toEqual([]); // before the day

  await age(db, 2);
  await edit(db, shop, '15');
  await db.transaction(async (tx) => {
    const { id: retailerId } = shop.retailer;
    const marks = await claimMarks(tx, brandId, retailerId, { days: 60, objects: 60 });
    await runMarked(tx, rollups, { brandId, retailerId, now: new Date(), marks, loggedMax: 0 });
  });
  expect(await statesOn(db, brandId, 1)).toMatchObject([
    { day, state: 'unknown', cause: expect.stringContaining('only their sum is known'), net: null },
  ]);
  expect(await statesOn(db, brandId, 0)).toMatchObject([{ state: 'final', net: '15' }]);
  expect(await statesOn(db, other.brand.id, 1)).toMatchObject([{ state: 'final', net: '10' }]);
});

test('figures that changed without the log are not known before that; days that are final no more are told anew', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoFinal(db);
  const { id: brandId } = shop.brand;
  await db.transaction((tx) => beginLogAnew(tx, brandId));
  expect(await statesOn(db, brandId, 1)).toMatchObject([{ state: 'unknown', net: null }]);
  expect(await statesOn(db, brandId, 0)).toMatchObject([{ state: 'final' }]);
  expect(await statesOn(db, other.brand.id, 1)).toMatchObject([{ state: 'final' }]);
  await db.query(
    "update ops.final_days set final_to = '2024-04-30', final_from = '2024-04-30' where brand_id = $1",
    [other.brand.id],
  );
  expect(await statesOn(db, other.brand.id, 1)).toMatchObject([{ state: 'not_final' }]);
  await db.query('delete from ops.final_days where brand_id = $1', [brandId]);
  expect(await db.column('select count(*) from ops.days_told where brand_id = $1', [brandId])).toEqual([0]);
});

test('what the log had and keeps no more is not known; what it still has is', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoFinal(db);
  for (const total of ['12', '15']) {
    for (const one of [shop, other]) {
      await edit(db, one, total);
      await roll(db, one);
    }
    await age(db, 2);
  }
  const { id: brandId } = shop.brand;
  const told = () => db.rows('select xmin::text, t.* from ops.days_told t order by told_at, retailer_id');
  const before = await told();
  expect(await statesOn(db, brandId, 5)).toMatchObject([{ state: 'final', net: '10' }]);
  await db.query(
    "delete from ops.restatements where brand_id = $1 and restated_at < now() - interval '3 days'",
    [brandId],
  );
  expect(await told()).toEqual(before); // however many batches are deleted, nothing else is written
  expect(await db.column('select retailer_id from ops.log_whole_from')).toEqual([shop.retailer.id]);
  expect(await statesOn(db, brandId, 5)).toMatchObject([
    { state: 'unknown', cause: expect.stringContaining('kept no more'), net: null },
  ]);
  expect(await statesOn(db, brandId, 3)).toMatchObject([{ state: 'final', net: '12' }]);
  expect(await statesOn(db, brandId, 0)).toMatchObject([{ state: 'final', net: '15' }]);
  expect(await statesOn(db, other.brand.id, 5)).toMatchObject([{ state: 'final', net: '10' }]);
});
