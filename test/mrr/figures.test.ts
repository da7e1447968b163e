/** MRR of subscriptions of every kind, as one computes it by hand. */
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertAddsUp, mrrRows, rollUp } from '../support/mrr/mrr.ts';
import { NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const ago = (days: number) => NOW_SECONDS - days * DAY;
const dayOf = (days: number) => new Date(ago(days) * 1000).toISOString().slice(0, 10);
const price = (id: string, unit_amount: number, interval: string, more: object = {}) => {
  const { recurring = {}, ...rest } = more as { recurring?: object };
  return {
    id,
    currency: 'usd',
    product: 'prod_1',
    unit_amount,
    recurring: { interval, ...recurring },
    ...rest,
  };
};
const PRICES = [
  price('month', 1_000, 'month'),
  price('year', 70, 'year'),
  price('week', 300, 'week'),
  price('day', 120, 'day'),
  price('quarter', 3_000, 'month', { recurring: { interval_count: 3 } }),
  price('yen', 10_000, 'year', { currency: 'jpy' }),
  price('dinar', 10_000, 'year', { currency: 'kwd' }),
  price('used', 50, 'month', { recurring: { usage_type: 'metered' } }),
];
const sub = (id: string, of: string | object[], days: number, more: object = {}) => ({
  ...{ id: `sub_${id}`, customer: `cus_${id}`, created: ago(days) },
  items: typeof of === 'string' ? [{ id: `si_${id}`, price: of }] : of,
  ...more,
});

type Account = Awaited<ReturnType<typeof anAccountOf>>;

async function figures(db: TestDb, account: Account) {
  for (const stream of ['prices', 'subscriptions', 'invoices'])
    expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  await rollUp(db, account.brandId, NOW);
  const rows = await mrrRows(db, account.brandId);
  assertAddsUp(rows);
  await assertExplained(db, account.brandId, { now: new Date(NOW) });
  const on = (day: string) => rows.filter((row) => row.day === day);
  const mrr = (day: string) => Object.fromEntries(on(day).map((row) => [row.plan, row.mrr]));
  return { rows, on, mrr };
}

test('each interval counts by the month, rounded once for all of a plan', async () => {
  await using db = await freshDb();
  const all = ['month', 'week', 'day', 'quarter', 'yen', 'dinar', 'used'].map((id) => sub(id, id, 3));
  const years = [1, 2, 3].map((number) => sub(`year${number}`, 'year', 3));
  await using account = await anAccountOf(db, { prices: PRICES, subscriptions: [...all, ...years] });
  const { on, mrr, rows } = await figures(db, account);
  const expected = {
    month: '10',
    week: '13',
    day: '36.5',
    quarter: '10',
    yen: '833',
    dinar: '0.833',
    used: '0',
  };
  // Three times 0.70 a year are 0.175 a month.
  expect(mrr(dayOf(0))).toEqual({ ...expected, year: '0.18' });
  expect(new Set(rows.map(({ day }) => day))).toEqual(new Set([3, 2, 1, 0].map(dayOf)));
  expect(on(dayOf(3)).every((row) => row.new_mrr === row.mrr && row.is_reconstructed)).toBe(true);
  expect(on(dayOf(0)).every((row) => row.new_mrr === '0' && !row.is_reconstructed)).toBe(true);
  expect(on(dayOf(0)).find(({ plan }) => plan === 'used')).toMatchObject({
    active_subscriptions: 1,
    is_metered: true,
  });
});

test('what does not count: trials, what never began, is unpaid, paused or over; what does: late and pausing ones', async () => {
  await using db = await freshDb();
  const ended = (days: number) => ({ status: 'canceled', canceled_at: ago(9), ended_at: ago(days) });
  const bill = (of: string, more: object) => ({
    ...{
      id: `in_${of}`,
      customer: `cus_${of}`,
      currency: 'usd',
      created: ago(9),
      billing_reason: 'subscription_create',
    },
    parent: { type: 'subscription_details', subscription_details: { subscription: `sub_${of}` } },
    lines: [
      { id: `il_${of}`, amount: 1_000, pricing: { price_details: { price: 'month', product: 'prod_1' } } },
    ],
    ...more,
  });
  await using account = await anAccountOf(db, {
    prices: PRICES,
    subscriptions: [
      sub('late', 'month', 9, { status: 'past_due' }),
      sub('pausing', 'month', 9, { pause_collection: { behavior: 'void', resumes_at: null } }),
      sub('trial', 'month', 9, { status: 'trialing', trial_start: ago(9), trial_end: ago(-5) }),
      sub('tried', 'month', 9, { trial_start: ago(9), trial_end: ago(4) }),
      sub('unpaid', 'month', 9, { status: 'unpaid' }),
      sub('paused', 'month', 9, { status: 'paused', trial_start: ago(9), trial_end: ago(4) }),
      sub('incomplete', 'month', 9, { status: 'incomplete' }),
      sub('expired', 'month', 9, { status: 'incomplete_expired', ended_at: ago(8), canceled_at: ago(8) }),
      sub('over', 'month', 9, ended(4)),
      sub('never', 'month', 9, ended(8)),
      sub('leaving', 'month', 9, { cancel_at_period_end: true, canceled_at: ago(2), cancel_at: ago(-20) }),
    ],
    invoices: [bill('never', { status: 'void' })],
  });
  const { on } = await figures(db, account);
  const [start, trialOver, today] = [on(dayOf(8)), on(dayOf(4)), on(dayOf(0))];
  // late, pausing, unpaid (when it stopped to count nobody knows), over, leaving; trial, tried, paused.
  expect(start).toMatchObject([{ mrr: '50', active_subscriptions: 5, trialing: 3, paused: null }]);
  expect(trialOver).toMatchObject([
    {
      mrr: '50',
      new_mrr: '10',
      churned_mrr: '10',
      churned_subscriptions: 1,
      active_subscriptions: 5,
      trialing: 1,
    },
  ]);
  expect(today).toMatchObject([
    { mrr: '40', active_subscriptions: 4, trialing: 1, paused: 1, churned_mrr: '10' },
  ]);
});

test('two subscriptions of a customer, a change of plan, a loss, a return and a second loss', async () => {
  await using db = await freshDb();
  const state = (days: number, of: string | object[], more: object = {}) => ({
    ...sub('a', of, 9),
    ...{ customer: 'cus_1', _at: ago(days), ...more },
  });
  const items = (...ids: string[]) => ids.map((id) => ({ id: `si_${id}`, price: id }));
  const over = (days: number) => ({ status: 'canceled', canceled_at: ago(days), ended_at: ago(days) });
  const files = {
    prices: PRICES,
    subscriptions: [
      state(9, items('month')),
      state(7, items('month', 'quarter')), // one more
      state(6, items('week')), // another instead
      state(5, items('week'), over(5)),
      { ...sub('b', 'month', 3), customer: 'cus_1', _at: ago(3) },
      { ...sub('b', 'month', 3), customer: 'cus_1', _at: ago(1), ...over(1) },
    ],
  };
  const looks = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((days) =>
    new Date((ago(days) + 3_600) * 1000).toISOString(),
  );
  await using account = await anAccountOf(db, files, { now: looks[0] });
  for (const now of looks) {
    await account.serve(files, { now });
    await account.sync('subscriptions', { now });
    await rollUp(db, account.brandId, now);
  }
  const rows = await mrrRows(db, account.brandId);
  assertAddsUp(rows);
  const moves = rows.map((row) => [
    ...[row.day, row.plan, row.mrr, row.new_mrr, row.expansion_mrr, row.reactivated_mrr, row.contraction_mrr],
    ...[row.churned_mrr, row.churned_subscriptions],
  ]);
  expect(moves).toEqual([
    [dayOf(9), 'month', '10', '10', '0', '0', '0', '0', 0],
    [dayOf(8), 'month', '10', '0', '0', '0', '0', '0', 0],
    [dayOf(7), 'month', '10', '0', '0', '0', '0', '0', 0],
    [dayOf(7), 'quarter', '10', '0', '10', '0', '0', '0', 0],
    [dayOf(6), 'month', '0', '0', '0', '0', '10', '0', 0],
    [dayOf(6), 'quarter', '0', '0', '0', '0', '10', '0', 0],
    [dayOf(6), 'week', '13', '0', '13', '0', '0', '0', 0],
    [dayOf(5), 'week', '0', '0', '0', '0', '0', '13', 1],
    [dayOf(3), 'month', '10', '0', '0', '10', '0', '0', 0],
    [dayOf(2), 'month', '10', '0', '0', '0', '0', '0', 0],
    [dayOf(1), 'month', '0', '0', '0', '0', '0', '10', 1],
  ]);
});
