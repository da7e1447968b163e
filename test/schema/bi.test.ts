/** The contract with BI: names, columns and what they say of themselves. */
import { expect, test } from 'vitest';
import { rollups } from '#sql/rollups/index.ts';
import { isRestated } from '#sql/rollups/restate.ts';
import { freshDb } from '../support/db/db.ts';
import { dictionaryEntries, dictionaryFunctions, dictionaryText } from '../support/dictionary.ts';
import { aShop } from '../support/rows/factory.ts';

// What DESIGN.md promises; more columns are welcome.
const contract = {
  daily_sales: `brand_id brand retailer_id retailer day currency orders units units_returned gross_sales
    discounts returns net_sales shipping taxes duties fees tips gift_cards_sold refunded_money total_sales
    average_order_value new_customers returning_customers guest_orders reporting_currency fx_rate
    gross_sales_reporting net_sales_reporting total_sales_reporting computed_at`,
  daily_product_sales: `brand_id brand retailer_id retailer day currency product_id variant_id sku product
    category orders units units_returned gross_sales discounts returns net_sales cost_of_goods profit margin`,
  daily_country_sales: `brand_id brand retailer_id retailer day currency country orders customers units
    gross_sales returns net_sales`,
  daily_payments: `brand_id brand retailer_id retailer day currency charges charge_amount refunds
    refund_amount disputes dispute_amount failed_charges fees net payouts payout_amount closing_balance`,
  daily_email: `brand_id brand retailer_id retailer day campaign requests delivered bounces opens unique_opens
    machine_opens clicks unique_clicks spam_reports unsubscribes delivery_rate open_rate click_rate bounce_rate`,
  platform_metrics: 'day gmv mrr brands retailers connections orders new_customers churn_rate',
  sync_status: `brand_id brand retailer_id retailer connection_id connection stream provider state position
    last_success_at lag_seconds rows error`,
  completeness: 'brand_id brand day source state cause as_of',
};

test.each(Object.entries(contract))('bi.%s has its columns', async (view, columns) => {
  await using db = await freshDb();
  const entries = await dictionaryEntries(db);
  const found = entries.find((entry) => entry.view === view)?.columns.map(({ name }) => name);
  expect(found).toEqual(expect.arrayContaining(columns.split(/\s+/)));
});

test('every view, column and function says what it is', async () => {
  await using db = await freshDb();
  const entries = await dictionaryEntries(db);
  expect(entries.length).toBeGreaterThan(0);
  const silent = entries.flatMap(({ view, about, columns }) => [
    ...(about ? [] : [view]),
    ...columns.filter((column) => !column.about).map(({ name }) => `${view}.${name}`),
  ]);
  expect(silent).toEqual([]);
  const functions = await dictionaryFunctions(db);
  expect(functions.map(({ call }) => call.split('(')[0])).toEqual(['customer_segments', 'daily_sales_as_of']);
  expect(functions.filter(({ about }) => !about)).toEqual([]);
});

// Whoever sums them up over all rows of a view gets a number that means nothing.
const notAdditive = `
  closed_sales.returning_customers daily_country_sales.customers daily_email.unsubscribes
  daily_mrr.active_subscriptions daily_mrr.mrr daily_mrr.paused daily_mrr.trialing daily_payments.closing_balance
  daily_product_sales.orders daily_sales.average_order_value daily_sales.returning_customers daily_social.followers
  daily_social.reach daily_stock.level daily_stock.level_before platform_metrics.brands
  platform_metrics.churned_subscribers platform_metrics.connections platform_metrics.mrr platform_metrics.retailers
  platform_metrics.subscribers retailer_rankings.engagement retailer_rankings.net_sales retailer_rankings.spend
  revenue_forecast.lower revenue_forecast.predicted revenue_forecast.upper sales_adjustments.returning_customers
  snapshots.stored_bytes social_posts.reach`;

test('what does not add up says so', async () => {
  await using db = await freshDb();
  const columns = (await dictionaryEntries(db)).flatMap(({ view, columns }) =>
    columns.map(({ name, about }) => ({ name: `${view}.${name}`, about })),
  );
  const marked = columns.filter(({ about }) => about?.includes('NOT ADDITIVE')).map(({ name }) => name);
  expect(marked).toEqual(expect.arrayContaining(notAdditive.trim().split(/\s+/)));
});

test('bi.restatements names exactly the figures that it has', async () => {
  await using db = await freshDb();
  const entry = (await dictionaryEntries(db)).find(({ view }) => view === 'restatements');
  const about = entry?.columns.find(({ name }) => name === 'figure')?.about ?? '';
  // Only days that completeness judges are ever told final.
  const judged = await db.column(
    'select rollup from ops.rollups where figures in (select unnest(feeds) from ops.streams)',
  );
  const restated = rollups.filter((rollup) => isRestated(rollup)).map(({ name }) => name);
  expect((about.match(/\b\w+_\w+\b/g) ?? []).sort()).toEqual(
    restated.filter((name) => judged.includes(name)).sort(),
  );
});

test('docs/data-dictionary.md says the same (npm run docs:dictionary writes it)', async () => {
  await using db = await freshDb();
  const text = await dictionaryText(db);
  await expect(text).toMatchFileSnapshot('../../docs/data-dictionary.md');
});

test('a connection shows how far each of its streams is, and whether it is held', async () => {
  await using db = await freshDb();
  const { brand, connection, retailer } = await aShop(db);
  const status = () =>
    db.rows(
      `select retailer, stream, state, position, lag_seconds >= 3600 as late, rows, error from bi.sync_status
       where stream in ('shopify.orders', 'shopify.shop') order by stream`,
    );
  const never = { retailer: retailer.slug, state: 'never', position: null, late: null, rows: null };
  const [orders, shop] = ['shopify.orders', 'shopify.shop'].map((stream) => ({ ...never, stream }));
  expect(await status()).toEqual([
    { ...orders, error: null },
    { ...shop, error: null },
  ]);

  await db.query(
    `insert into ops.positions
     (brand_id, connection_id, stream, position, state, cause, last_run_at, last_success_at, updated_at)
     values ($1, $2, 'shopify.orders', '{"until": 1}', 'partial', 'rows missing', now(), now() - interval '1 hour', now())`,
    [brand.id, connection.id],
  );
  const run = `insert into ops.job_runs (job_id, task, brand_id, connection_id, payload, attempt, pool_id,
      claimed_at, started_at, finished_at, outcome, tally)
    values (1, 'sync_stream', $1, $2, '{"stream": "shopify.orders"}', 1, 'p', now(), now(), now(), 'partial', $3)`;
  await db.query(run, [brand.id, connection.id, { read: 12 }]);
  await db.query(run, [brand.id, connection.id, { read: 34 }]);
  const read = { ...orders, position: { until: 1 }, late: true, rows: 34 };
  expect(await status()).toEqual([
    { ...read, state: 'partial', error: 'rows missing' },
    { ...shop, error: null },
  ]);

  await db.query("update app.connections set held_at = now(), held_reason = 'bad key'");
  expect(await status()).toEqual([
    { ...read, state: 'held', error: 'bad key' },
    { ...shop, state: 'held', error: 'bad key' },
  ]);
});
