/** What SQL makes of prices and bills for times that nobody saw. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { monthlyOf } from '#connectors/stripe/mrr/monthly.ts';
import { decimalOf } from '#connectors/stripe/mrr/rational.ts';
import { freshDb } from '../support/db/db.ts';
import { mrrRows, rollUp } from '../support/mrr/mrr.ts';
import { assertHolds } from '../support/property.ts';
import { NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const amount = fc.oneof(
  fc.integer({ min: 0, max: 99_999 }).map(String),
  fc.constantFrom('0.5', '12.3456789', '0.000000000001'),
);
const optional = fc.option(amount, { nil: null });
const tier = (upTo: number | null) =>
  fc.record({ up_to: fc.constant(upTo), unit_amount_decimal: optional, flat_amount_decimal: optional });
const anyPrice = fc.record({
  billing_scheme: fc.constantFrom('per_unit', 'tiered'),
  tiers_mode: fc.constantFrom('graduated', 'volume'),
  tiers: fc.tuple(tier(1), tier(5), tier(10), tier(null)),
  unit_amount_decimal: amount,
  recurring: fc.record({
    interval: fc.constantFrom('day', 'week', 'month', 'year'),
    interval_count: fc.constantFrom(1, 2, 3, 7),
    usage_type: fc.constant('licensed'),
  }),
  transform_quantity: fc.option(
    fc.record({ divide_by: fc.constantFrom(2, 10), round: fc.constantFrom('up', 'down') }),
    { nil: null },
  ),
});

// One is for what we see, the other for what we did not: a price must be worth the same to both.
test('SQL and the connector think alike of what a price is worth a month', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(
      anyPrice,
      fc.integer({ min: 0, max: 23 }),
      fc.constantFrom('GBP', 'JPY', 'KWD', 'ISK', 'MGA'),
      async (price, quantity, currency) => {
        const [found] = await db.column(
          `select trim_scale(round(fact.per_month(fact.billed($1, $2) * power(0.1, fact.stripe_exponent($3)), $1 -> 'recurring'), 18))`,
          [JSON.stringify(price), quantity, currency],
        );
        expect(found).toBe(decimalOf(monthlyOf(price, quantity, currency), 18));
      },
    ),
    300,
  );
});

const DAY = 86_400;
const ago = (days: number) => NOW_SECONDS - days * DAY;
const day = (days: number) => new Date(ago(days) * 1000).toISOString().slice(0, 10);
const month = (id: string, unit_amount: number, more: object = {}) => ({
  ...{ id, currency: 'usd', product: 'prod_1', unit_amount, recurring: { interval: 'month' }, ...more },
});
const PRICES = [
  month('small', 1_000),
  month('big', 3_000),
  month('steps', 0, {
    ...{ unit_amount: null, billing_scheme: 'tiered', tiers_mode: 'graduated' },
    tiers: [
      { up_to: 5, unit_amount: 100 },
      { up_to: null, unit_amount: 50 },
    ],
  }),
];
type Line = {
  price: string;
  from: number;
  amount: number;
  quantity?: number;
  proration?: boolean;
  item?: string | null;
};

/** A change that is billed later names its subscription and price, and no item. */
function bill(id: string, days: number, lines: Line[], more: object = {}) {
  return {
    ...{ id, customer: 'cus_1', currency: 'usd', created: ago(days), billing_reason: 'subscription_cycle' },
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } },
    lines: lines.map(
      ({ price, from, amount: cents, quantity = 1, proration = false, item = 'si_1' }, index) => ({
        ...{
          id: `${id}_${index}`,
          amount: cents,
          quantity,
          period: { start: ago(from), end: ago(from - 30) },
        },
        pricing: {
          type: 'price_details',
          price_details: { price, product: 'prod_1' },
          unit_amount_decimal: '1',
        },
        parent:
          item === null
            ? {
                type: 'invoice_item_details',
                invoice_item_details: { invoice_item: 'ii_1', proration, subscription: 'sub_1' },
              }
            : {
                type: 'subscription_item_details',
                subscription_item_details: { proration, subscription: 'sub_1', subscription_item: item },
              },
      }),
    ),
    ...more,
  };
}

async function mrrOf(sub: object, invoices: object[]) {
  await using db = await freshDb();
  const subscriptions = [{ id: 'sub_1', customer: 'cus_1', created: ago(80), ...sub }];
  await using account = await anAccountOf(db, { prices: PRICES, subscriptions, invoices });
  for (const stream of ['invoices', 'subscriptions', 'prices'])
    expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  await rollUp(db, account.brandId, NOW);
  const rows = await mrrRows(db, account.brandId);
  return (days: number) =>
    rows
      .filter((row) => row.day === day(days) && row.active_subscriptions > 0)
      .map(({ plan, mrr }) => `${plan} ${mrr}`);
}

test('a change that was billed with the next period holds from the day of the change', async () => {
  const on = await mrrOf({ items: [{ id: 'si_1', price: 'big', quantity: 2 }] }, [
    bill('in_1', 80, [{ price: 'small', from: 80, amount: 1_000 }]),
    bill('in_2', 50, [
      { price: 'small', from: 70, amount: -667, proration: true, item: null },
      { price: 'big', from: 70, amount: 4_000, quantity: 2, proration: true, item: null },
      { price: 'big', from: 50, amount: 6_000, quantity: 2 },
    ]),
  ]);
  expect([on(81), on(80), on(71), on(70), on(50), on(0)]).toEqual([
    [],
    ['small 10'],
    ['small 10'],
    ['big 60'],
    ['big 60'],
    ['big 60'],
  ]);
});

test('an item that was taken out ends with its credit, or with what was paid for', async () => {
  const on = await mrrOf({ items: [{ id: 'si_1', price: 'small' }] }, [
    bill('in_1', 80, [
      { price: 'small', from: 80, amount: 1_000 },
      { price: 'big', from: 80, amount: 3_000, item: 'si_2' },
      { price: 'steps', from: 80, amount: 500, quantity: 5, item: 'si_3' },
      { price: 'steps', from: 80, amount: 150, quantity: 3, item: 'si_3' }, // the second step of a price by tiers
    ]),
    bill('in_2', 50, [
      { price: 'big', from: 70, amount: -2_000, proration: true, item: 'si_2' },
      { price: 'small', from: 50, amount: 1_000 },
    ]),
  ]);
  expect([on(80), on(70), on(51), on(50)]).toEqual([
    ['big 30', 'small 10', 'steps 6.5'],
    ['small 10', 'steps 6.5'],
    ['small 10', 'steps 6.5'],
    ['small 10'],
  ]);
});

test('a first bill that was paid some hours late dates the beginning', async () => {
  const paid = bill('in_1', 80, [{ price: 'small', from: 80, amount: 1_000 }], {
    ...{ billing_reason: 'subscription_create', status: 'paid' },
    status_transitions: { finalized_at: ago(80), paid_at: ago(79) - 2 * 3_600 },
  });
  const on = await mrrOf({ items: [{ id: 'si_1', price: 'small' }] }, [paid]);
  expect([on(80), on(79)]).toEqual([[], ['small 10']]);
});

// The customer's return lies days after what was learned late, and nothing of it has changed.
test('a bill that turns out to be paid makes the next subscription of the customer a return', async () => {
  await using db = await freshDb();
  const first = (more: object) =>
    bill('in_1', 9, [{ price: 'small', from: 9, amount: 1_000 }], {
      billing_reason: 'subscription_create',
      ...more,
    });
  const over = { status: 'canceled', canceled_at: ago(9), ended_at: ago(9) + 20 * 3_600 };
  const files = {
    prices: PRICES,
    subscriptions: [
      { id: 'sub_1', customer: 'cus_1', created: ago(9), items: [{ id: 'si_1', price: 'small' }], ...over },
      { id: 'sub_2', customer: 'cus_1', created: ago(3), items: [{ id: 'si_2', price: 'small' }] },
    ],
  };
  await using account = await anAccountOf(db, { ...files, invoices: [first({ status: 'void' })] });
  const moves = async () =>
    (await mrrRows(db, account.brandId))
      .filter((row) => row.new_mrr !== '0' || row.reactivated_mrr !== '0')
      .map((row) => `${row.day} ${row.new_mrr} new, ${row.reactivated_mrr} back`);
  for (const stream of ['prices', 'subscriptions', 'invoices']) await account.sync(stream);
  await rollUp(db, account.brandId, NOW);
  expect(await moves()).toEqual([`${day(3)} 10 new, 0 back`]);
  const status_transitions = { finalized_at: ago(9), paid_at: ago(9) + 60 };
  await account.serve({ ...files, invoices: [first({ status: 'paid', status_transitions })] });
  await account.sync('invoices', { full: true });
  await rollUp(db, account.brandId, NOW);
  expect(await moves()).toEqual([`${day(9)} 10 new, 0 back`, `${day(3)} 0 new, 10 back`]);
});
