/**
 * Whatever orders and charges there are, cash and sales side by side are the figures of the day that they
 * are taken from, every order is in one row and every captured charge in one: no sale is counted twice.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { aBrand, aConnection, aRetailer } from '../support/rows/factory.ts';
import { aBooking, aCharge, anIntent, loadMoney } from '../support/rows/payments.ts';
import { anOrder, loadOrders, type Place } from '../support/rows/raw_orders.ts';
import { runTask } from '../support/run.ts';

const instant = fc.constantFrom(
  '2024-05-01T12:00:00Z',
  '2024-05-01T23:30:00Z',
  '2024-05-02T12:00:00Z',
  '2024-05-09T12:00:00Z',
);
const currency = fc.constantFrom('GBP', 'GBP', 'GBP', 'EUR', 'JPY');
const amount = fc.constantFrom('10', '10', '20', '7.5', '0');
const orderId = fc.constantFrom('1', '2', '3', '1001');
const reference = fc.option(
  fc.constantFrom('1', '2', '3', '1001', '#1001', '#1', 'gid://shopify/Order/2', 'elsewhere'),
  { nil: undefined, freq: 6 },
);

const order = fc
  .record({
    id: orderId,
    at: instant,
    currency,
    total: fc.constantFrom('10', '20', '30', '7.499', '0'),
    name: fc.constantFrom('#1', '#1001', '#9', undefined),
    test: fc.constantFrom(false, false, false, false, true),
    shown: fc.option(fc.record({ currency, total: fc.constantFrom('10', '12') }), { nil: undefined }),
  })
  .map(({ name, shown, ...given }) =>
    anOrder({
      ...given,
      ...(name ? { name } : {}),
      ...(shown ? { shown } : {}),
      sales: [{ quantity: 1, total: given.total }],
    }),
  );

const payment = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    at: instant,
    currency,
    amount,
    reference,
    intended: reference,
    status: fc.constantFrom('succeeded', 'succeeded', 'succeeded', 'failed', 'pending'),
    booked: fc.boolean(),
  })
  .map(({ intended, booked, reference: own, ...given }) => {
    const { id, at } = given;
    const intent = intended === undefined ? {} : { intent: `pi_${id}` };
    return [
      ...(intended === undefined ? [] : [anIntent({ id: `pi_${id}`, at, reference: intended })]),
      aCharge({ ...given, ...intent, id: `ch_${id}`, ...(own === undefined ? {} : { reference: own }) }),
      ...(booked
        ? [aBooking({ id: `txn_${id}`, at, amount: given.amount, fee: '1', source: `ch_${id}` })]
        : []),
    ];
  });

const many = { maxLength: 8, size: 'max' } as const;
const scene = fc.record({
  shops: fc.tuple(fc.array(order, many), fc.array(order, many), fc.array(order, many)),
  accounts: fc.tuple(fc.array(payment, many), fc.array(payment, many)),
});

test('side by side, cash and sales are what they are apart, and each order and charge is there once', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(scene, async ({ shops, accounts }) => {
      const { brandId, places, tills, retailers } = await aMarket(db);
      await db.transaction(async (tx) => {
        for (const [index, place] of places.entries()) await loadOrders(tx, place, shops[index] ?? []);
        for (const [index, till] of tills.entries())
          await loadMoney(tx, till, (accounts[index] ?? []).flat());
      });
      for (const retailerId of retailers) await runTask(rollup, { brandId, retailerId }, db);
      for (const [law, sql] of Object.entries(LAWS)) expect(await db.rows(sql, [brandId]), law).toEqual([]);
    }),
    inForm(8, 25),
  );
});

// Each gives what breaks it.
const LAWS = {
  'sales are those of daily_sales': differing(
    `select retailer_id, day, currency, trim_scale(total_sales) from bi.daily_cash_and_sales
     where brand_id = $1 and total_sales <> 0`,
    `select retailer_id, day, currency, trim_scale(total_sales) from bi.daily_sales
     where brand_id = $1 and total_sales <> 0`,
  ),
  'cash is that of daily_payments': differing(
    `select retailer_id, day, currency, charges, trim_scale(charge_amount), trim_scale(refund_amount)
     from bi.daily_cash_and_sales where brand_id = $1 and charges > 0`,
    `select retailer_id, day, currency, charges, charge_amount, refund_amount
     from bi.daily_payments where brand_id = $1 and charges > 0`,
  ),
  'cash is either matched or not': `
    select * from bi.daily_cash_and_sales where brand_id = $1
      and (matched_charges + unmatched_charges <> charges or matched_amount + unmatched_amount <> charge_amount)`,
  'orders of a day are those of order_payments': differing(
    `select retailer_id, day, currency, orders_placed, order_total, order_charged, difference
     from bi.daily_cash_and_sales where brand_id = $1 and orders_placed > 0`,
    `select retailer_id, day, currency, count(*), trim_scale(sum(order_total)), trim_scale(sum(charged)),
            trim_scale(sum(difference))
     from bi.order_payments where brand_id = $1 and charge_id is null group by 1, 2, 3`,
  ),
  'every order is there once': differing(
    'select connection_id, order_id from bi.order_payments where brand_id = $1 and charge_id is null',
    'select connection_id, id from raw.shopify_orders where brand_id = $1 and not test',
  ),
  'every captured charge is there once': differing(
    `select retailer_id, currency, sum(charges)::bigint, trim_scale(sum(charged)) from bi.order_payments
     where brand_id = $1 group by 1, 2 having sum(charges) > 0`,
    `select c.retailer_id, h.currency, count(*), trim_scale(sum(h.amount_captured))
     from raw.stripe_charges h join app.connections c on (c.brand_id, c.id) = (h.brand_id, h.connection_id)
     where h.brand_id = $1 and h.status = 'succeeded' and h.captured group by 1, 2`,
  ),
  'no row is there twice': `
    select retailer_id, day, currency from bi.daily_cash_and_sales where brand_id = $1
    group by 1, 2, 3 having count(*) > 1`,
};

/** Rows that one of two queries has and the other has not, doubles included. */
function differing(left: string, right: string): string {
  return `((${left}) except all (${right})) union all ((${right}) except all (${left}))`;
}

/** Two shops and an account of one retailer, a shop and an account of another; all with equal ids. */
async function aMarket(
  db: TestDb,
): Promise<{ brandId: string; places: Place[]; tills: Place[]; retailers: string[] }> {
  const { id: brandId } = await aBrand(db);
  const retailers = [(await aRetailer(db, { brandId })).id, (await aRetailer(db, { brandId })).id];
  const places: Place[] = [];
  const tills: Place[] = [];
  for (const retailerId of [retailers[0], retailers[0], retailers[1]])
    places.push({ brandId, connectionId: (await aConnection(db, { brandId, retailerId })).id });
  for (const [index, retailerId] of retailers.entries()) {
    const stripe = {
      provider: 'stripe',
      account: `acct_${index}`,
      auth: 'key',
      secret: 'rk_test_1',
    } as const;
    tills.push({ brandId, connectionId: (await aConnection(db, { brandId, retailerId, ...stripe })).id });
  }
  return { brandId, places, tills, retailers };
}
