import type Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  assertValid,
  charge,
  client,
  NOW_SECONDS,
  rawGet,
  stripeSandbox,
} from '../support/providers/stripe.ts';

const COUNT = 25;
const START = NOW_SECONDS - 10 * 86_400;
// Five of them share each second.
const CHARGES = Array.from({ length: COUNT }, (_, index) =>
  charge(`ch_${index + 1}`, {
    created: START + Math.floor(index / 5),
    customer: index % 2 ? 'cus_1' : 'cus_2',
  }),
);
const PRICE = {
  id: 'price_1',
  currency: 'usd',
  product: 'prod_1',
  unit_amount: 500,
  recurring: { interval: 'month' },
};
const LINE = {
  amount: 500,
  pricing: { type: 'price_details', price_details: { price: 'price_1', product: 'prod_1' } },
};
const DISCOUNT = { id: 'di_1', source: { type: 'coupon', coupon: 'TEN' }, start: START };
const sub = (id: string, more: object = {}) => {
  return { id, customer: 'cus_1', created: START, items: [{ price: 'price_1' }], ...more };
};

let sandbox: Awaited<ReturnType<typeof stripeSandbox>>;
let stripe: Stripe;
beforeAll(async () => {
  sandbox = await stripeSandbox({
    charges: CHARGES,
    balance_transactions: [
      {
        id: 'txn_1',
        amount: 1_000,
        fee: 59,
        currency: 'usd',
        created: START,
        source: 'ch_1',
        _payout: 'po_1',
      },
      { id: 'txn_2', amount: -200, currency: 'usd', created: START, source: 're_1' },
      { id: 'txn_3', amount: -741, currency: 'usd', created: START + 60, source: 'po_1', _payout: 'po_1' },
    ],
    refunds: [{ id: 're_1', amount: 200, currency: 'usd', created: START, charge: 'ch_1' }],
    payouts: [{ id: 'po_1', amount: 741, currency: 'usd', created: START + 60 }],
    payment_intents: [{ id: 'pi_1', amount: 1_000, currency: 'usd', created: START, latest_charge: 'ch_1' }],
    disputes: [{ id: 'dp_1', amount: 1_000, currency: 'usd', created: START, charge: 'ch_2' }],
    customers: [
      { id: 'cus_1', name: 'One', email: 'one@example.com' },
      { id: 'cus_clock', test_clock: 'clock_1' },
    ],
    products: [{ id: 'prod_1', name: 'Box' }],
    prices: [PRICE],
    coupons: [{ id: 'TEN', percent_off: 10, duration: 'forever' }],
    promotion_codes: [{ id: 'promo_1', code: 'TEN10', promotion: { type: 'coupon', coupon: 'TEN' } }],
    subscriptions: [
      sub('sub_1', { discounts: [DISCOUNT] }),
      sub('sub_2', {
        items: Array.from({ length: 12 }, (_, index) => ({ id: `si_${index}`, price: 'price_1' })),
      }),
      sub('sub_3', { status: 'canceled', ended_at: START + 5 }),
    ],
    invoices: [
      {
        id: 'in_1',
        customer: 'cus_1',
        currency: 'usd',
        created: START,
        lines: Array.from({ length: 23 }, () => LINE),
      },
    ],
    invoice_payments: [
      {
        id: 'inpay_1',
        invoice: 'in_1',
        created: START,
        amount_paid: 11_500,
        payment: { type: 'payment_intent', payment_intent: 'pi_1' },
      },
    ],
    credit_notes: [
      { id: 'cn_1', invoice: 'in_1', customer: 'cus_1', created: START, amount: 100, currency: 'usd' },
    ],
  });
  stripe = client(sandbox);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

async function ids(list: AsyncIterable<{ id?: string }>): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of list) found.push(id ?? '');
  return found;
}
const numbered = (from: number, to: number) => {
  return Array.from({ length: from - to + 1 }, (_, index) => `ch_${from - index}`);
};

test('the official client walks a list to its end, newest first, whatever shares a second', async () => {
  expect(await ids(stripe.charges.list({ limit: 4 }))).toEqual(numbered(25, 1));
  const page = await stripe.charges.list({ ending_before: 'ch_10', limit: 3 });
  expect([page.data.map(({ id }) => id), page.has_more]).toEqual([['ch_13', 'ch_12', 'ch_11'], true]);
  const newest = await stripe.charges.list({ ending_before: 'ch_22', limit: 10 });
  expect([newest.data.map(({ id }) => id), newest.has_more]).toEqual([numbered(25, 23), false]);
});

test('created bounds a list by seconds, and a cursor from outside of them finds nothing', async () => {
  expect(await ids(stripe.charges.list({ created: { gte: START + 1, lt: START + 3 } }))).toEqual(
    numbered(15, 6),
  );
  expect(await ids(stripe.charges.list({ created: { gt: START + 1, lte: START + 3 } }))).toEqual(
    numbered(20, 11),
  );
  expect(await ids(stripe.charges.list({ created: START }))).toEqual(numbered(5, 1));
  const strayed = await stripe.charges.list({ created: { lt: START + 2 }, starting_after: 'ch_20' });
  expect([strayed.data, strayed.has_more]).toEqual([[], false]);
});

test.each([
  ['plain', `created[gte]=${START + 4}&expand[]=data.customer`],
  ['with indexes', `created[gte]=${START + 4}&expand[0]=data.customer`],
  ['percent-encoded', `created%5Bgte%5D=${START + 4}&expand%5B%5D=data.customer`],
])('brackets are read %s', async (_name, query) => {
  const { body } = await rawGet(sandbox, `charges?${query}`);
  const [first] = body.data as Stripe.Charge[];
  expect(body.data).toHaveLength(5);
  expect(first).toMatchObject({ id: 'ch_25', customer: 'cus_2' }); // no such customer is held
  expect((body.data as Stripe.Charge[])[1]?.customer).toMatchObject({ id: 'cus_1', name: 'One' });
});

test('filters choose', async () => {
  const count = async (list: AsyncIterable<{ id?: string }>) => (await ids(list)).length;
  expect(await count(stripe.charges.list({ customer: 'cus_1' }))).toBe(12);
  expect(await ids(stripe.balanceTransactions.list({ payout: 'po_1' }))).toEqual(['txn_3', 'txn_1']);
  expect(await ids(stripe.balanceTransactions.list({ source: 're_1' }))).toEqual(['txn_2']);
  expect(await ids(stripe.balanceTransactions.list({ type: 'payout' }))).toEqual(['txn_3']);
  expect(await ids(stripe.refunds.list({ charge: 'ch_1' }))).toEqual(['re_1']);
  expect(await ids(stripe.prices.list({ recurring: { interval: 'year' } }))).toEqual([]);
  expect(await ids(stripe.prices.list({ recurring: { interval: 'month' }, active: true }))).toEqual([
    'price_1',
  ]);
  expect(await ids(stripe.products.list({ ids: ['prod_1', 'prod_2'] }))).toEqual(['prod_1']);
  expect(await ids(stripe.promotionCodes.list({ coupon: 'TEN' }))).toEqual(['promo_1']);
  expect(await ids(stripe.customers.list())).toEqual(['cus_1']);
  expect(await ids(stripe.customers.list({ test_clock: 'clock_1' }))).toEqual(['cus_clock']);
  expect(await ids(stripe.subscriptions.list({ limit: 1 }))).toEqual(['sub_2', 'sub_1']);
  expect(await ids(stripe.subscriptions.list({ status: 'all' }))).toEqual(['sub_3', 'sub_2', 'sub_1']);
  expect(await ids(stripe.subscriptions.list({ status: 'ended' }))).toEqual(['sub_3']);
  expect(await count(stripe.subscriptions.list({ price: 'price_1' }))).toBe(2);
  expect(await ids(stripe.invoices.list({ status: 'open' }))).toEqual([]);
});

test('what is expanded becomes the object, up to four levels', async () => {
  const intent = await stripe.paymentIntents.retrieve('pi_1', {
    expand: ['latest_charge.balance_transaction.source.customer'],
  });
  const found = intent.latest_charge as Stripe.Charge;
  const transaction = found.balance_transaction as Stripe.BalanceTransaction;
  expect(transaction).toMatchObject({ id: 'txn_1', net: 941, reporting_category: 'charge' });
  expect(transaction.source).toMatchObject({ id: 'ch_1', customer: 'cus_2' });
  const { data } = await stripe.charges.list({ expand: ['data.refunds'], created: START, limit: 5 });
  expect(data.at(-1)?.refunds).toMatchObject({ object: 'list', data: [{ id: 're_1' }], has_more: false });
  const plain = await stripe.charges.retrieve('ch_1');
  expect(plain).not.toHaveProperty('refunds');
  const subscription = await stripe.subscriptions.retrieve('sub_1', { expand: ['discounts.source.coupon'] });
  expect(subscription.discounts).toMatchObject([{ source: { coupon: { id: 'TEN', percent_off: 10 } } }]);
  expect((await stripe.subscriptions.retrieve('sub_1')).discounts).toEqual(['di_1']);
  const tooDeep = stripe.charges.list({ expand: ['data.balance_transaction.source.customer.discount'] });
  await expect(tooDeep).rejects.toThrow('cannot expand more than 4 levels');
  await expect(stripe.charges.list({ expand: ['customer'] })).rejects.toThrow("expanding 'data.customer'");
  await expect(stripe.charges.retrieve('ch_1', { expand: ['amount'] })).rejects.toThrow('cannot be expanded');
});

test('lists in objects are cut and drained by their own address', async () => {
  const invoice = await stripe.invoices.retrieve('in_1');
  expect(invoice.lines.data).toHaveLength(10);
  expect(invoice.lines).toMatchObject({ has_more: true, url: '/v1/invoices/in_1/lines' });
  expect(invoice).toMatchObject({ total: 11_500, amount_paid: 11_500, status: 'paid' });
  const lines = await ids(stripe.invoices.listLineItems('in_1', { limit: 7 }));
  expect([lines.length, lines[0], lines[22]]).toEqual([23, 'il_in_1_1', 'il_in_1_23']);
  const subscription = await stripe.subscriptions.retrieve('sub_2');
  expect([subscription.items.data.length, subscription.items.has_more]).toEqual([10, true]);
  expect(await ids(stripe.subscriptionItems.list({ subscription: 'sub_2', limit: 5 }))).toHaveLength(12);
  expect(await stripe.subscriptionItems.retrieve('si_3')).toMatchObject({ price: { id: 'price_1' } });
  await expect(rawGet(sandbox, 'subscription_items')).resolves.toMatchObject({
    status: 400,
    body: { error: { code: 'parameter_missing', param: 'subscription' } },
  });
});

test('every answer is valid by the declarations of the official client', async () => {
  const objects: Record<string, string> = {
    balance_transactions: 'balance_transaction',
    charges: 'charge',
    refunds: 'refund',
    disputes: 'dispute',
    payment_intents: 'payment_intent',
    customers: 'customer',
    products: 'product',
    prices: 'price',
    coupons: 'coupon',
    promotion_codes: 'promotion_code',
    'subscriptions?status=all': 'subscription',
    'subscription_items?subscription=sub_1': 'subscription_item',
    invoices: 'invoice',
    'invoices/in_1/lines': 'line_item',
    invoice_payments: 'invoice_payment',
    credit_notes: 'credit_note',
    payouts: 'payout',
    events: 'event',
  };
  // Checked once all are there: a first check takes so long that the server ends connections that rest.
  const answers: [object: string, value: unknown][] = [];
  for (const [path, object] of Object.entries(objects)) {
    const { status, body } = await rawGet(sandbox, path);
    expect([path, status, body.object]).toEqual([path, 200, 'list']);
    const rows = body.data as { id: string }[];
    expect([path, rows.length > 0]).toEqual([path, true]);
    answers.push(...rows.map((row): [string, unknown] => [object, row]));
    if (!path.includes('?') && !path.includes('/')) {
      answers.push([object, (await rawGet(sandbox, `${path}/${rows[0]?.id}`)).body]);
    }
  }
  // Not through the client, which turns decimal texts into objects of its own.
  answers.push(['account', (await rawGet(sandbox, 'account')).body]);
  answers.push(['balance', (await rawGet(sandbox, 'balance')).body]);
  const { body } = await rawGet(
    sandbox,
    'subscriptions?expand[]=data.discounts&expand[]=data.latest_invoice',
  );
  for (const subscription of body.data as object[]) answers.push(['subscription', subscription]);
  for (const [object, value] of answers) await assertValid(object, value);
});

test('answers name their version and their request', async () => {
  const { headers } = await rawGet(sandbox, 'charges', { 'stripe-version': '2026-10-28.endive' });
  expect(headers.get('stripe-version')).toBe('2026-10-28.endive');
  expect(headers.get('request-id')).toMatch(/^req_\w+$/);
  const { lastResponse } = await stripe.charges.retrieve('ch_1');
  expect(lastResponse.requestId).toMatch(/^req_\w+$/);
});
