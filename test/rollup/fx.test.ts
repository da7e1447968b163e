/** Reporting currency: dated ECB rates by way of the euro, kept with the row, rounded once in the view. */
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, roll } from '../support/rows/rolled.ts';

type Rate = [currency: string, day: string, unitsPerEuro: string];

async function publish(db: TestDb, rates: readonly Rate[]) {
  for (const rate of rates)
    await db.query("insert into app.fx_rates values ($1, $2, $3, 'ecb', now())", [...rate]);
}

/** The rate from one currency to another on a day. */
async function rateOf(rates: readonly Rate[], from: string, to: string, day: string) {
  await using db = await freshDb();
  await publish(db, rates);
  const [row] = await db.rows('select * from fact.exchange_rate($1, $2, $3)', [from, to, day]);
  return row;
}

const april: Rate[] = [
  ['GBP', '2026-04-13', '0.87058'],
  ['USD', '2026-04-13', '1.1684'],
  ['JPY', '2026-04-13', '186.75'],
];

test('a cross goes by way of the euro, with twelve places', async () => {
  const rate = { fx_day: '2026-04-13', fx_cause: null };
  const on = (from: string, to: string) => rateOf(april, from, to, '2026-04-13');
  expect(await on('GBP', 'USD')).toEqual({ fx_rate: '1.342093776563', ...rate });
  expect(await on('EUR', 'USD')).toEqual({ fx_rate: '1.168400000000', ...rate });
  expect(await on('JPY', 'EUR')).toEqual({ fx_rate: '0.005354752343', ...rate });
});

test('one currency is one of itself, even where nothing was ever published', async () => {
  const same = { fx_rate: '1', fx_day: '2026-04-13', fx_cause: null };
  expect(await rateOf([], 'AED', 'AED', '2026-04-13')).toEqual(same);
  expect(await rateOf([], 'EUR', 'EUR', '2026-04-13')).toEqual(same);
});

test('the last earlier rate holds for ten calendar days, a later one never', async () => {
  const on = (day: string) => rateOf(april, 'GBP', 'USD', day);
  expect(await on('2026-04-23')).toMatchObject({ fx_rate: '1.342093776563', fx_day: '2026-04-13' });
  expect(await on('2026-04-24')).toEqual({ fx_rate: null, fx_day: null, fx_cause: 'stale_rate' });
  expect(await on('2026-04-12')).toEqual({ fx_rate: null, fx_day: null, fx_cause: 'no_rate' });
});

test('both sides of a cross are of one day: the last that has both', async () => {
  const rates: Rate[] = [...april, ['USD', '2026-04-14', '9'], ['GBP', '2026-04-12', '1']];
  expect(await rateOf(rates, 'GBP', 'USD', '2026-04-14')).toMatchObject({
    fx_rate: '1.342093776563',
    fx_day: '2026-04-13',
  });
});

test('a currency that nobody publishes has no rate and says so', async () => {
  const none = { fx_rate: null, fx_day: null, fx_cause: 'no_rate' };
  expect(await rateOf(april, 'AED', 'USD', '2026-04-13')).toEqual(none);
  expect(await rateOf(april, 'EUR', 'AED', '2026-04-13')).toEqual(none);
});

test('the report rounds once, half away from zero, to the places of its currency', async () => {
  await using shop = await aRolledShop({ reportingCurrency: 'JPY' });
  await publish(shop.db, [
    ['JPY', '2024-05-01', '2.5'],
    ['KWD', '2024-05-01', '0.5'],
  ]);
  const back = { reason: 'REFUND', quantity: -1, total: '-0.100', at: '2024-05-02T12:00:00Z' };
  const orders = [
    anOrder({ id: '1', currency: 'KWD', sales: [{ quantity: 1, total: '1.100', tax: '0.100' }, back] }),
    anOrder({ id: '2', currency: 'KWD', sales: [{ quantity: 1, total: '0.1', tax: '0' }] }),
    anOrder({ id: '3', currency: 'JPY', sales: [{ quantity: 1, total: '700' }] }),
  ];
  await roll(shop, { orders });
  const columns =
    'day, currency, fx_rate, gross_sales, gross_sales_reporting, net_sales_reporting, total_sales_reporting';
  expect(await figures(shop.db, 'daily_sales', columns)).toEqual([
    {
      ...{ day: '2024-05-01', currency: 'JPY', fx_rate: '1', gross_sales: '700' },
      ...{ gross_sales_reporting: '700', net_sales_reporting: '700', total_sales_reporting: '700' },
    },
    {
      ...{ day: '2024-05-01', currency: 'KWD', fx_rate: '5', gross_sales: '1.1' },
      ...{ gross_sales_reporting: '6', net_sales_reporting: '6', total_sales_reporting: '6' },
    },
    {
      ...{ day: '2024-05-02', currency: 'KWD', fx_rate: '5', gross_sales: '0' },
      ...{ gross_sales_reporting: '0', net_sales_reporting: '-1', total_sales_reporting: '-1' },
    },
  ]);
});

test('each currency has the places that ISO 4217 gives it', async () => {
  await using db = await freshDb();
  const rounded = (currency: string) =>
    db.column(`select fact.round_to_currency(a, $1) from unnest(array[2.5, -2.5, 1.00055]) a`, [currency]);
  expect(await rounded('JPY')).toEqual(['3', '-3', '1']);
  expect(await rounded('KWD')).toEqual(['2.500', '-2.500', '1.001']);
  expect(await rounded('GBP')).toEqual(['2.50', '-2.50', '1.00']);
});

test('without a rate the figures stand in their own currency only', async () => {
  await using shop = await aRolledShop({ reportingCurrency: 'USD' });
  await roll(shop, { orders: [anOrder()] });
  expect(
    await figures(shop.db, 'daily_sales', 'gross_sales, gross_sales_reporting, fx_rate, fx_cause'),
  ).toEqual([{ gross_sales: '10', gross_sales_reporting: null, fx_rate: null, fx_cause: 'no_rate' }]);
});
