/** The questions of `docs/questions.md` are what an analyst types: that each runs, and that its answer is right. */
import { expect, test } from 'vitest';
import { readQuestions } from '../../bench/support/questions.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aConnection, aRetailer, aShop, type Shop } from '../support/rows/factory.ts';
import { anOrder, aProduct, type RawOrder } from '../support/rows/raw_orders.ts';
import { roll } from '../support/rows/rolled.ts';

test('each question of the documentation is a statement that bi answers', async () => {
  await using db = await freshDb();
  const questions = readQuestions();
  expect(questions).toHaveLength(20);
  const asked = { brand: 'none', retailer: 'none', day: '2024-03-10' };
  for (const { title, sql, names } of questions) {
    const { rows } = await db.query(
      sql,
      names.map((name) => asked[name]),
    );
    expect(rows, title).toEqual([]);
  }
});

/** The answer to the question of a number, at the end of March. */
async function answer(db: TestDb, number: number, { brand, retailer }: Pick<Shop, 'brand' | 'retailer'>) {
  const { sql = '', names = [] } = readQuestions()[number - 1] ?? {};
  const asked = { brand: brand.slug, retailer: retailer.slug, day: '2024-03-31' };
  return db.rows(
    sql,
    names.map((name) => asked[name]),
  );
}

const ordered = (id: string, at: string, more: RawOrder & { net?: string; units?: number } = {}) => {
  const { net = '10.00', units = 1, ...order } = more;
  return anOrder({
    ...{ id, at: `${at}T12:00:00Z`, sales: [{ line: `l${id}`, quantity: units, total: net }] },
    ...{ lines: [{ id: `l${id}`, variant: '1', product: '900' }], ...order },
  });
};

/** Two brands with the same ids, the second of which sells a hundred times as much. */
async function twoSellers(db: TestDb, orders: (times: string) => ReturnType<typeof anOrder>[]) {
  const [one, two] = [await aShop(db), await aShop(db)];
  const products = [aProduct({ variant: '1', costs: [{ from: '2024-01-01T00:00:00Z', cost: '4.00' }] })];
  await roll({ ...one, db }, { orders: orders(''), products });
  await roll({ ...two, db }, { orders: orders('00'), products });
  return one;
}

test('an amount without a rate is missing from consolidated sums, which say so', async () => {
  await using db = await freshDb();
  const one = await twoSellers(db, (times) => [
    ordered('1', '2024-02-20', { net: `1${times}` }),
    ordered('2', '2024-03-20', { net: `3${times}` }),
    ordered('3', '2024-03-20', { net: `50${times}`, currency: 'EUR' }),
  ]);
  const gbp = { reporting_currency: 'GBP' };
  expect(await answer(db, 2, one)).toEqual([
    { ...gbp, day: '2024-02-20', net_sales: '1.00', is_complete: true, orders: '1' },
    { ...gbp, day: '2024-03-20', net_sales: '3.00', is_complete: false, orders: '2' },
  ]);
  expect(await answer(db, 4, one)).toEqual([
    { ...gbp, retailer: one.retailer.slug, now: '3.00', before: '1.00', more: '2.00', is_complete: false },
  ]);
});

test('months of two years are whole ones', async () => {
  await using db = await freshDb();
  const one = await twoSellers(db, () => [
    ordered('1', '2022-02-28'),
    ordered('2', '2022-03-01'),
    ordered('3', '2022-03-31'),
    ordered('4', '2024-03-31'),
  ]);
  expect(await answer(db, 3, one)).toEqual([
    { month: '2022-03-01', currency: 'GBP', net_sales: '20', orders: '2' },
    { month: '2024-03-01', currency: 'GBP', net_sales: '10', orders: '1' },
  ]);
});

test('a customer of a month counts once, as new or as returning', async () => {
  await using db = await freshDb();
  const one = await twoSellers(db, () => [
    ordered('1', '2024-01-10', { customer: '7' }),
    ...['01', '02', '03'].map((day) => ordered(`7${day}`, `2024-03-${day}`, { customer: '7' })),
    ...['11', '12'].map((day) => ordered(`8${day}`, `2024-03-${day}`, { customer: '8' })),
    ordered('9', '2024-03-13'),
  ]);
  expect(await answer(db, 5, one)).toEqual([
    { retailer: one.retailer.slug, currency: 'GBP', new_customers: '1', returning_customers: '1' },
  ]);
});

test('the best products and customers are those of a currency, each with its shop', async () => {
  await using db = await freshDb();
  const one = await twoSellers(db, (times) => [
    ordered('1', '2024-03-01', { customer: '7', net: `20${times}` }),
    ordered('2', '2024-03-02', { customer: '8', net: `9000${times}`, currency: 'JPY' }),
  ]);
  const { brand, retailer, connection } = one;
  const second = await aConnection(db, { brandId: brand.id, retailerId: retailer.id, name: 'second' });
  // The same ids in another shop of the retailer; nobody knows what this variant costs.
  await roll(
    { ...one, connection: second, db },
    { orders: [ordered('1', '2024-03-01', { customer: '7', net: '30' })] },
  );
  const product = { product_key: '1', units: '1' };
  expect(await answer(db, 6, one)).toMatchObject([
    {
      ...product,
      currency: 'GBP',
      rank: 1,
      connection: 'second',
      net_sales: '30',
      profit: null,
      units_without_cost: '1',
    },
    { ...product, currency: 'GBP', rank: 2, connection: connection.name, net_sales: '20', profit: '16' },
    { ...product, currency: 'JPY', rank: 1, connection: connection.name, net_sales: '9000' },
  ]);
  expect(await answer(db, 17, one)).toMatchObject([
    { currency: 'GBP', rank: 1, connection_id: second.id, customer_id: '7', net_sales: '30' },
    { currency: 'GBP', rank: 2, connection_id: connection.id, customer_id: '7', net_sales: '20' },
    { currency: 'JPY', rank: 1, connection_id: connection.id, customer_id: '8', net_sales: '9000' },
  ]);
});

test('a profit of which some cost is unknown is unknown', async () => {
  await using db = await freshDb();
  const one = await aShop(db);
  const orders = [ordered('1', '2024-03-01'), ordered('2', '2024-03-20')];
  const products = [aProduct({ variant: '1', costs: [{ from: '2024-03-10T00:00:00Z', cost: '4.00' }] })];
  await roll({ ...one, db }, { orders, products });
  expect(await answer(db, 6, one)).toMatchObject([
    { net_sales: '20', profit: null, units_without_cost: '1' },
  ]);
});

test('a forecast is the latest attempt, with its currency', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aShop(db);
  const silent = await aRetailer(db, { brandId: brand.id });
  const forecast = (retailerId: string, day: string, state: 'forecast' | 'silent') =>
    db.query(
      `with quality as (
         insert into agg.forecast_quality (brand_id, retailer_id, day, currency, state, cause, history_days, origins, computed_at)
         values ($1, $2, $3, 'EUR', $4, case when $4 = 'silent' then 'dormant' end, 1, 1, now())
       )
       insert into agg.revenue_forecast (brand_id, retailer_id, day, currency, for_day, predicted, lower, upper, confidence,
         method, computed_at)
       select $1, $2, $3::date, 'EUR', $3::date, 5, 4, 6, 0.8, 'weekly_smoothing', now() where $4 = 'forecast'`,
      [brand.id, retailerId, day, state],
    );
  for (const { id } of [retailer, silent]) await forecast(id, '2024-03-01', 'forecast');
  await forecast(retailer.id, '2024-03-02', 'forecast');
  await forecast(silent.id, '2024-03-02', 'silent');
  expect(await answer(db, 19, { brand, retailer })).toMatchObject([
    { day: '2024-03-02', currency: 'EUR', predicted: '5' },
  ]);
  expect(await answer(db, 19, { brand, retailer: silent })).toEqual([]);
});

test('who asks how many people were reached is told the reach', () => {
  expect(readQuestions()[13]?.sql).toMatch(/\breach\b/);
});
