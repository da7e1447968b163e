/** What all brands come to together, by hand. */
import { expect, test } from 'vitest';
import { keepPlatformCurrency } from '#sql/tenants/platform.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aBrand, aConnection, aRetailer } from '../support/rows/factory.ts';

type Place = { brandId: string; retailerId: string };

async function aPlace(db: TestDb, timeZone = 'Europe/London'): Promise<Place> {
  const brand = await aBrand(db, { timeZone });
  const retailer = await aRetailer(db, { brandId: brand.id });
  return { brandId: brand.id, retailerId: retailer.id };
}

async function sold(
  db: TestDb,
  { brandId, retailerId }: Place,
  day: string,
  currency: string,
  gross: string,
) {
  await db.query(
    `insert into agg.daily_sales values
       ($1, $2, $3, $4, 3, 2, 1, 0, 5, 0, $5, 0, 0, $5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'GBP', null, null, null, now())`,
    [brandId, retailerId, day, currency, gross],
  );
}

async function recurs(
  db: TestDb,
  { brandId, retailerId }: Place,
  day: string,
  currency: string,
  mrr: string,
) {
  await db.query(
    `insert into agg.daily_mrr (brand_id, retailer_id, day, currency, plan, is_reconstructed, is_metered,
       active_subscriptions, trialing, mrr, new_mrr, expansion_mrr, reactivated_mrr, contraction_mrr, churned_mrr,
       churned_subscriptions, computed_at)
     values ($1, $2, $3, $4, 'p', false, false, 1, 0, $5, 0, 0, 0, 0, 0, 0, now())`,
    [brandId, retailerId, day, currency, mrr],
  );
}

/** A subscription that is worth something from one instant to another. */
async function subscribed(db: TestDb, { brandId, retailerId }: Place, connectionId: string, life: string[]) {
  const [customer, subscription, from, until] = life;
  await db.query(
    `insert into agg.subscription_states (brand_id, retailer_id, connection_id, subscription_id, plan, valid_from,
       valid_until, customer_id, currency, is_trialing, is_metered, monthly, is_reconstructed, time_zone, computed_at)
     values ($1, $2, $3, $4, 'p', $5, $6, $7, 'GBP', false, false, 10, false, 'Europe/London', now())`,
    [brandId, retailerId, connectionId, subscription, from, until, customer],
  );
}

const rate = (db: TestDb, currency: string, day: string, perEuro: string) =>
  db.query('insert into app.fx_rates values ($1, $2, $3, $4, now())', [currency, day, perEuro, 'test']);

test('sales and MRR of all brands are converted at the rate of their day, and charges are no part of them', async () => {
  await using db = await freshDb();
  const [london, tokyo] = [await aPlace(db), await aPlace(db, 'Asia/Tokyo')];
  await rate(db, 'GBP', '2026-03-02', '0.8');
  await rate(db, 'JPY', '2026-03-02', '160');
  await rate(db, 'GBP', '2026-03-03', '0.5');
  await sold(db, london, '2026-03-02', 'GBP', '100.002');
  await sold(db, tokyo, '2026-03-02', 'JPY', '1000');
  await sold(db, london, '2026-03-04', 'GBP', '100');
  await recurs(db, london, '2026-03-04', 'GBP', '10');
  await recurs(db, tokyo, '2026-03-04', 'EUR', '3');
  await db.query(
    `insert into agg.daily_payments (brand_id, retailer_id, day, currency, charges, charge_amount, refunds,
       refund_amount, disputes, dispute_amount, failed_charges, failed_amount, fees, payout_fees, net, payouts,
       payout_amount, other, topup_amount, transfer_amount, other_balances, balance_change, computed_at)
     values ($1, $2, '2026-03-02', 'GBP', 1, 100, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 100, now())`,
    [london.brandId, london.retailerId],
  );
  const rows = await db.rows(
    `select day, currency, gmv, mrr, orders, new_customers, is_complete, oldest_fx_day, churn_rate
     from bi.platform_metrics order by day`,
  );
  const whole = { currency: 'EUR', is_complete: true, churn_rate: null };
  expect(rows).toEqual([
    // 100.002 / 0.8 = 125.0025 and 1000 / 160 = 6.25, each rounded by itself.
    {
      ...whole,
      day: '2026-03-02',
      gmv: '131.25',
      mrr: '0',
      orders: 6,
      new_customers: 4,
      oldest_fx_day: '2026-03-02',
    },
    { ...whole, day: '2026-03-03', gmv: '0', mrr: '0', orders: 0, new_customers: 0, oldest_fx_day: null },
    {
      ...whole,
      day: '2026-03-04',
      gmv: '200',
      mrr: '23',
      orders: 3,
      new_customers: 2,
      oldest_fx_day: '2026-03-03',
    },
  ]);
});

test('money without a rate is left out, counted and named; a day of nothing else has no figure', async () => {
  await using db = await freshDb();
  const place = await aPlace(db);
  await rate(db, 'GBP', '2026-03-02', '0.5');
  await sold(db, place, '2026-03-02', 'GBP', '1');
  await sold(db, place, '2026-03-02', 'RUB', '500');
  await recurs(db, place, '2026-03-02', 'AED', '7');
  await sold(db, place, '2026-03-03', 'RUB', '500');
  await sold(db, place, '2026-03-04', 'RUB', '0'); // nothing is missing where there is nothing
  const rows = await db.rows(
    'select gmv, mrr, orders, is_complete, unconverted_currencies as u, unconverted_rows as n from bi.platform_metrics order by day',
  );
  expect(rows).toEqual([
    { gmv: '2', mrr: '0', orders: 6, is_complete: false, u: ['AED', 'RUB'], n: 2 },
    { gmv: null, mrr: '0', orders: 3, is_complete: false, u: ['RUB'], n: 1 },
    { gmv: '0', mrr: '0', orders: 3, is_complete: true, u: [], n: 0 },
  ]);
});

test('brands, retailers and connections count from the day of their own zone on which they were added', async () => {
  await using db = await freshDb();
  const [london, kiritimati] = [await aPlace(db), await aPlace(db, 'Pacific/Kiritimati')]; // 14 hours ahead
  await aConnection(db, london);
  const at = '2026-03-02T20:00:00Z';
  for (const table of ['brands', 'retailers', 'connections'])
    await db.query(`update app.${table} set created_at = $1`, [at]);
  for (const day of ['2026-03-01', '2026-03-04']) await sold(db, kiritimati, day, 'EUR', '1');
  const rows = await db.rows('select brands, retailers, connections from bi.platform_metrics order by day');
  expect(rows).toEqual([
    { brands: 0, retailers: 0, connections: 0 },
    { brands: 1, retailers: 1, connections: 1 },
    { brands: 2, retailers: 2, connections: 1 },
    { brands: 2, retailers: 2, connections: 1 },
  ]);
});

test('a customer churns when nothing of theirs is left, and the rate is over 30 days', async () => {
  await using db = await freshDb();
  const place = await aPlace(db);
  const { id } = await aConnection(db, { ...place, provider: 'stripe', account: 'acct_1', auth: 'key' });
  const lives = [
    ['stays', 's1', '2026-01-05T10:00Z', 'infinity'],
    ['loses one of two', 's2', '2026-01-05T10:00Z', '2026-03-10T10:00Z'],
    ['loses one of two', 's3', '2026-02-05T10:00Z', 'infinity'],
    ['leaves', 's4', '2026-01-05T10:00Z', '2026-03-10T23:30Z'],
    ['comes and leaves', 's5', '2026-03-08T10:00Z', '2026-03-12T10:00Z'],
    ['changes plans at noon', 's6', '2026-01-05T10:00Z', '2026-03-10T12:00Z'],
    ['changes plans at noon', 's7', '2026-03-10T12:00Z', 'infinity'],
    ['was never there at the end of a day', 's8', '2026-03-10T10:00Z', '2026-03-10T12:00Z'],
  ];
  for (const life of lives) await subscribed(db, place, id, life);
  // Another brand with the same ids of customers and connections counts for itself.
  const other = await aPlace(db);
  await subscribed(db, other, id, ['leaves', 's4', '2026-01-05T10:00Z', 'infinity']);
  for (const day of ['2026-01-04', '2026-04-15']) await recurs(db, place, day, 'EUR', '1');
  const rows = await db.rows(
    `select day, subscribers, churned_subscribers as churned, churn_rate from bi.platform_metrics
     where day in ('2026-01-04', '2026-03-09', '2026-03-10', '2026-03-12', '2026-04-09', '2026-04-15') order by day`,
  );
  expect(rows).toEqual([
    { day: '2026-01-04', subscribers: 0, churned: 0, churn_rate: null },
    { day: '2026-03-09', subscribers: 6, churned: 0, churn_rate: '0.0000' },
    { day: '2026-03-10', subscribers: 5, churned: 1, churn_rate: '0.1667' }, // of 5 thirty days before and 1 who came
    { day: '2026-03-12', subscribers: 4, churned: 2, churn_rate: '0.3333' },
    { day: '2026-04-09', subscribers: 4, churned: 1, churn_rate: '0.2000' }, // 10 March is 30 days ago
    { day: '2026-04-15', subscribers: 4, churned: 0, churn_rate: '0.0000' },
  ]);
});

test('a day to which running subscriptions were not carried is not complete', async () => {
  await using db = await freshDb();
  const [current, behind] = [await aPlace(db), await aPlace(db)];
  const { id } = await aConnection(db, { ...behind, provider: 'stripe', account: 'acct_1', auth: 'key' });
  await subscribed(db, behind, id, ['c', 's', '2026-03-01T00:00Z', 'infinity']);
  await db.query('insert into ops.days_carried values ($1, $2, $3)', [
    behind.brandId,
    behind.retailerId,
    '2026-03-02T09:00Z',
  ]);
  for (const day of ['2026-03-01', '2026-03-02', '2026-03-03']) await recurs(db, current, day, 'EUR', '1');
  const rows = await db.rows(
    'select is_complete, retailers_without_mrr as n from bi.platform_metrics order by day',
  );
  expect(rows).toEqual([
    { is_complete: true, n: 0 },
    { is_complete: true, n: 0 },
    { is_complete: false, n: 1 },
  ]);
});

test('the currency is the one that a process was told last, and one that is not told leaves it', async () => {
  await using db = await freshDb();
  await sold(db, await aPlace(db), '2026-03-02', 'GBP', '100');
  await rate(db, 'GBP', '2026-03-02', '0.8');
  const seen = () => db.rows('select currency, gmv from bi.platform_metrics');
  expect(await seen()).toEqual([{ currency: 'EUR', gmv: '125' }]);
  await keepPlatformCurrency(db, 'GBP', new Date());
  await keepPlatformCurrency(db, undefined, new Date());
  await keepPlatformCurrency(db, 'GBP', new Date());
  expect(await seen()).toEqual([{ currency: 'GBP', gmv: '100' }]);
  expect(await db.rows("select before, after from ops.audit_log where action = 'platform.currency'")).toEqual(
    [{ before: { currency: 'EUR' }, after: { currency: 'GBP' } }],
  );
  await expect(keepPlatformCurrency(db, 'XQX', new Date())).rejects.toMatchObject({
    code: 'NS_CURRENCY_UNKNOWN',
  });
});
