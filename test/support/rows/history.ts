/**
 * A history of two brands with equal ids at their providers, each with two retailers that have a shop and an
 * account of Stripe, and a profile of Ayrshare: by the hundred a day, what rollups, views and loads read. Nothing in it
 * is random.
 */
import { rollups } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { addConnection } from '#sql/tenants/connections.ts';
import type { TestDb } from '../db/db.ts';
import { aBrand, aConnection, aRetailer, testKeyring } from './factory.ts';

export const PER_DAY = 50;
export const FIRST_DAY = '2024-01-01';
const MONTHS = 6;
/** So many orders on, customers and variants are others: what one of them has does not grow with the history. */
export const GENERATION = 3_000;
const CUSTOMER = `n / ${GENERATION} * 700 + n % ${GENERATION} % 700`;
const CURRENCIES = [
  'USD',
  'GBP',
  'JPY',
  'CHF',
  'SEK',
  'NOK',
  'DKK',
  'PLN',
  'CZK',
  'HUF',
  'AUD',
  'CAD',
  'NZD',
];
const CAMPAIGN = `'spring' || n / 500`;
const VARIANTS = 1_500;
const VARIANT = `n / ${GENERATION} * ${VARIANTS} + n % ${VARIANTS}`;

export type Seller = {
  brandId: string;
  retailerId: string;
  shopId: string;
  stripeId: string;
  socialId?: string;
  mailId?: string;
};

export async function someSellers(db: TestDb): Promise<[Seller, ...Seller[]]> {
  const sellers: Seller[] = [];
  for (const slug of ['one', 'two']) {
    const { id: brandId } = await aBrand(db, { slug });
    const profile = {
      brandId,
      name: 'social',
      provider: 'ayrshare',
      account: `ref-${slug}`,
      auth: 'primary',
      secret: 'x',
    };
    const account = {
      ...profile,
      name: 'mail',
      provider: 'sendgrid',
      account: slug,
      auth: 'key',
      secret: 'SG.x.y',
    };
    const social = await db.transaction((tx) => addConnection(tx, testKeyring, profile));
    const mail = await db.transaction((tx) => addConnection(tx, testKeyring, account));
    await db.query(
      `with one as (insert into app.campaigns (brand_id, slug, name) values ($1, 'spring', 'Spring') returning id)
       insert into app.campaign_links (brand_id, kind, value, campaign_id)
       select $1, 'utm_campaign', ${CAMPAIGN}, id from one, generate_series(0, 10000, 500) n
       union all select $1, 'email_category', 'letters', id from one`,
      [brandId],
    );
    for (const retailer of ['north', 'south']) {
      const { id: retailerId } = await aRetailer(db, { brandId, slug: retailer });
      const shop = await aConnection(db, { brandId, retailerId });
      const owner = { brandId, retailerId, provider: 'stripe', auth: 'key', secret: 'rk_test_x' } as const;
      const stripe = await aConnection(db, { ...owner, account: `acct_${slug}_${retailer}` });
      const seller = { brandId, retailerId, shopId: shop.id, stripeId: stripe.id };
      sellers.push(retailer === 'north' ? { ...seller, socialId: social.id, mailId: mail.id } : seller);
    }
  }
  await db.query(`select ops.make_event_months(array(
    select date '${FIRST_DAY}' + month * interval '1 month' from generate_series(0, ${MONTHS} - 1) month)::date[])`);
  return sellers as [Seller, ...Seller[]];
}

const STAMPS = 'changed_at, seen_at';

// $1 brand, $2 connection, and of the orders from $3 up to $4, which are made as time goes on.
const ORDERS = `(
  select n, timestamptz '${FIRST_DAY} 00:30Z' + n / ${PER_DAY} * interval '1 day' + n % ${PER_DAY} * interval '25 minutes' as at
  from generate_series($3::int, $4::int - 1) n) o`;
const SHOP = [
  `insert into raw.shopify_shops (brand_id, connection_id, id, name, domain, currency, time_zone, taxes_included, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, '1', 'S', 's', 'USD', 'UTC', false, at, at, at from ${ORDERS} where n = 0`,
  `insert into raw.shopify_orders (brand_id, connection_id, id, name, processed_at, created_at, test, counted, currency,
     presentment_currency, taxes_included, customer_id, country, discount_codes, total_price, current_total_price,
     total_refunded, utm_campaign, visited_at, person, ${STAMPS})
   select $1::uuid, $2::uuid, n::text, '#' || n, at, at, false, true, 'USD', 'USD', false,
     case when n % 7 > 0 then ${CUSTOMER} end, 'GB', '{}', 20, 20, 0, case when n % 3 = 0 then ${CAMPAIGN} end, at - interval '1 hour',
     (${CUSTOMER})::text, at, at from ${ORDERS}`,
  `insert into raw.shopify_order_lines (brand_id, connection_id, id, order_id, product_id, variant_id, sku, title, quantity,
     current_quantity, is_gift_card, currency, unit_price, ${STAMPS})
   select $1::uuid, $2::uuid, n * 10 + l, n, 'p' || ${VARIANT}, case when n % 50 > 0 then n / ${GENERATION} * ${VARIANTS} + (n + l) % ${VARIANTS} end, 's', 'T', 1, 1,
     false, 'USD', 10, at, at from ${ORDERS}, generate_series(1, 2) l`,
  `insert into raw.shopify_sales (brand_id, connection_id, id, order_id, agreement_id, reason, booked_at, action_type,
     line_type, line_id, quantity, currency, total_amount, tax_amount, discount_amount, ${STAMPS})
   select $1::uuid, $2::uuid, n * 10 + l, n, 'a' || n, 'ORDER', at, 'ORDER', 'PRODUCT', n * 10 + l, 1, 'USD', 10, 0, 0, at, at
   from ${ORDERS}, generate_series(1, 2) l
   union all
   select $1::uuid, $2::uuid, -n, n, 'r' || n, 'REFUND', at + interval '9 days', 'RETURN', 'PRODUCT', n * 10 + 1, -1, 'USD', -10, 0, 0,
     at, at from ${ORDERS} where n % 10 = 0`,
  `insert into raw.shopify_transactions (brand_id, connection_id, id, order_id, kind, status, test, processed_at, currency,
     amount, ${STAMPS})
   select $1::uuid, $2::uuid, n::text, n, case when n % 10 = 0 then 'REFUND' else 'SALE' end, 'SUCCESS', false, at, 'USD', 10, at, at
   from ${ORDERS}`,
  `insert into raw.shopify_costs (brand_id, connection_id, id, valid_from, product_id, currency, cost, ${STAMPS})
   select $1::uuid, $2::uuid, ${VARIANT}, at, 'p' || ${VARIANT}, 'USD', 3, at, at from ${ORDERS} where n % 20 = 0`,
  `insert into raw.shopify_variants (brand_id, connection_id, id, product_id, title, ${STAMPS})
   select $1::uuid, $2::uuid, n::text, 'p' || n, 'V', at, at from ${ORDERS} where n % ${GENERATION} < ${VARIANTS} / 2`,
  `insert into raw.shopify_stock_readings (brand_id, connection_id, id, valid_from, product_id, available, ${STAMPS})
   select $1::uuid, $2::uuid, ${VARIANT}, at, 'p' || ${VARIANT}, n % 90, at, at from ${ORDERS}`,
  `insert into raw.shopify_products (brand_id, connection_id, id, title, status, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, 'p' || n, 'P', 'ACTIVE', at, at, at from ${ORDERS} where n % ${GENERATION} < ${VARIANTS}`,
];
const STRIPE = [
  `insert into raw.stripe_subscription_items (brand_id, connection_id, id, subscription_id, price_id, ${STAMPS})
   select $1::uuid, $2::uuid, 'i' || n, 's' || n, 'p', at, at from ${ORDERS} where n % 5 = 0`,
  `insert into raw.stripe_charges (brand_id, connection_id, id, status, paid, captured, disputed, currency, amount,
     amount_captured, amount_refunded, payment_intent_id, balance_transaction_id, order_reference, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, 'ch_' || n, case when n % 25 = 0 then 'failed' else 'succeeded' end, n % 25 > 0, n % 25 > 0, false, 'USD',
     20, case when n % 25 = 0 then 0 else 20 end, 0, 'pi_' || n, 'txn_' || n, case when n % 5 > 0 then '#' || n end, at,
     at, at from ${ORDERS}`,
  `insert into raw.stripe_payment_intents (brand_id, connection_id, id, status, currency, amount, amount_received,
     order_reference, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, 'pi_' || n, 'succeeded', 'USD', 20, 20, n, at, at, at from ${ORDERS} where n % 5 = 0`,
  `insert into raw.stripe_refunds (brand_id, connection_id, id, status, currency, amount, charge_id,
     balance_transaction_id, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, 're_' || n, 'succeeded', 'USD', 5, 'ch_' || n, 'rtx_' || n, at, at, at from ${ORDERS} where n % 12 = 1`,
  `insert into raw.stripe_balance_transactions (brand_id, connection_id, id, type, reporting_category, balance_type,
     status, source_id, currency, amount, fee, net, available_on, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, 'txn_' || n, 'charge', 'charge', 'payments', 'available', 'ch_' || n, 'USD', 20, 1, 19, at, at, at, at
   from ${ORDERS} where n % 25 > 0
   union all
   select $1::uuid, $2::uuid, 'rtx_' || n, 'refund', 'refund', 'payments', 'available', 're_' || n, 'USD', -5, 0, -5, at, at, at, at
   from ${ORDERS} where n % 12 = 1`,
  `insert into raw.stripe_subscriptions (brand_id, connection_id, id, status, currency, customer_id, created_at, start_date,
     cancel_at_period_end, is_paused, ${STAMPS})
   select $1::uuid, $2::uuid, 's' || n, 'canceled', 'USD', 'c' || ${CUSTOMER}, at, at, false, false, at, at from ${ORDERS} where n % 5 = 0`,
  `insert into raw.stripe_subscription_versions (brand_id, connection_id, id, valid_from, status, currency, customer_id,
     is_paused, items, ${STAMPS})
   select $1::uuid, $2::uuid, 's' || n, at + v.days * interval '1 day', v.status, 'USD', 'c' || ${CUSTOMER}, false,
     '[{"item": "i", "price": "p", "monthly": "12", "undiscounted": "12", "metered": false}]', at, at
   from ${ORDERS}, (values (1, 'active'), (20, 'canceled')) as v (days, status) where n % 5 = 0`,
  `insert into raw.stripe_invoices (brand_id, connection_id, id, subscription_id, billing_reason, status, currency, subtotal,
     total, amount_due, amount_paid, amount_remaining, created_at, paid_at, ${STAMPS})
   select $1::uuid, $2::uuid, 'in' || n, 's' || n, 'subscription_create', 'paid', 'USD', 12, 12, 12, 12, 0, at, at, at, at from ${ORDERS} where n % 5 = 0`,
  `insert into raw.stripe_invoice_lines (brand_id, connection_id, id, invoice_id, subscription_id, subscription_item_id,
     price_id, currency, amount, is_proration, is_tax_known, period_start, period_end, ${STAMPS})
   select $1::uuid, $2::uuid, 'l' || n || '-' || w, 'in' || n, 's' || n, 'i', 'p', 'USD', 12, false, true, at + w * interval '7 days',
     at + (w + 1) * interval '7 days', at, at from ${ORDERS}, generate_series(0, 2) w where n % 5 = 0`,
  `insert into raw.stripe_prices (brand_id, connection_id, id, product_id, type, currency, active, payload, created_at, ${STAMPS})
   select $1::uuid, $2::uuid, 'p', 'prod', 'recurring', 'USD', true, '{}', at, at, at from ${ORDERS} where n = 0`,
];

const POSTED = `${ORDERS} cross join (values ('likes'), ('comments'), ('impressions')) as m (metric)
   cross join generate_series(1, 3) r where n % 5 = 0`;
/** Of the brand, by its first seller: ten posts a day, each read three times. */
const SOCIAL = [
  `insert into raw.ayrshare_posts (brand_id, connection_id, id, platform, published_at, lacks_metrics, campaign, ${STAMPS})
   select $1::uuid, $2::uuid, 'facebook/' || n, 'facebook', at, false, case when n % 500 = 0 then ${CAMPAIGN} end, at, at from ${ORDERS} where n % 5 = 0`,
  `insert into raw.ayrshare_post_readings (brand_id, connection_id, id, metric, read_at, value, platform, published_at,
     field, mapping_version, ${STAMPS})
   select $1::uuid, $2::uuid, 'facebook/' || n, metric, at + r * interval '20 hours', n % 9 * r, 'facebook', at, metric, 1, at, at
   from ${POSTED}`,
  `insert into raw.ayrshare_account_readings (brand_id, connection_id, id, metric, read_at, value, read_on, field,
     mapping_version, ${STAMPS})
   select $1::uuid, $2::uuid, 'facebook', metric, at, n, at::date, metric, 1, at, at
   from ${ORDERS} cross join (values ('followers'), ('read likes')) as m (metric) where n % 25 = 0`,
];

/** Of the brand, by its first seller: of each order a letter, and each day the counts of it. */
const MAIL = [
  `insert into raw.sendgrid_single_sends (brand_id, connection_id, id, name, status, categories, list_ids, parts, created_at,
     updated_at, ${STAMPS})
   select $1::uuid, $2::uuid, 's' || n, 'S', 'triggered', '{}', '{}', '{}', at, at, at, at from ${ORDERS} where n % 50 = 1`,
  `insert into raw.sendgrid_events (brand_id, connection_id, id, event, happened_at, email_hash, message_id, categories,
     parts, single_send_id, is_machine, source, clicker, ${STAMPS})
   select $1::uuid, $2::uuid, n || event, event, at, (${CUSTOMER})::text, n::text, '{letters}', '{category:letters}',
     case when n % 2 = 0 then 's1' end, false, 'webhook',
     case event when 'click' then (${CUSTOMER})::text end, at, at
   from ${ORDERS} cross join (values ('delivered'), ('open'), ('click')) as e (event) where event <> 'click' or n % 5 = 0`,
  `insert into raw.sendgrid_statistics (brand_id, connection_id, id, scope, name, day, time_zone, requests, processed,
     delivered, deferred, bounces, blocks, bounce_drops, invalid_emails, spam_report_drops, unsubscribe_drops, opens,
     unique_opens, clicks, unique_clicks, spam_reports, unsubscribes, ${STAMPS})
   select $1::uuid, $2::uuid, n::text, 'account', 'account', at::date, 'UTC', 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 9, 9, 0, 0, 0, 0,
     at, at
   from ${ORDERS} where n % ${PER_DAY} = 0`,
];

/** Of the brand: what the visitors of every second order did before, and what its campaign cost that day. */
const VISITS = [
  `insert into raw.events (brand_id, happened_at, id, kind, visitor, asset, stage, experiment, variant, code)
   select $1::uuid, at, n || kind, kind, ${CUSTOMER}, asset, stage, experiment,
     case kind when 'exposure' then 'v' || n % 4 end, code
   from ${ORDERS} cross join (values
     ('page_view', 'manual', null, null, null), ('cart_add', null, null, null, null), ('conversion', null, 'purchase', null, null),
     ('exposure', null, null, 'price', null), ('ab_conversion', null, null, 'price', null), ('scan', null, null, null, 'poster')
   ) as e (kind, asset, stage, experiment, code)
   where n % 2 = 0 and $2::uuid is not null`,
  `insert into raw.past_exposures (brand_id, visitor, experiment, happened_at)
   select $1::uuid, 'past' || n, 'price', at from ${ORDERS} where n % 10 = 0 and $2::uuid is not null`,
  `insert into app.campaign_spend (brand_id, campaign_id, day, currency, source, amount)
   select $1::uuid, c.id, at::date, 'USD', 'test', 7 from ${ORDERS} join app.campaigns c on c.brand_id = $1
   where n % ${PER_DAY} = 0 and $2::uuid is not null`,
];

/** Makes the orders from the one of this number up to the other of each seller, with all that comes with them. */
export async function addHistory(db: TestDb, sellers: readonly Seller[], from: number, to: number) {
  for (const { brandId, shopId, stripeId, socialId, mailId } of sellers) {
    for (const sql of SHOP) await db.query(sql, [brandId, shopId, from, to]);
    for (const sql of STRIPE) await db.query(sql, [brandId, stripeId, from, to]);
    if (socialId) for (const sql of SOCIAL) await db.query(sql, [brandId, socialId, from, to]);
    if (mailId) for (const sql of [...MAIL, ...VISITS]) await db.query(sql, [brandId, mailId, from, to]);
  }
  await db.query(
    `insert into app.fx_rates (currency, day, units_per_euro, source, seen_at)
     select c, date '${FIRST_DAY}' + n / ${PER_DAY}, 1.1, 'test', now()
     from generate_series($1::int, $2::int - 1) n, unnest($3::text[]) c on conflict do nothing`,
    [from, to, CURRENCIES],
  );
}

/** Days of the history, the first one counting from 0. */
export function daysOf(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) =>
    new Date(Date.parse(FIRST_DAY) + (from + n) * 86_400_000).toISOString().slice(0, 10),
  );
}

/** The figures of these days. All sellers sell the same: those of one are computed, the others get copies. */
export async function rollUp(
  db: TestDb,
  [first, ...others]: readonly [Seller, ...Seller[]],
  days: readonly string[],
  now: Date,
) {
  await db.transaction((tx) => runRollups(tx, rollups, { ...first, days, now }));
  for (const { writes, of } of rollups)
    if (of !== 'brand') for (const other of others) await copyRows(db, writes, first, other);
  for (const brandId of new Set([first, ...others].map((seller) => seller.brandId)))
    await db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId: null, days, now }));
  await db.query('truncate ops.marks'); // all that was handed on is computed
}

async function copyRows(db: TestDb, table: string, from: Seller, to: Seller): Promise<void> {
  const itsRows = `from ${table} t where t.brand_id = $1 and t.retailer_id = $2`;
  await db.query(`delete ${itsRows}`, [to.brandId, to.retailerId]);
  let row = 'to_jsonb(t)::text';
  for (const id of ['brandId', 'retailerId', 'shopId', 'stripeId'] as const)
    row = `replace(${row}, '${from[id]}', '${to[id]}')`;
  const copies = `jsonb_populate_record(null::${table}, (${row})::jsonb)`;
  await db.query(
    `insert into ${table} select (c).* from (select ${copies} as c ${itsRows} offset 0) copies`,
    [from.brandId, from.retailerId],
  );
}
