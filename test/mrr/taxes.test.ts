/** Prices that include their tax, as one computes them by hand: MRR is without tax. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { assertAddsUp, mrrRows, rollUp } from '../support/mrr/mrr.ts';
import { NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const START = NOW_SECONDS - 5 * DAY;
const today = NOW.slice(0, 10);
const yesterday = new Date((NOW_SECONDS - DAY) * 1000).toISOString().slice(0, 10);
const price = (id: string, unit_amount: number, tax_behavior: string) => ({
  ...{
    id,
    currency: 'eur',
    product: 'prod_1',
    created: START,
    unit_amount,
    recurring: { interval: 'month' },
  },
  tax_behavior,
});
const PRICES = [
  price('with', 1_190, 'inclusive'),
  price('less', 999, 'inclusive'),
  price('on_top', 1_000, 'exclusive'),
];
const rate = (percentage: number, inclusive: boolean) => ({
  ...{ id: `txr_${percentage}`, object: 'tax_rate', percentage, inclusive, active: true, created: START },
  ...{ display_name: 'VAT', rate_type: 'percentage', livemode: false, jurisdiction: null, metadata: {} },
});
const COMPUTED = { automatic_tax: { enabled: true, disabled_reason: null, liability: null } };
const sub = (id: string, of: string, more: object = {}, item: object = {}) => ({
  ...{
    id,
    customer: 'cus_1',
    created: START,
    currency: 'eur',
    items: [{ id: `si_${id}`, price: of, ...item }],
    ...more,
  },
});
const tax = (amount: number, tax_behavior = 'inclusive') => ({
  ...{
    type: 'tax_rate_details',
    amount,
    tax_behavior,
    taxability_reason: 'standard_rated',
    taxable_amount: null,
  },
  tax_rate_details: { tax_rate: 'txr_1' },
});
const bill = (id: string, of: string, amount: number, taxes: object[], more: object = {}) => ({
  ...{
    id: `in_${id}`,
    customer: 'cus_1',
    currency: 'eur',
    created: START,
    billing_reason: 'subscription_cycle',
  },
  parent: { type: 'subscription_details', subscription_details: { subscription: id } },
  lines: [
    {
      ...{ id: `il_${id}`, amount, quantity: 1, period: { start: START, end: START + 30 * DAY }, taxes },
      pricing: {
        type: 'price_details',
        price_details: { price: of, product: 'prod_1' },
        unit_amount_decimal: '1',
      },
      parent: {
        type: 'subscription_item_details',
        subscription_item_details: { proration: false, subscription: id, subscription_item: `si_${id}` },
      },
      ...more,
    },
  ],
});

type Case = { subscriptions: object[]; invoices?: object[] };

/** The worth on the day before the first look and on the day of it, plan by plan, the same for both brands. */
async function worthOf({ subscriptions, invoices = [] }: Case) {
  await using db = await freshDb();
  const customers = [{ id: 'cus_1', created: START }];
  const coupons = [{ id: 'OFF', created: START, duration: 'forever', amount_off: 190, currency: 'eur' }];
  const files = { prices: PRICES, customers, coupons, invoices, subscriptions };
  await using account = await anAccountOf(db, files);
  const other = await connectStripe(db, account.sandbox);
  const all = [];
  for (const { sync, brandId } of [account, other]) {
    for (const stream of ['prices', 'invoices', 'subscriptions'])
      expect(await sync(stream)).toMatchObject({ rejected: 0 });
    await rollUp(db, brandId, NOW);
    const rows = await mrrRows(db, brandId);
    assertAddsUp(rows);
    all.push(
      [yesterday, today].map((day) =>
        rows.filter((row) => row.day === day).map((row) => row.mrr ?? row.mrr_cause),
      ),
    );
  }
  expect(all[1]).toEqual(all[0]);
  return all[0]?.flat();
}

test.each([
  ['of the subscription', sub('sub_1', 'with', { default_tax_rates: [rate(19, true)] }), '10'],
  ['on top', sub('sub_1', 'with', { default_tax_rates: [rate(19, false)] }), '11.9'],
  [
    'of the item, which come first',
    sub('sub_1', 'with', { default_tax_rates: [rate(7, true)] }, { tax_rates: [rate(19, true)] }),
    '10',
  ],
  ['two together', sub('sub_1', 'with', { default_tax_rates: [rate(12, true), rate(7, true)] }), '10'],
  ['that do not come out even', sub('sub_1', 'less', { default_tax_rates: [rate(20, true)] }), '8.33'],
  [
    'after a discount',
    sub('sub_1', 'with', {
      default_tax_rates: [rate(25, true)],
      discounts: [{ id: 'di_1', start: START, source: { type: 'coupon', coupon: 'OFF' } }],
    }),
    '8',
  ],
  ['none', sub('sub_1', 'with'), '11.9'],
])('a price with its tax is worth what is left of it: rates %s', async (_, subscription, mrr) => {
  expect(await worthOf({ subscriptions: [subscription] })).toEqual([mrr, mrr]);
});

test('a tax that Stripe computes is as much as the last bill says', async () => {
  const subscriptions = [sub('sub_1', 'less', { ...COMPUTED, latest_invoice: 'in_sub_1' })];
  expect(await worthOf({ subscriptions, invoices: [bill('sub_1', 'less', 999, [tax(167)])] })).toEqual([
    '8.32',
    '8.32',
  ]);
  // Half of it off: 9.99 - 5.00 = 4.99, of which 0.83 is tax; what lasts is the price, not the discount.
  const once = { discount_amounts: [{ amount: 500, discount: 'di_once' }] };
  const invoices = [bill('sub_1', 'less', 999, [tax(83)], once)];
  expect(await worthOf({ subscriptions, invoices })).toEqual(['8.33', '8.33']);
});

test('a buyer who pays no tax pays the whole price for the goods', async () => {
  const subscriptions = [sub('sub_1', 'with', { ...COMPUTED, latest_invoice: 'in_sub_1' })];
  expect(await worthOf({ subscriptions, invoices: [bill('sub_1', 'with', 1_190, [])] })).toEqual([
    '11.9',
    '11.9',
  ]);
});

const AUTOMATIC = { enabled: true, disabled_reason: null, liability: null, provider: 'stripe' };

test.each([
  ['complete', true, '11.9'],
  ['failed', true, 'tax_unknown'],
  ['requires_location_inputs', true, 'tax_unknown'],
  [null, true, 'tax_unknown'],
  [null, false, '11.9'],
])(
  'a bill without any tax whose computation is “%s” (enabled: %s) leaves %s',
  async (status, enabled, mrr) => {
    const on = (id: string, price: string) => sub(id, price, { ...COMPUTED, latest_invoice: `in_${id}` });
    const of = (id: string, price: string) => ({
      ...bill(id, price, 1_190, []),
      automatic_tax: { ...AUTOMATIC, status, enabled },
    });
    const subscriptions = [on('sub_1', 'with'), on('sub_2', 'on_top')];
    const invoices = [of('sub_1', 'with'), of('sub_2', 'on_top')];
    expect(await worthOf({ subscriptions, invoices })).toEqual(['10', mrr, '10', mrr]); // on top, then with it
  },
);

// Before the first look its price and quantity were others, which the bill alone tells.
test.each([
  ['complete', '9.99'],
  ['failed', 'tax_unknown'],
])('so it does for a time that nobody saw: “%s” leaves %s', async (status, mrr) => {
  await using db = await freshDb();
  const line = bill('sub_1', 'less', 999, []).lines[0];
  const gone = {
    subscription_item_details: { proration: false, subscription: 'sub_1', subscription_item: 'si_gone' },
  };
  const untold = { ...line, id: 'il_gone', parent: { type: 'subscription_item_details', ...gone } };
  const invoice = {
    ...bill('sub_1', 'less', 999, []),
    lines: [untold],
    automatic_tax: { ...AUTOMATIC, status },
  };
  const subscriptions = [sub('sub_1', 'on_top', COMPUTED)];
  await using account = await anAccountOf(db, { prices: PRICES, invoices: [invoice], subscriptions });
  for (const stream of ['prices', 'invoices', 'subscriptions'])
    expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  await rollUp(db, account.brandId, NOW);
  const rows = await mrrRows(db, account.brandId);
  assertAddsUp(rows);
  const ofLess = rows.filter(({ day, plan }) => day === yesterday && plan === 'less');
  expect(ofLess.map((row) => row.mrr ?? row.mrr_cause)).toEqual([mrr]);
});

test('without a bill nobody can tell a computed tax, unless the price is without it', async () => {
  const subscriptions = [sub('sub_1', 'with', COMPUTED), sub('sub_2', 'on_top', COMPUTED)];
  expect(await worthOf({ subscriptions })).toEqual(['10', 'tax_unknown', '10', 'tax_unknown']);
});

// An item that is gone was never seen: its bill says all that there is to say.
test('an item that was taken out before the first look was worth its bill without the tax', async () => {
  await using db = await freshDb();
  const subscription = sub('sub_1', 'with', { default_tax_rates: [rate(19, true)] });
  const gone = bill('sub_1', 'less', 1_190, [tax(190)]);
  const [line] = gone.lines;
  const left = {
    ...line,
    ...{ id: 'il_gone', amount: -999, period: { start: START + 2 * DAY, end: START + 30 * DAY }, taxes: [] },
    parent: {
      type: 'subscription_item_details',
      subscription_item_details: { proration: true, subscription: 'sub_1', subscription_item: 'si_gone' },
    },
  };
  const old = {
    ...line,
    ...{ id: 'il_old', amount: 999, taxes: [tax(167)] },
    parent: {
      type: 'subscription_item_details',
      subscription_item_details: { proration: false, subscription: 'sub_1', subscription_item: 'si_gone' },
    },
  };
  const files = {
    prices: PRICES,
    invoices: [{ ...gone, lines: [old, left] }],
    subscriptions: [subscription],
  };
  await using account = await anAccountOf(db, files);
  for (const stream of ['prices', 'invoices', 'subscriptions']) await account.sync(stream);
  await rollUp(db, account.brandId, NOW);
  const rows = await mrrRows(db, account.brandId);
  assertAddsUp(rows);
  const on = (seconds: number) =>
    rows
      .filter(({ day }) => day === new Date(seconds * 1000).toISOString().slice(0, 10))
      .map(({ plan, mrr }) => `${plan} ${mrr}`);
  expect(on(START)).toEqual(['less 8.32', 'with 10']);
  expect(on(NOW_SECONDS)).toEqual(['with 10']);
});
