/**
 * Whatever happens in whatever order, the aggregates end as if they were made from nothing, to the
 * last digit, and a further run rewrites no row. Time is a handful of instants around the days on which
 * the clock changes, ids are few, so that things meet.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { noticeRatesOfBrand } from '#sql/fx/days.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { rollups as ours } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { changeReportingCurrency, changeTimeZone } from '#sql/tenants/brands.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf, assertSettled, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { daysOf } from '../support/providers/fx.ts';
import { aBrand, aConnection, aRetailer } from '../support/rows/factory.ts';
import { anOrder, aProduct, loadOrders, loadProducts, type Place } from '../support/rows/raw_orders.ts';
import { WEEKLY_TABLE, weeklyOrders } from '../support/rows/weekly.ts';

const RUNS = inForm(5, 15);
/** Partitions of each kind: days, and weeks of what another rollup has made. */
const rollups = [...ours.filter(({ of }) => of !== 'brand'), weeklyOrders];
const now = new Date('2024-12-01T00:00:00Z');

// Hours around both changes of the clock in London and Berlin, and single days in between.
const instant = fc.oneof(
  fc.constantFrom(
    '2024-03-30T23:30:00Z',
    '2024-03-31T00:30:00Z',
    '2024-03-31T22:30:00Z',
    '2024-03-31T23:30:00Z',
  ),
  fc.constantFrom(
    '2024-10-26T22:59:59Z',
    '2024-10-27T00:30:00Z',
    '2024-10-27T01:30:00Z',
    '2024-10-28T00:00:00Z',
  ),
  fc.integer({ min: 1, max: 9 }).map((month) => `2024-0${month}-15T12:00:00Z`),
);
const version = fc.integer({ min: 10, max: 29 }).map((n) => `2024-11-${n}T00:00:00Z`);
const amount = fc.integer({ min: -5_000, max: 9_000 }).map((n) => (n / 1_000).toFixed(3));
const orderId = fc.constantFrom('2', '9', '10', '11', '12', '13');
const lineId = fc.constantFrom('a', 'b', 'c', null);
const zone = fc.constantFrom('Europe/London', 'America/New_York', 'Asia/Kolkata', 'Pacific/Auckland');

const sale = fc.record({
  reason: fc.constantFrom('ORDER', 'ORDER', 'ORDER_EDIT', 'RETURN', 'REFUND'),
  at: instant,
  type: fc.constantFrom(
    'PRODUCT',
    'PRODUCT',
    'PRODUCT',
    'SHIPPING',
    'ADJUSTMENT',
    'TIP',
    'GIFT_CARD',
    'NEW_KIND',
  ),
  line: lineId,
  quantity: fc.constantFrom(2, 1, 1, 0, -1, null),
  total: amount,
  tax: amount,
  discount: amount,
});

const PLACING = {
  reason: 'ORDER',
  at: '',
  type: 'PRODUCT',
  line: 'a',
  total: '7.5',
  tax: '1.25',
  discount: '0.5',
};

const order = fc
  .record({
    id: orderId,
    at: instant,
    version,
    test: fc.constantFrom(...Array<boolean>(7).fill(false), true),
    currency: fc.constantFrom('GBP', 'GBP', 'GBP', 'JPY'),
    customer: fc.constantFrom('5', '5', '5', '6', null),
    country: fc.constantFrom('GB', 'DE'),
    placed: fc.constantFrom(1, 1, 1, 2, 0), // pieces that make the order count
    sales: fc.array(sale, { maxLength: 2 }),
    payments: fc.array(fc.record({ at: instant, amount }), { maxLength: 2 }),
    variant: fc.constantFrom('31', '31', '32', null),
  })
  .map(({ variant, placed, ...given }) => ({
    ...given,
    lines: ['a', 'b'].map((id) => ({ id: given.id + id, variant: id === 'a' ? variant : null, sku: id })),
    sales: [{ ...PLACING, quantity: placed }, ...given.sales].map((row) => ({
      ...row,
      at: row.reason === 'ORDER' ? given.at : row.at,
      line: row.line && given.id + row.line,
    })),
    payments: given.payments.map((payment, index) => ({ ...payment, id: `${given.id}${index}` })),
  }));

const product = fc.record({
  variant: fc.constantFrom('31', '31', '32'),
  version,
  costs: fc.array(fc.record({ from: instant, cost: fc.option(amount, { freq: 5 }) }), {
    minLength: 1,
    maxLength: 2,
  }),
});

const shop = fc.constantFrom(0, 0, 0, 1, 2);
const retailer = fc.constantFrom(0, 0, 0, 1);
const orders = fc.array(order, { minLength: 1, maxLength: 3, size: 'max' });
const happenings = {
  load: fc.record({ type: fc.constant('load' as const), shop, orders }),
  delete: fc.record({ type: fc.constant('delete' as const), shop, orderId, version }),
  product: fc.record({ type: fc.constant('product' as const), shop, product }),
  roll: fc.record({ type: fc.constant('roll' as const), retailer, days: fc.integer({ min: 1, max: 9 }) }),
  zone: fc.record({ type: fc.constant('zone' as const), zone }),
  report: fc.record({ type: fc.constant('report' as const), currency: fc.constantFrom('GBP', 'JPY') }),
  move: fc.record({ type: fc.constant('move' as const), shop, retailer }),
  rates: fc.record({
    type: fc.constant('rates' as const),
    day: fc.constantFrom('2024-03-29', '2024-10-25'),
    rate: fc.integer({ min: 150, max: 170 }).map(String),
  }),
  compare: fc.record({ type: fc.constant('compare' as const) }),
};
// Three of them mark every day, and so hide what others forget to mark: they are rare.
const weights = {
  load: 30,
  roll: 20,
  product: 15,
  delete: 3,
  rates: 3,
  compare: 3,
  zone: 1,
  report: 1,
  move: 1,
};
const change = fc.oneof(
  { weight: weights.load, arbitrary: happenings.load },
  { weight: weights.roll, arbitrary: happenings.roll },
  { weight: weights.product, arbitrary: happenings.product },
  { weight: weights.delete, arbitrary: happenings.delete },
  { weight: weights.rates, arbitrary: happenings.rates },
  { weight: weights.compare, arbitrary: happenings.compare },
  { weight: weights.zone, arbitrary: happenings.zone },
  { weight: weights.report, arbitrary: happenings.report },
  { weight: weights.move, arbitrary: happenings.move },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** What happens, and how: to its end, to a crash before the commit, or while the next one happens. */
const step = fc.record({
  change,
  how: fc.constantFrom('commit', 'commit', 'commit', 'commit', 'commit', 'crash', 'beside'),
});

class Crash extends Error {}

/** Months in which customers do not add up to sales: who is new, and with guests all that was sold. */
const CUSTOMERS_AND_SALES = `
  with month as (
    select retailer_id, date_trunc('month', day::timestamp)::date as month, currency, new_customers, 0 as fresh,
           gross_sales - discounts - returns as sold, 0 as bought
    from agg.daily_sales where brand_id = $1
    union all
    select retailer_id, day, currency, 0, new_customers, 0, 0 from agg.customer_cohorts where brand_id = $1
    union all
    select retailer_id, month, currency, 0, 0, 0, net_sales from agg.customer_months where brand_id = $1
    union all
    select retailer_id, date_trunc('month', day::timestamp)::date, currency, 0, 0, 0, net_sales from agg.order_days
    where brand_id = $1 and customer_id is null
  )
  select retailer_id, month, currency from month group by 1, 2, 3
  having sum(new_customers) <> sum(fresh) or sum(sold) <> sum(bought)`;

type World = { brandId: string; retailers: string[]; shops: Place[] };

test('any sequence of loads, edits, deletes, crashes and partial rollups equals a rebuild', async () => {
  await using db = await freshDb();
  await db.query(WEEKLY_TABLE);
  await db.query(`insert into app.fx_rates values ('GBP', '2024-03-29', 0.855, 'ecb', now()),
    ('JPY', '2024-03-29', 163.45, 'ecb', now()), ('GBP', '2024-10-25', 0.8337, 'ecb', now())`);
  await assertHolds(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30, size: 'max' }), async (steps) => {
      const world = await aWorld(db);
      const beside: Promise<unknown>[] = [];
      for (const { change, how } of steps) {
        const happening = happen(db, world, change, how === 'crash');
        if (how === 'beside') beside.push(happening);
        else await happening;
      }
      await Promise.all(beside);
      await rollEverything(db, world);
      const rebuilt = await rebuiltFromNothing(db, world.brandId, rollups);
      expect(await aggregatesOf(db, world.brandId, rollups)).toEqual(rebuilt);
      await assertExplained(db, world.brandId, { rollups, now });
      expect(await db.rows(CUSTOMERS_AND_SALES, [world.brandId])).toEqual([]);
      await assertSettled(db, world, { from: '2024-01-01', to: '2024-10-31', now, rollups });
    }),
    RUNS,
  );
});

async function aWorld(db: Db): Promise<World> {
  const { id: brandId } = await aBrand(db);
  const retailers = [(await aRetailer(db, { brandId })).id, (await aRetailer(db, { brandId })).id];
  const shops: Place[] = [];
  for (const retailerId of [retailers[0], retailers[0], retailers[1]])
    shops.push({ brandId, connectionId: (await aConnection(db, { brandId, retailerId })).id });
  return { brandId, retailers, shops };
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`nothing at ${index}`);
  return item;
}

async function happen(db: Db, world: World, change: Change, crashes: boolean): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await apply(tx, world, change);
      if (crashes) throw new Crash();
    });
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
}

async function apply(tx: Tx, { brandId, retailers, shops }: World, change: Change): Promise<unknown> {
  const brandChange = { brandId, tables: orderTables, now };
  switch (change.type) {
    case 'load':
      return loadOrders(tx, at(shops, change.shop), change.orders.map(anOrder));
    case 'delete':
      return loadOrders(
        tx,
        at(shops, change.shop),
        [],
        [{ id: change.orderId, deletedAt: new Date(change.version) }],
      );
    case 'product':
      return loadProducts(tx, at(shops, change.shop), [
        aProduct({ ...change.product, id: `9${change.product.variant}` }),
      ]);
    case 'rates': {
      const days = daysOf([['JPY', change.day, change.rate]]);
      return storeRates(tx, { days, source: 'test', now, actor: 'test' });
    }
    case 'compare':
      return noticeRatesOfBrand(tx, brandId);
    case 'zone':
      return changeTimeZone(tx, change.zone, brandChange);
    case 'report':
      return changeReportingCurrency(tx, change.currency, brandChange);
    case 'move':
      return moveConnection(tx, {
        ...brandChange,
        connectionId: at(shops, change.shop).connectionId,
        retailerId: at(retailers, change.retailer),
      });
    case 'roll':
      return rollSome(tx, brandId, at(retailers, change.retailer), change.days);
  }
}

async function rollSome(tx: Tx, brandId: string, retailerId: string, limit: number): Promise<number> {
  const marks = await claimMarks(tx, brandId, retailerId, { days: limit, objects: limit });
  await runMarked(tx, rollups, { brandId, retailerId, marks, now });
  return marks.length;
}

async function rollEverything(db: Db, { brandId, retailers }: World): Promise<void> {
  for (const retailerId of retailers) {
    let days = 1;
    while (days > 0) days = await db.transaction((tx) => rollSome(tx, brandId, retailerId, 3));
  }
}
