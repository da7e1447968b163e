import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const START = NOW_SECONDS - 10 * 86_400;
const at = (seconds: number) => new Date(seconds * 1000);
const price = (id: string, more: object) => ({
  id,
  currency: 'usd',
  product: 'prod_1',
  created: START,
  ...more,
});
const every = (interval: string, interval_count = 1) => ({ recurring: { interval, interval_count } });
const PRICES = [
  price('year', { unit_amount: 10_000, ...every('year') }),
  price('week', { unit_amount: 300, ...every('week') }),
  price('day', { unit_amount: 120, ...every('day') }),
  price('quarter', { unit_amount: 3_000, ...every('month', 3) }),
  price('yen', { unit_amount: 1_200, ...every('month'), currency: 'jpy' }),
  price('fine', { unit_amount_decimal: '0.5', unit_amount: null, ...every('month') }),
  price('metered', { unit_amount: 50, recurring: { interval: 'month', usage_type: 'metered' } }),
  price('packs', {
    unit_amount: 1_000,
    ...every('month'),
    transform_quantity: { divide_by: 10, round: 'up' },
  }),
  price('graduated', {
    ...every('month'),
    ...{ billing_scheme: 'tiered', tiers_mode: 'graduated', unit_amount: null },
    tiers: [
      { up_to: 5, unit_amount: 100, flat_amount: 1_000 },
      { up_to: null, unit_amount: 50, flat_amount: null },
    ],
  }),
  price('volume', {
    ...every('month'),
    ...{ billing_scheme: 'tiered', tiers_mode: 'volume', unit_amount: null },
    tiers: [
      { up_to: 5, unit_amount: 100, flat_amount: null },
      { up_to: null, unit_amount: 50, flat_amount: 200 },
    ],
  }),
];

test.each([
  ['year', 1, '8.333333333333333333'],
  ['week', 1, '13'],
  ['day', 1, '36.5'],
  ['quarter', 2, '20'],
  ['yen', 3, '3600'],
  ['fine', 7, '0.035'],
  ['packs', 21, '30'],
  ['graduated', 8, '16.5'],
  ['volume', 5, '5'],
  ['volume', 8, '6'],
])('an item at the price “%s”, %i times, is worth %s a month', async (name, quantity, monthly) => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {
    prices: PRICES,
    subscriptions: [
      { id: 'sub_1', customer: 'cus_1', created: START, items: [{ id: 'si_1', price: name, quantity }] },
    ],
  });
  expect(await account.sync('subscriptions')).toMatchObject({ rejected: 0 });
  const [row] = await account.rows('subscription_versions', 'valid_from, status, items');
  expect(row).toMatchObject({
    status: 'active',
    items: [{ item: 'si_1', price: name, monthly, metered: false }],
  });
  expect(row?.valid_from).toEqual(at(NOW_SECONDS));
});

test('coupons that last for ever count, others and metered prices do not', async () => {
  await using db = await freshDb();
  const coupon = (id: string, more: object) => ({ id, created: START, ...more });
  const discount = (id: string, of: string) => ({ id, source: { type: 'coupon', coupon: of }, start: START });
  const sub = (id: string, items: object[], discounts: object[]) => ({
    ...{ id, customer: 'cus_1', created: START, items, discounts },
  });
  await using account = await anAccountOf(db, {
    prices: PRICES,
    coupons: [
      coupon('TEN', { percent_off: 10, duration: 'forever' }),
      coupon('TWO', { amount_off: 200, currency: 'usd', duration: 'forever' }),
      coupon('ONCE', { percent_off: 50, duration: 'once' }),
    ],
    subscriptions: [
      sub('sub_1', [{ price: 'quarter' }], [discount('di_1', 'TEN'), discount('di_2', 'ONCE')]),
      sub('sub_2', [{ price: 'quarter', quantity: 2 }, { price: 'metered' }], [discount('di_3', 'TWO')]),
      sub('sub_3', [{ price: 'quarter', discounts: [discount('di_4', 'TEN'), discount('di_5', 'TWO')] }], []),
    ],
  });
  expect(await account.sync('subscriptions')).toMatchObject({ rejected: 0 });
  expect(await account.rows('subscription_versions', 'id, items')).toMatchObject([
    { id: 'sub_1', items: [{ monthly: '9', undiscounted: '10' }] },
    {
      id: 'sub_2',
      items: [
        { price: 'quarter', monthly: '19.333333333333333333', undiscounted: '20' },
        { price: 'metered', monthly: '0', metered: true },
      ],
    },
    { id: 'sub_3', items: [{ monthly: '8.333333333333333333', undiscounted: '10' }] },
  ]);
});

test('more items than a subscription shows are drained, and one that is over holds from its end', async () => {
  await using db = await freshDb();
  const items = Array.from({ length: 23 }, (_, index) => ({ id: `si_${index}`, price: 'week' }));
  await using account = await anAccountOf(db, {
    prices: PRICES,
    subscriptions: [
      { id: 'sub_1', customer: 'cus_1', created: START, items },
      {
        ...{ id: 'sub_2', customer: 'cus_1', created: START, items: [{ price: 'week' }] },
        ...{ status: 'canceled', canceled_at: START + 60, ended_at: START + 600 },
      },
    ],
  });
  expect(await account.sync('subscriptions')).toMatchObject({ read: 2, rejected: 0 });
  expect(await db.column('select count(*)::int from raw.stripe_subscription_items')).toEqual([24]);
  expect(
    await account.rows('subscription_versions', 'id, valid_from, jsonb_array_length(items) as n'),
  ).toEqual([
    { id: 'sub_1', valid_from: at(NOW_SECONDS), n: 23 },
    { id: 'sub_2', valid_from: at(START + 600), n: 1 },
  ]);
});

test('each version of a subscription is kept from the instant of its event on, and an equal one is not', async () => {
  await using db = await freshDb();
  const sub = (more: object) => ({ id: 'sub_1', customer: 'cus_1', created: START, ...more });
  const small = sub({ items: [{ id: 'si_1', price: 'week' }] });
  const big = sub({ items: [{ id: 'si_1', price: 'week', quantity: 2 }] });
  const changedAt = NOW_SECONDS + 3_600;
  const event = { id: 'evt_1', type: 'customer.subscription.updated', created: changedAt };
  await using account = await anAccountOf(db, { prices: PRICES, subscriptions: [small] });
  await account.sync('subscriptions');
  await account.serve(
    {
      prices: PRICES,
      subscriptions: [big],
      events: [{ ...event, data: { object: { ...small, object: 'subscription' } } }],
    },
    { now: '2026-11-20T09:00:00Z' },
  );
  await account.sync('subscriptions', { now: '2026-11-20T08:00:00Z' });
  await account.sync('subscriptions', { now: '2026-11-20T08:03:00Z' });
  await account.sync('subscriptions', { full: true, now: '2026-11-20T09:00:00Z' });
  const versions = await account.rows('subscription_versions', "valid_from, items->0->>'monthly' as monthly");
  expect(versions).toEqual([
    { valid_from: at(NOW_SECONDS), monthly: '13' },
    { valid_from: at(changedAt), monthly: '26' },
  ]);
});
