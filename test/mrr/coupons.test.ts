/** Coupons without end, as one computes them by hand: what they are for, in which currency, and whose they are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterDiscounts } from '#connectors/stripe/mrr/discounts.ts';
import { decimalOf, rationalOf, ZERO } from '#connectors/stripe/mrr/rational.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertAddsUp, type MrrRow, mrrRows, rollUp } from '../support/mrr/mrr.ts';
import { assertHolds } from '../support/property.ts';
import { type Files, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const START = NOW_SECONDS - 5 * DAY;
const dayOf = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
const price = (id: string, unit_amount: number, more: object = {}) => ({
  ...{
    id,
    currency: 'usd',
    product: `prod_${id}`,
    created: START,
    unit_amount,
    recurring: { interval: 'month' },
  },
  ...more,
});
const PRICES = [
  price('forty', 4_000),
  price('ten', 1_000),
  price('year', 24_000, { recurring: { interval: 'year' } }),
  price('both', 6_000, { currency_options: { eur: { unit_amount: 5_000, unit_amount_decimal: '5000' } } }),
];
const coupon = (id: string, more: object) => ({ id, created: START, duration: 'forever', ...more });
const COUPONS = [
  coupon('HALF', { percent_off: 50, applies_to: { products: ['prod_forty'] } }),
  coupon('SIX', { amount_off: 600, currency: 'usd', applies_to: { products: ['prod_ten', 'prod_year'] } }),
  coupon('NINE', { amount_off: 1_000, currency: 'usd', currency_options: { eur: { amount_off: 900 } } }),
  coupon('POUNDS', { amount_off: 900, currency: 'gbp' }),
  coupon('TENTH', { percent_off: 10 }),
  coupon('ONCE', { percent_off: 50, duration: 'once' }),
];
const off = (of: string, more: object = {}) => ({
  ...{
    id: `di_${of}_${Math.abs(JSON.stringify(more).length)}`,
    source: { type: 'coupon', coupon: of },
    start: START,
  },
  ...more,
});
const sub = (items: (string | object)[], more: object = {}) => ({
  ...{ id: 'sub_1', customer: 'cus_1', created: START },
  items: items.map((item, index) => ({
    id: `si_${index}`,
    ...(typeof item === 'string' ? { price: item } : item),
  })),
  ...more,
});

const told = ({ day, plan, currency, mrr, mrr_cause }: MrrRow) =>
  `${day} ${plan} ${mrr === null ? mrr_cause : `${mrr} ${currency}`}`;

/** What each plan is worth: the same on the day before the first look as on the day of it, and to both brands. */
async function worthOf(files: Files, { db: given }: { db?: TestDb } = {}) {
  await using own = given ? undefined : await freshDb();
  const db = given ?? own;
  if (!db) throw new Error('no database');
  await using account = await anAccountOf(db, { prices: PRICES, coupons: COUPONS, ...files });
  const other = await connectStripe(db, account.sandbox);
  for (const { sync, brandId } of [account, other]) {
    expect(await sync('subscriptions')).toMatchObject({ rejected: 0 });
    await rollUp(db, brandId, NOW);
  }
  const [rows, others] = [await mrrRows(db, account.brandId), await mrrRows(db, other.brandId)];
  assertAddsUp(rows);
  expect(others.map(told)).toEqual(rows.map(told));
  const on = (day: string) =>
    rows.filter((row) => row.day === day).map((row) => told(row).slice(day.length + 1));
  expect(on(dayOf(NOW_SECONDS - DAY))).toEqual(on(dayOf(NOW_SECONDS)));
  return on(dayOf(NOW_SECONDS));
}

test('a coupon for one product leaves the others alone', async () => {
  const subscriptions = [sub(['forty', 'ten'], { discounts: [off('HALF')] })];
  expect(await worthOf({ subscriptions })).toEqual(['forty 20 USD', 'ten 10 USD']);
});

// 6.00 a month off 10.00 and 20.00 leaves four fifths of each.
test('an amount for two of three products is shared between these, and not beyond what they cost', async () => {
  const subscriptions = [sub(['forty', 'ten', 'year'], { discounts: [off('SIX')] })];
  expect(await worthOf({ subscriptions })).toEqual(['forty 40 USD', 'ten 8 USD', 'year 16 USD']);
});

test('an amount off an item is no more than the item, and a coupon for another product is nothing off it', async () => {
  const items = [
    { price: 'ten', discounts: [off('SIX'), off('NINE')] },
    { price: 'forty', discounts: [off('SIX', { item: 1 })] },
  ];
  expect(await worthOf({ subscriptions: [sub(items)] })).toEqual(['forty 40 USD', 'ten 0 USD']);
});

test('a price and a coupon are taken in the currency of the subscription', async () => {
  const subscriptions = [sub(['both'], { currency: 'eur', discounts: [off('NINE')] })];
  expect(await worthOf({ subscriptions })).toEqual(['both 41 EUR']);
});

test('a coupon that has no amount in the currency takes nothing off', async () => {
  const subscriptions = [sub(['both'], { currency: 'eur', discounts: [off('POUNDS')] })];
  expect(await worthOf({ subscriptions })).toEqual(['both 50 EUR']);
});

test('tiers are those of the currency', async () => {
  const tier = (up_to: number | null, unit_amount: number) => ({ up_to, unit_amount, flat_amount: null });
  const steps = price('steps', 0, {
    ...{ unit_amount: null, billing_scheme: 'tiered', tiers_mode: 'graduated' },
    tiers: [tier(5, 200), tier(null, 100)],
    currency_options: { eur: { tiers: [tier(5, 180), tier(null, 90)] } },
  });
  const subscriptions = [sub([{ price: 'steps', quantity: 7 }], { currency: 'eur' })];
  expect(await worthOf({ prices: [...PRICES, steps], subscriptions })).toEqual(['steps 10.8 EUR']);
});

test('what a price is in a currency that it does not name is unknown, and says so', async () => {
  const subscriptions = [sub(['forty', 'both'], { currency: 'eur' })];
  expect(await worthOf({ subscriptions })).toEqual(['both 50 EUR', 'forty price_unknown']);
});

test('the coupon of a customer counts where the subscription has none, that of an item first', async () => {
  const customers = [
    { id: 'cus_1', created: START, email: 'a@example.com', discount: off('TENTH', { customer: 'cus_1' }) },
    { id: 'cus_2', created: START, discount: off('ONCE', { customer: 'cus_2' }) },
  ];
  const subscriptions = [
    sub([{ price: 'forty', discounts: [off('HALF')] }]),
    sub(['year'], { id: 'sub_2', discounts: [off('ONCE')], items: [{ id: 'si_2', price: 'year' }] }),
    sub([], { id: 'sub_3', customer: 'cus_2', items: [{ id: 'si_3', price: 'ten' }] }),
  ];
  await using db = await freshDb();
  expect(await worthOf({ customers, subscriptions }, { db })).toEqual([
    'forty 18 USD',
    'ten 10 USD',
    'year 20 USD',
  ]);
  const stored = await db.column('select payload::text from raw.stripe_subscriptions');
  expect(stored.filter((payload) => String(payload).includes('example.com'))).toEqual([]);
});

test('a coupon that is deleted goes on where it was given', async () => {
  const subscriptions = [sub(['forty', 'ten'], { discounts: [off('HALF')] })];
  const gone = { id: 'HALF', deleted: true, _at: START + 60 };
  expect(await worthOf({ coupons: [...COUPONS, gone], subscriptions })).toEqual([
    'forty 20 USD',
    'ten 10 USD',
  ]);
});

test('a discount whose coupon nobody can name any more leaves the amount unknown, not the other plans', async () => {
  const subscriptions = [
    sub(['forty'], { discounts: [off('HALF', { source: { type: 'coupon', coupon: null } })] }),
    sub([], { id: 'sub_2', items: [{ id: 'si_2', price: 'ten' }] }),
  ];
  expect(await worthOf({ subscriptions })).toEqual(['forty coupon_unknown', 'ten 10 USD']);
});

test('a discount that a customer gets or loses counts from then on', async () => {
  await using db = await freshDb();
  const later = NOW_SECONDS + 2 * DAY;
  const files = {
    ...{ prices: PRICES, coupons: COUPONS, subscriptions: [sub(['forty'])] },
    customers: [
      { id: 'cus_1', created: START },
      { id: 'cus_1', created: START, _at: NOW_SECONDS + DAY, discount: off('TENTH', { customer: 'cus_1' }) },
      { id: 'cus_1', created: START, _at: later },
    ],
  };
  await using account = await anAccountOf(db, files, { now: NOW });
  const other = await connectStripe(db, account.sandbox);
  for (const seconds of [NOW_SECONDS, NOW_SECONDS + DAY + 600, later + 600]) {
    const now = new Date(seconds * 1000).toISOString();
    await account.serve(files, { now });
    for (const { sync, brandId } of [account, other]) {
      await sync('subscriptions', { now });
      await rollUp(db, brandId, now);
    }
  }
  for (const { brandId } of [account, other]) {
    const rows = await mrrRows(db, brandId);
    assertAddsUp(rows);
    expect(rows.slice(-3).map(told)).toEqual([
      `${dayOf(NOW_SECONDS)} forty 40 USD`,
      `${dayOf(NOW_SECONDS + DAY)} forty 36 USD`,
      `${dayOf(later)} forty 40 USD`,
    ]);
  }
});

const amount = fc.constantFrom('0', '5', '12.345678901234567891', '99.99');
const anyCoupon = fc.record({
  duration: fc.constantFrom('forever', 'forever', 'once'),
  percent_off: fc.option(fc.constantFrom(10, 12.5, 100), { nil: null }),
  amount_off: fc.option(fc.constantFrom(100, 999, 5_000), { nil: null }),
  currency: fc.constantFrom('gbp', 'usd', null),
  applies_to: fc.option(fc.record({ products: fc.subarray(['a', 'b', 'c']) }), { nil: undefined }),
  currency_options: fc.option(fc.constant({ gbp: { amount_off: 250 } }), { nil: undefined }),
});
const anyItem = fc.record({
  worth: fc.option(amount, { freq: 10, nil: null }),
  product: fc.constantFrom('a', 'b', 'c'),
  recurring: fc.record({
    interval: fc.constantFrom('month', 'year', 'week'),
    interval_count: fc.constantFrom(1, 3),
    usage_type: fc.constantFrom('licensed', 'licensed', 'metered'),
  }),
});

// One is for what we see, the other for what we did not.
test('SQL and the connector think alike of what coupons leave', async () => {
  await using db = await freshDb();
  const discount = fc.oneof(
    { weight: 12, arbitrary: anyCoupon.map((one) => ({ start: START, source: { coupon: one } })) },
    { weight: 1, arbitrary: fc.constant({ start: START, source: { coupon: null } }) },
  );
  const law = fc.asyncProperty(
    fc.array(anyItem, { minLength: 1, maxLength: 4 }),
    fc.array(discount, { maxLength: 4 }),
    async (given, discounts) => {
      const items = given.map((one) =>
        one.recurring.usage_type === 'metered' ? { ...one, worth: '0' } : one,
      );
      const worths = items.map(({ worth }) =>
        worth === null ? 'price_unknown' : (rationalOf(worth) ?? ZERO),
      );
      const left = afterDiscounts(worths, items, discounts, 'GBP');
      const rows = await db.rows<{ left: string | null }>(
        `select trim_scale(round(w.worth, 18)) as left
         from unnest(fact.after_discounts($1, $2, $3, $4, now(), 'GBP')) with ordinality as w (worth, number) order by number`,
        [
          items.map(({ worth }) => worth),
          items.map(({ product }) => product),
          items.map(({ recurring }) =>
            recurring.usage_type === 'metered' ? null : JSON.stringify(recurring),
          ),
          JSON.stringify(discounts),
        ],
      );
      expect(rows.map((row) => row.left)).toEqual(
        left.map((worth) => (typeof worth === 'string' ? null : decimalOf(worth, 18))),
      );
    },
  );
  await assertHolds(law, 300);
});
