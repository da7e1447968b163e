/** What a day of cash costs must not depend on how long the history is, nor on how many retailers there are. */
import { beforeAll, expect, test } from 'vitest';
import { dailyPayments } from '#sql/rollups/daily_payments.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aConnection, aShop } from '../support/rows/factory.ts';

type Plan = { 'Relation Name'?: string; 'Actual Rows': number; 'Actual Loops': number; Plans?: Plan[] };

const DAY = '2024-05-05';
const PER_DAY = 30;

/** Every node of a plan. */
function nodes(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)];
}

/** Rows that a statement reads of each table, all loops together. */
async function readsOf(db: TestDb, sql: string, values: unknown[]): Promise<Map<string, number>> {
  const [plan] = await db.column(`explain (analyze, format json) ${sql}`, values);
  const [{ Plan: root }] = plan as [{ Plan: Plan }];
  const reads = new Map<string, number>();
  for (const node of nodes(root)) {
    const name = node['Relation Name'];
    if (name !== undefined)
      reads.set(name, (reads.get(name) ?? 0) + node['Actual Rows'] * node['Actual Loops']);
  }
  return reads;
}

/** Three retailers of a brand with 300 days of 30 orders, charges and bookings each. */
async function aLongHistory(db: TestDb): Promise<{ brandId: string; retailerIds: string[] }> {
  const { brand, retailer, connection } = await aShop(db);
  const days = "'2024-01-01T12:00:00Z'::timestamptz + n / 30 * interval '1 day'";
  const retailerIds = [retailer.id];
  const shops = [connection.id];
  for (let count = 0; count < 2; count++) {
    const other = await aConnection(db, { brandId: brand.id });
    retailerIds.push(other.retailerId);
    shops.push(other.id);
  }
  for (const [index, retailerId] of retailerIds.entries()) {
    const owner = { brandId: brand.id, retailerId, provider: 'stripe', auth: 'key' } as const;
    const stripe = await aConnection(db, { ...owner, account: `acct_${index}`, secret: 'rk_test_1' });
    await db.query(
      `insert into raw.shopify_orders (brand_id, connection_id, id, name, processed_at, created_at, test, counted,
         currency, presentment_currency, taxes_included, country, discount_codes, total_price, current_total_price,
         total_refunded, changed_at, seen_at)
       select $1, $2, n::text, '#' || n, ${days}, ${days}, false, true, 'GBP', 'GBP', false, 'GB', '{}', 10, 10, 0,
         ${days}, ${days} from generate_series(0, 8999) n`,
      [brand.id, shops[index]],
    );
    await db.query(
      `insert into raw.stripe_charges (brand_id, connection_id, id, status, paid, captured, disputed, currency,
         amount, amount_captured, amount_refunded, order_reference, created_at, payload, changed_at, seen_at)
       select $1, $2, 'ch_' || n, case when n % 10 = 0 then 'failed' else 'succeeded' end, n % 10 > 0, n % 10 > 0, false,
         'GBP', 10, case when n % 10 = 0 then 0 else 10 end, 0, n::text, ${days},
         jsonb_build_object('filler', repeat('x', 300)), ${days}, ${days} from generate_series(0, 8999) n`,
      [brand.id, stripe.id],
    );
    await db.query(
      `insert into raw.stripe_balance_transactions (brand_id, connection_id, id, type, reporting_category,
         balance_type, status, source_id, currency, amount, fee, net, available_on, created_at, changed_at, seen_at)
       select $1, $2, 'txn_' || n, 'charge', 'charge', 'payments', 'available', 'ch_' || n, 'GBP', 10, 1, 9, ${days},
         ${days}, ${days}, ${days} from generate_series(0, 8999) n where n % 10 > 0`,
      [brand.id, stripe.id],
    );
    const all = await db.column(
      "select day::date from generate_series('2024-01-01'::date, '2024-10-26', interval '1 day') day",
    );
    const causes = all.map(() => null);
    await db.query(dailyPayments.sql, [
      brand.id,
      all.map(() => retailerId),
      all,
      new Date(),
      causes,
      null,
      0,
    ]);
  }
  await db.query('vacuum analyze');
  return { brandId: brand.id, retailerIds };
}

let db: TestDb;
let history: Awaited<ReturnType<typeof aLongHistory>>;
beforeAll(async () => {
  db = await freshDb();
  history = await aLongHistory(db);
  return () => db[Symbol.asyncDispose]();
}, 120_000);

test('the rollup of one day reads the rows of that day', async () => {
  const values = [history.brandId, [history.retailerIds[0]], [DAY], new Date(), [null], null, 0];
  const reads = await readsOf(db, dailyPayments.sql, values);
  // Rows of a node are told as a rounded mean of its loops.
  expect(reads.get('stripe_balance_transactions')).toBeLessThanOrEqual(PER_DAY);
  expect(reads.get('stripe_charges')).toBeLessThanOrEqual(PER_DAY);
  expect(reads.get('daily_payments')).toBeLessThanOrEqual(2);
});

test.each(['day', 'closing_balance'])(
  'bi.daily_payments with its %s reads one retailer, by id or by name',
  async (column) => {
    for (const condition of [
      'brand_id = $1 and retailer_id = $2',
      'brand_id = $1 and retailer = (select slug from app.retailers where id = $2)',
    ]) {
      const sql = `select ${column} from bi.daily_payments where day = $3 and ${condition}`;
      const reads = await readsOf(db, sql, [history.brandId, history.retailerIds[1], DAY]);
      expect(reads.get('daily_payments')).toBeLessThanOrEqual(300);
    }
  },
);

test('cash and sales of one day are matched by the rows of that day', async () => {
  const sql = 'select * from bi.daily_cash_and_sales where brand_id = $1 and retailer_id = $2 and day = $3';
  const values = [history.brandId, history.retailerIds[0], DAY];
  expect(await db.rows(sql, values)).toMatchObject([
    { orders_placed: PER_DAY, orders_matched: PER_DAY - 3, orders_open: 3, matched_charges: PER_DAY - 3 },
  ]);
  const reads = await readsOf(db, sql, values);
  for (const table of ['shopify_orders', 'stripe_charges', 'stripe_balance_transactions'])
    expect(reads.get(table), table).toBeLessThanOrEqual(10 * PER_DAY);
});
