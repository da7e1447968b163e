/** Customers, their months, cohorts and value: known answers by hand. */
import { expect, test } from 'vitest';
import { rollups } from '#sql/rollups/index.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { nightshift } from '../support/cli.ts';
import type { TestDb } from '../support/db/db.ts';
import { aggregatesOf, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { env } from '../support/db/removal.ts';
import { askErasure } from '../support/privacy/ask.ts';
import { aConnection, aShop } from '../support/rows/factory.ts';
import { anOrder, loadOrders, type RawOrder } from '../support/rows/raw_orders.ts';
import { aRolledShop, placeOf, type RolledShop, roll, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const ofRetailers = rollups.filter(({ of }) => of !== 'brand');

type Shop = Pick<RolledShop, 'db' | 'brand'>;

const value = ({ db, brand }: Shop, columns: string) =>
  db.rows(
    `select customer_id as id, ${columns} from bi.customer_value where brand_id = $1
     order by customer_id, currency, connection_id`,
    [brand.id],
  );

const cohorts = ({ db, brand }: Shop, columns: string) =>
  db.rows(
    `select to_char(cohort_month, 'YYYY-MM') as cohort, to_char(month, 'YYYY-MM') as month, ${columns}
     from bi.customer_cohorts where brand_id = $1 order by cohort_month, month, currency`,
    [brand.id],
  );

const ofCustomer = (id: string, customer: string | null, at: string, total: string, more: RawOrder = {}) =>
  anOrder({ id, customer, at: `${at}T12:00:00Z`, sales: [{ quantity: 1, total }], ...more });

const refunded = (day: string, total: string) => ({
  ...{ reason: 'REFUND', action: 'RETURN', at: `${day}T12:00:00Z`, quantity: -1, total },
});

async function assertRebuilds(db: TestDb, brandId: string) {
  expect(await aggregatesOf(db, brandId, ofRetailers)).toEqual(
    await rebuiltFromNothing(db, brandId, ofRetailers),
  );
}

test('what a customer has bought is made of all orders: returns after the last one, tests and gift cards too', async () => {
  await using shop = await aRolledShop();
  const discounted = [
    { quantity: 2, total: '30.01', discount: '5.00', tax: '5.00' },
    refunded('2024-08-02', '-10.00'),
  ];
  const orders = [
    ofCustomer('1', '7', '2024-01-10', '10.00', { country: 'DE' }),
    anOrder({ id: '2', customer: '7', at: '2024-03-05T12:00:00Z', country: 'FR', sales: discounted }),
    ofCustomer('3', '7', '2024-06-01', '50.00', {
      sales: [{ type: 'GIFT_CARD', quantity: 1, total: '50.00' }],
    }),
    ofCustomer('4', '7', '2024-07-01', '99.00', { test: true }),
    ofCustomer('5', null, '2024-01-10', '4.00'),
    ofCustomer('6', '8', '2024-03-31', '0.00'),
  ];
  await roll(shop, { orders });
  expect(
    await value(shop, 'country, orders, units, units_returned, net_sales, average_order_value as aov'),
  ).toEqual([
    // 10 + 25.01 ordered in two orders; 10 came back in August.
    { id: '7', country: 'FR', orders: 2, units: 3, units_returned: 1, net_sales: '25.01', aov: '17.51' },
    { id: '8', country: 'GB', orders: 1, units: 1, units_returned: 0, net_sales: '0', aov: '0.00' },
  ]);
  expect(await value(shop, 'first_order_day as first, last_order_day as last, as_of')).toEqual([
    { id: '7', first: '2024-01-10', last: '2024-03-05', as_of: '2024-08-02' },
    { id: '8', first: '2024-03-31', last: '2024-03-31', as_of: '2024-08-02' },
  ]);
  expect(
    await cohorts(
      shop,
      'month_number as n, customers, orders, net_sales, cohort_customers as size, retention',
    ),
  ).toEqual([
    ...[
      { month: '2024-01', n: 0, customers: 1, orders: 1, net_sales: '10', retention: '1.0000' },
      { month: '2024-03', n: 2, customers: 1, orders: 1, net_sales: '25.01', retention: '1.0000' },
      { month: '2024-08', n: 7, customers: 0, orders: 0, net_sales: '-10', retention: '0.0000' },
    ].map((row) => ({ cohort: '2024-01', size: 1, ...row })),
    {
      ...{ cohort: '2024-03', month: '2024-03', n: 0, customers: 1, orders: 1, net_sales: '0' },
      ...{ size: 1, retention: '1.0000' },
    },
  ]);
  await assertRebuilds(shop.db, shop.brand.id);
});

test('a customer of two currencies is of one cohort and one segment', async () => {
  await using shop = await aRolledShop();
  const orders = [
    ofCustomer('1', '7', '2024-01-10', '10.00', { currency: 'EUR' }),
    ofCustomer('2', '7', '2024-01-11', '20.00'),
    ofCustomer('3', '7', '2024-02-01', '30.00'),
    ofCustomer('4', '8', '2024-01-31', '5.00'),
    ofCustomer('5', '7', '2024-02-02', '1.00', { country: 'IE' }),
  ];
  await roll(shop, { orders });
  const columns =
    'currency, country, orders, all_orders as in_all, first_order_day as first, days_since_last_order as since, segment';
  const seven = { id: '7', country: 'IE', in_all: 4, since: 0, segment: 'loyal' };
  expect(await value(shop, columns)).toEqual([
    { ...seven, currency: 'EUR', orders: 1, first: '2024-01-10' },
    { ...seven, currency: 'GBP', orders: 3, first: '2024-01-11' },
    {
      ...{ id: '8', currency: 'GBP', country: 'GB', orders: 1, in_all: 1 },
      ...{ first: '2024-01-31', since: 2, segment: 'new' },
    },
  ]);
  const january = { cohort: '2024-01', size: 2 };
  expect(
    await cohorts(
      shop,
      'currency, customers, new_customers as fresh, orders, cohort_customers as size, retention',
    ),
  ).toEqual([
    { ...january, month: '2024-01', currency: 'EUR', customers: 1, fresh: 1, orders: 1, retention: '0.5000' },
    { ...january, month: '2024-01', currency: 'GBP', customers: 2, fresh: 1, orders: 2, retention: '1.0000' },
    { ...january, month: '2024-02', currency: 'GBP', customers: 1, fresh: 0, orders: 2, retention: '0.5000' },
  ]);
});

test('a cohort moves with the first order: late, deleted, given to another customer, and found for a guest', async () => {
  await using shop = await aRolledShop();
  const { db, brand } = shop;
  const months = () => cohorts(shop, 'customers, new_customers as fresh');
  const isNew = { customers: 1, fresh: 1 };
  const isBack = { customers: 1, fresh: 0 };
  const march = ofCustomer('2', '7', '2024-03-10', '10.00');
  await roll(shop, { orders: [march] });
  expect(await months()).toEqual([{ cohort: '2024-03', month: '2024-03', ...isNew }]);

  await roll(shop, { orders: [ofCustomer('1', '7', '2024-01-10', '10.00')] });
  expect(await months()).toEqual([
    { cohort: '2024-01', month: '2024-01', ...isNew },
    { cohort: '2024-01', month: '2024-03', ...isBack },
  ]);

  // The order without a customer was hers all along.
  await roll(shop, { orders: [ofCustomer('3', null, '2023-12-31', '10.00')] });
  expect(await months()).toHaveLength(2);
  await roll(shop, {
    orders: [ofCustomer('3', '7', '2023-12-31', '10.00', { version: '2024-04-01T00:00:00Z' })],
  });
  expect(await months()).toEqual([
    { cohort: '2023-12', month: '2023-12', ...isNew },
    { cohort: '2023-12', month: '2024-01', ...isBack },
    { cohort: '2023-12', month: '2024-03', ...isBack },
  ]);

  const deletion = { id: '3', deletedAt: new Date('2024-06-01T00:00:00Z') };
  await db.transaction((tx) => loadOrders(tx, shop.place, [], [deletion]));
  await rollDirty(shop);
  await roll(shop, {
    orders: [ofCustomer('1', '9', '2024-01-10', '10.00', { version: '2024-06-02T00:00:00Z' })],
  });
  expect(await months()).toEqual([
    { cohort: '2024-01', month: '2024-01', ...isNew },
    { cohort: '2024-03', month: '2024-03', ...isNew },
  ]);
  expect(await value(shop, 'orders, first_order_day as first')).toEqual([
    { id: '7', orders: 1, first: '2024-03-10' },
    { id: '9', orders: 1, first: '2024-01-10' },
  ]);
  expect(await db.column('select count(*) from ops.marks where retailer_id is not null')).toEqual([0]);
  await assertRebuilds(db, brand.id);
});

test('months are those of the brand, whatever its clock does at their ends', async () => {
  // In Beirut the clock goes forward at midnight of the 31st: the month ends an hour early by UTC.
  await using shop = await aRolledShop({ timeZone: 'Asia/Beirut' });
  const at = (id: string, instant: string) => anOrder({ id, customer: id, at: instant });
  const orders = [
    at('1', '2024-03-31T20:59:59Z'),
    at('2', '2024-03-31T21:00:00Z'),
    at('3', '2024-02-29T21:59:59Z'),
    at('4', '2024-02-29T22:00:00Z'),
  ];
  await roll(shop, { orders });
  expect(await cohorts(shop, 'customers')).toEqual([
    { cohort: '2024-02', month: '2024-02', customers: 1 },
    { cohort: '2024-03', month: '2024-03', customers: 2 },
    { cohort: '2024-04', month: '2024-04', customers: 1 },
  ]);
});

test('two shops of a retailer and two brands have customers of their own, and a removed shop takes its own along', async () => {
  await using mine = await aRolledShop();
  const { db, brand, retailer } = mine;
  const second = await aConnection(db, { brandId: brand.id, retailerId: retailer.id });
  const theirs = await aShop(db);
  await db.transaction(async (tx) => {
    await loadOrders(tx, mine.place, [ofCustomer('1', '7', '2024-01-10', '10.00')]);
    const place = { brandId: brand.id, connectionId: second.id };
    await loadOrders(tx, place, [ofCustomer('1', '7', '2024-02-10', '20.00')]);
    await loadOrders(tx, placeOf(theirs), [ofCustomer('1', '7', '2024-01-11', '40.00')]);
  });
  await rollDirty(mine);
  await rollDirty({ db, ...theirs });
  const sales = async (shop: Shop) => (await value(shop, 'net_sales')).map((row) => row.net_sales).sort();
  expect([await sales(mine), await sales({ db, ...theirs })]).toEqual([['10', '20'], ['40']]);
  const january = { cohort: '2024-01', month: '2024-01', size: 1 };
  expect(await cohorts(mine, 'cohort_customers as size')).toEqual([
    january,
    { cohort: '2024-02', month: '2024-02', size: 1 },
  ]);
  const removing = ['connections', 'remove', second.name, '--brand', brand.slug, '--yes', second.name];
  expect(await nightshift(removing, { env: env(db) })).toMatchObject({ code: 0 });
  await rollDirty(mine);
  expect(await sales(mine)).toEqual(['10']);
  expect(await cohorts(mine, 'cohort_customers as size')).toEqual([january]);
  expect(await sales({ db, ...theirs })).toEqual(['40']);
});

test('segments go by days up to the last sale, and can be asked for of another day', async () => {
  await using shop = await aRolledShop();
  const last = '2024-12-31';
  const before = (days: number) => new Date(Date.parse(last) - days * 86_400_000).toISOString().slice(0, 10);
  const customers: [string, number[]][] = [
    ['11', [366]], // lost
    ['12', [365]],
    ['13', [400, 300, 200, 181]], // at risk, however loyal
    ['14', [400, 300, 200, 180]], // loyal
    ['15', [90]], // new
    ['16', [91]], // active
    ['17', [90, 3, 2, 1]], // loyal rather than new
  ];
  const orders = customers.flatMap(([id, ages]) =>
    ages.map((days, n) => ofCustomer(`${id}${n}`, id, before(days), '1.00')),
  );
  await roll(shop, { orders: [...orders, ofCustomer('9', null, last, '1.00')] });
  expect(await value(shop, 'segment')).toEqual([
    { id: '11', segment: 'lost' },
    { id: '12', segment: 'at_risk' },
    { id: '13', segment: 'at_risk' },
    { id: '14', segment: 'loyal' },
    { id: '15', segment: 'new' },
    { id: '16', segment: 'active' },
    { id: '17', segment: 'loyal' },
  ]);
  const on = (day: string) =>
    shop.db.rows('select customer_id as id, segment from bi.customer_segments($1, $2) order by 1', [
      shop.brand.id,
      day,
    ]);
  expect(await on(last)).toEqual(await value(shop, 'segment'));
  expect(await on(before(190))).toEqual([
    { id: '11', segment: 'active' },
    { id: '12', segment: 'active' },
    { id: '13', segment: 'active' },
    { id: '14', segment: 'active' },
  ]);
  expect(await on('2020-01-01')).toEqual([]);
});

test('top customers are ranked by retailer and currency, ties sharing a place; growth is by country and month', async () => {
  await using shop = await aRolledShop();
  const orders = [
    ofCustomer('1', '7', '2024-01-10', '30.00'),
    ofCustomer('2', '8', '2024-01-10', '50.00'),
    ofCustomer('3', '9', '2024-02-10', '30.00'),
    ofCustomer('4', '5', '2024-02-11', '20.00', { country: 'DE' }),
    ofCustomer('5', '7', '2024-04-01', '1.00', { currency: 'EUR' }),
  ];
  await roll(shop, { orders });
  const { db, brand } = shop;
  expect(
    await db.rows(
      `select currency, rank, customer_id as id, net_sales from bi.top_customers where brand_id = $1
       order by currency, rank, customer_id`,
      [brand.id],
    ),
  ).toEqual([
    { currency: 'EUR', rank: 1, id: '7', net_sales: '1' },
    { currency: 'GBP', rank: 1, id: '8', net_sales: '50' },
    { currency: 'GBP', rank: 2, id: '7', net_sales: '30' },
    { currency: 'GBP', rank: 2, id: '9', net_sales: '30' },
    { currency: 'GBP', rank: 4, id: '5', net_sales: '20' },
  ]);
  expect(
    await db.rows(
      `select country, month, currency, orders, net_sales, previous_net_sales as before, growth_percentage as growth
       from bi.country_growth where brand_id = $1 order by month, country`,
      [brand.id],
    ),
  ).toEqual([
    ...[
      { country: 'GB', month: '2024-01-01', orders: 2, net_sales: '80', before: '0', growth: null },
      { country: 'DE', month: '2024-02-01', orders: 1, net_sales: '20', before: '0', growth: null },
      { country: 'GB', month: '2024-02-01', orders: 1, net_sales: '30', before: '80', growth: '-62.50' },
      { country: 'DE', month: '2024-03-01', orders: 0, net_sales: '0', before: '20', growth: '-100.00' },
      { country: 'GB', month: '2024-03-01', orders: 0, net_sales: '0', before: '30', growth: '-100.00' },
    ].map((row) => ({ currency: 'GBP', ...row })),
    {
      ...{ country: 'GB', month: '2024-04-01', currency: 'EUR', orders: 1, net_sales: '1' },
      ...{ before: '0', growth: null },
    },
  ]);
});

test('sums of growth by country have every country of the month before, of each retailer and brand its own', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  const elsewhere = { ...(await aShop(db)), db };
  const sold = (id: string, at: string, total: string, country: string) =>
    ofCustomer(id, null, at, total, { country });
  // Both sell under the same ids: the one brand nothing to DE in February, the other nothing to FR.
  await roll(shop, {
    orders: [
      sold('1', '2024-01-10', '60.00', 'DE'),
      sold('2', '2024-01-11', '40.00', 'FR'),
      sold('3', '2024-02-01', '50.00', 'FR'),
    ],
  });
  await roll(elsewhere, {
    orders: [
      sold('1', '2024-01-10', '7.00', 'DE'),
      sold('2', '2024-01-11', '1.00', 'FR'),
      sold('3', '2024-02-01', '6.00', 'DE'),
    ],
  });
  const growth = (brandId: string) =>
    db.rows(
      `select month, sum(net_sales) as net_sales, sum(previous_net_sales) as before, count(*)::int as countries
       from bi.country_growth where brand_id = $1 group by month order by month`,
      [brandId],
    );
  // No row of March: nobody knows of a sale of it.
  expect(await growth(shop.brand.id)).toEqual([
    { month: '2024-01-01', net_sales: '100', before: '0', countries: 2 },
    { month: '2024-02-01', net_sales: '50', before: '100', countries: 2 },
  ]);
  expect(await growth(elsewhere.brand.id)).toEqual([
    { month: '2024-01-01', net_sales: '8', before: '0', countries: 2 },
    { month: '2024-02-01', net_sales: '6', before: '8', countries: 2 },
  ]);
});

test('one more order writes its customer and the months that this moves, and nothing of anybody else', async () => {
  await using shop = await aRolledShop();
  const { db } = shop;
  const ids = ['7', '8', '9'];
  const orders = ids.flatMap((id) =>
    ['01', '02', '03'].map((month) => ofCustomer(`${id}${month}`, id, `2024-${month}-10`, '10.00')),
  );
  await roll(shop, { orders });
  const versions = async () => {
    const rows = await db.rows(
      `select 'months ' || customer_id || ' ' || month as what, xmin::text as written from agg.customer_months
       union all select 'value ' || customer_id, xmin::text from agg.customer_value
       union all select 'cohorts ' || day, xmin::text from agg.customer_cohorts`,
    );
    return new Map(rows.map(({ what, written }) => [what, written]));
  };
  const before = await versions();
  await roll(shop, { orders: [ofCustomer('99', '8', '2024-02-20', '5.00')] });
  const after = await versions();
  expect([...after].filter(([what, written]) => before.get(what) !== written).map(([what]) => what)).toEqual([
    'months 8 2024-02-01',
    'value 8',
    'cohorts 2024-02-01',
  ]);
});

test('a brand without orders has no customers', async () => {
  await using shop = await aRolledShop();
  expect(await rollDirty(shop)).toMatchObject({ days: 0 });
  expect(await value(shop, 'segment')).toEqual([]);
  expect(await cohorts(shop, 'customers')).toEqual([]);
});

test('an erased customer is one customer, though a rollup saw the orders half redacted', async () => {
  await using shop = await aRolledShop();
  const { db, brand, place } = shop;
  const customer = '7012345678901';
  await roll(shop, {
    orders: [
      ofCustomer('1', customer, '2024-01-10', '10.00'),
      ofCustomer('2', customer, '2024-03-10', '20.00'),
    ],
  });
  const erase = async () => {
    const request = await askErasure(db, place, { customer });
    await runTask(privacyErase, { brandId: brand.id, request }, db);
  };
  const figures = async () => [
    await db.rows('select orders, net_sales, first_order_day from bi.customer_value'),
    await cohorts(shop, 'customers, new_customers as fresh'),
  ];
  const before = await figures();
  await erase();
  expect(await figures()).toEqual(before);
  // As in the midst of it: one order has the pseudonym, the other one not yet.
  await db.query("update raw.shopify_orders set customer_id = $1 where id = '1'", [customer]);
  await db.query(
    `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) values ($1, $2, 'sales', '2024-01-10', now())`,
    [brand.id, shop.retailer.id],
  );
  await rollDirty(shop);
  expect(await db.column('select count(*) from bi.customer_value')).toEqual([2]);
  await erase();
  await rollDirty(shop);
  expect(await figures()).toEqual(before);
  expect(await db.column("select distinct customer_id like 'erased:%' from agg.customer_months")).toEqual([
    true,
  ]);
});
