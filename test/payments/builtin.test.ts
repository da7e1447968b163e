/** The built-in year: what was charged on a day is what was ordered on it, and the cash adds up to the balance. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { inForm } from '../support/property.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';
import { aConnection, aRetailer, testKeyring } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const NOW = '2011-12-10T06:00:00Z';
const KEY = 'rk_test_sandbox_giftware';

let sandbox: Awaited<ReturnType<typeof startSandbox>>;
beforeAll(async () => {
  sandbox = await startSandbox();
}, 60_000);
afterAll(() => sandbox[Symbol.asyncDispose]());

/** The shop of a country and its account of Stripe, under one retailer, read and rolled up. */
async function aYearOf(db: TestDb, country: string) {
  const retailer = await aRetailer(db);
  const owner = { brandId: retailer.brandId, retailerId: retailer.id };
  const shop = await aConnection(db, {
    ...owner,
    account: `giftware-${country}.myshopify.com`,
    secret: `shpat_sandbox_giftware_${country}`,
    baseUrl: `${sandbox.url}/shopify/giftware-${country}`,
  });
  const orders = {
    brandId: owner.brandId,
    connectionId: shop.id,
    stream: 'shopify.orders' as const,
    now: NOW,
  };
  await runTask(syncStream, orders, db, { services: testKeyring });
  const stripe = await connectStripe(db, sandbox, {
    ...owner,
    account: `acct_giftware${country}`,
    secret: `${KEY}_${country}`,
  });
  for (const stream of ['charges', 'refunds', 'balance_transactions', 'payouts'])
    expect(await stripe.sync(stream, { now: NOW }), stream).not.toHaveProperty('incomplete');
  await runTask(rollup, owner, db);
  return { ...owner, connectionId: shop.id };
}

async function balanceOf(country: string): Promise<number> {
  const answer = await fetch(`${sandbox.url}/stripe/v1/balance`, {
    headers: { authorization: `Bearer ${KEY}_${country}` },
  });
  const { available, pending } = (await answer.json()) as Record<string, { amount: number }[]>;
  return [...(available ?? []), ...(pending ?? [])].reduce((sum, { amount }) => sum + amount, 0);
}

test.each(inForm(['eire'], ['eire', 'germany']))(
  'each day of %s is charged what was ordered, and the year is the balance',
  async (country) => {
    await using db = await freshDb();
    const { brandId, retailerId, connectionId } = await aYearOf(db, country);
    const ordered = await db.rows(
      `select (processed_at at time zone 'Europe/London')::date as day,
              trim_scale(round(sum(total_price), 2)) as amount
       from raw.shopify_orders where brand_id = $1 and connection_id = $2 and total_price > 0
       group by 1 order by 1`,
      [brandId, connectionId],
    );
    const charged = await db.rows(
      `select day, charge_amount as amount from bi.daily_payments
       where brand_id = $1 and retailer_id = $2 and charges > 0 order by day`,
      [brandId, retailerId],
    );
    expect(ordered.length).toBeGreaterThan(100);
    expect(charged).toEqual(ordered);

    const [last] = await db.rows<{ balance: string; failed: number }>(
      `select trunc(closing_balance * 100)::text as balance,
              (select sum(failed_charges)::int from bi.daily_payments) as failed
       from bi.daily_payments where brand_id = $1 order by day desc limit 1`,
      [brandId],
    );
    expect(last).toEqual({ balance: String(await balanceOf(country)), failed: 0 });

    const orders = await db.rows(
      `select state, count(*)::int as orders, trim_scale(sum(difference)) as difference,
              count(*) filter (where order_total <> charged)::int as unequal
       from bi.order_payments where brand_id = $1 group by state order by state`,
      [brandId],
    );
    expect(orders).toEqual([
      { state: 'matched', orders: expect.any(Number), difference: '0', unequal: 0 },
      { state: 'nothing_due', orders: expect.any(Number), difference: '0', unequal: 0 },
    ]);
    const days = await db.rows(
      `select day, trim_scale(charge_amount) as amount from bi.daily_cash_and_sales
       where brand_id = $1 and order_total > 0 and order_total = charge_amount
         and order_charged = order_total and matched_amount = charge_amount and unmatched_charges = 0
       order by day`,
      [brandId],
    );
    expect(days).toEqual(charged);
  },
  120_000,
);
