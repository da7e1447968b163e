import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const START = NOW_SECONDS - 10 * 86_400;
const at = (seconds: number) => new Date(seconds * 1000);
const PRICE = { id: 'price_1', currency: 'usd', product: 'prod_1', created: START };

test('the catalogue is stored, prices to the fraction of a cent', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {
    products: [{ id: 'prod_1', name: 'Box', created: START }],
    prices: [
      { ...PRICE, unit_amount_decimal: '0.5', recurring: { interval: 'month', interval_count: 3 } },
      { ...PRICE, id: 'price_2', currency: 'jpy', unit_amount: 500 },
    ],
    coupons: [
      { id: 'TEN', percent_off: 12.5, duration: 'forever', created: START },
      { id: 'TWO', amount_off: 200, currency: 'usd', duration: 'once', created: START },
    ],
    promotion_codes: [
      { id: 'promo_1', code: 'TEN10', promotion: { type: 'coupon', coupon: 'TEN' }, created: START },
    ],
  });
  for (const stream of ['products', 'prices', 'coupons', 'promotion_codes']) {
    expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  }
  expect(await account.rows('products', 'id, name, active')).toEqual([
    { id: 'prod_1', name: 'Box', active: true },
  ]);
  expect(await account.rows('prices', 'id, currency, unit_amount, billing_interval, interval_count')).toEqual(
    [
      { id: 'price_1', currency: 'USD', unit_amount: '0.005', billing_interval: 'month', interval_count: 3 },
      { id: 'price_2', currency: 'JPY', unit_amount: '500', billing_interval: null, interval_count: null },
    ],
  );
  expect(await account.rows('coupons', 'id, percent_off, amount_off, duration')).toEqual([
    { id: 'TEN', percent_off: '12.5', amount_off: null, duration: 'forever' },
    { id: 'TWO', percent_off: null, amount_off: '2', duration: 'once' },
  ]);
  expect(await account.rows('promotion_codes', 'id, code, coupon_id')).toEqual([
    { id: 'promo_1', code: 'TEN10', coupon_id: 'TEN' },
  ]);
});

test('who a customer is stays with Stripe, and a deleted one becomes a tombstone', async () => {
  await using db = await freshDb();
  const customer = { id: 'cus_1', email: 'one@example.com', name: 'One', currency: 'usd', balance: -250 };
  const kept = { ...customer, created: START };
  await using account = await anAccountOf(db, { customers: [kept, { id: 'cus_2', created: START }] });
  await account.sync('customers');
  expect(await account.rows('customers', 'id, balance, currency')).toEqual([
    { id: 'cus_1', balance: '-2.5', currency: 'USD' },
    { id: 'cus_2', balance: null, currency: null },
  ]);
  expect(await db.column("select 1 from raw.stripe_customers where payload::text ~ 'one@|One'")).toEqual([]);
  const deletedAt = NOW_SECONDS + 60;
  await account.serve(
    {
      customers: [kept, { id: 'cus_2', deleted: true, created: deletedAt }],
      events: [
        {
          id: 'evt_1',
          type: 'customer.deleted',
          created: deletedAt,
          data: { object: { id: 'cus_2', object: 'customer' } },
        },
      ],
    },
    { now: '2026-11-20T07:00:00Z' },
  );
  await account.sync('customers', { now: '2026-11-20T07:00:00Z' });
  expect(await account.rows('customers', 'id, deleted_at is not null as deleted')).toEqual([
    { id: 'cus_1', deleted: false },
    { id: 'cus_2', deleted: true },
  ]);
});

test('the lines of an invoice are drained, with the period of the service', async () => {
  await using db = await freshDb();
  const line = (index: number) => ({
    id: `il_${String(index).padStart(3, '0')}`,
    amount: index === 0 ? -300 : 500,
    period: { start: START, end: START + 86_400 },
    pricing: {
      type: 'price_details',
      price_details: { price: 'price_1', product: 'prod_1' },
      unit_amount_decimal: '500',
    },
    parent: {
      type: 'subscription_item_details',
      subscription_item_details: {
        subscription: 'sub_1',
        subscription_item: 'si_1',
        proration: index === 0,
      },
    },
  });
  await using account = await anAccountOf(db, {
    invoices: [
      {
        ...{
          id: 'in_1',
          customer: 'cus_1',
          currency: 'usd',
          created: START,
          customer_email: 'one@example.com',
        },
        lines: Array.from({ length: 123 }, (_, index) => line(index)),
      },
    ],
  });
  expect(await account.sync('invoices')).toMatchObject({ read: 1, rejected: 0 });
  expect(await db.column('select count(*)::int from raw.stripe_invoice_lines')).toEqual([123]);
  const lines = await account.rows(
    'invoice_lines',
    'id, invoice_id, subscription_id, subscription_item_id, price_id, amount, unit_amount, is_proration, period_start',
  );
  const refs = {
    invoice_id: 'in_1',
    subscription_id: 'sub_1',
    subscription_item_id: 'si_1',
    price_id: 'price_1',
  };
  expect(lines.slice(0, 2)).toEqual([
    { id: 'il_000', ...refs, amount: '-3', unit_amount: '5', is_proration: true, period_start: at(START) },
    { id: 'il_001', ...refs, amount: '5', unit_amount: '5', is_proration: false, period_start: at(START) },
  ]);
  expect(await db.column("select 1 from raw.stripe_invoices where payload::text ~ 'one@'")).toEqual([]);
});

test('payment intents are stored without the secret that lets whoever has it pay', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {
    payment_intents: [
      {
        ...{ id: 'pi_1', amount: 1_000, currency: 'usd', created: START, latest_charge: 'ch_1' },
        ...{ client_secret: 'pi_1_secret_x', metadata: { order_id: '7' } },
      },
    ],
  });
  expect(await account.sync('payment_intents')).toMatchObject({ rejected: 0 });
  expect(
    await account.rows('payment_intents', 'id, status, amount, latest_charge_id, order_reference'),
  ).toEqual([
    { id: 'pi_1', status: 'succeeded', amount: '10', latest_charge_id: 'ch_1', order_reference: '7' },
  ]);
  expect(
    await db.column("select 1 from raw.stripe_payment_intents where payload::text ~ 'secret_x'"),
  ).toEqual([]);
});

test('a full sweep finds what was deleted while nobody told us', async () => {
  await using db = await freshDb();
  const customer = (id: string) => ({ id, created: START });
  await using account = await anAccountOf(db, { customers: ['cus_1', 'cus_2', 'cus_3'].map(customer) });
  await account.sync('customers');
  await account.serve({ customers: [customer('cus_1'), customer('cus_3')], events: [] });
  await account.sync('customers');
  const deleted = () => db.column('select id from raw.stripe_customers where deleted_at is not null');
  expect(await deleted()).toEqual([]);
  await account.sync('customers', { full: true });
  expect(await deleted()).toEqual(['cus_2']);
});
