import { expect, test } from 'vitest';
import { clubAccount } from '../../sandbox/stripe/club/club.ts';
import type { StripeObject } from '../../sandbox/stripe/objects.ts';
import { assertValid } from '../support/providers/stripe.ts';

const NOW = Date.parse('2011-12-10T06:00:00Z') / 1000;

type State = {
  at: string;
  status: string;
  paused: boolean;
  coupon: string | null;
  items: { plan: string; quantity: number; mrr_exact: string }[];
};
type Day = {
  day: string;
  currency: string;
  plan: string;
  active_subscriptions: number;
  trialing: number;
  paused: number;
  mrr: string;
  mrr_exact: string;
};
type Truth = { days: Day[]; subscriptions: { subscription: string; customer: string; states: State[] }[] };

const account = clubAccount(NOW);
const book = account.book(false);
const truth = account.truth?.() as Truth;

function all(kind: string): StripeObject[] {
  const source = book.source(kind);
  return Array.from({ length: source.length }, (_, position) => source.objectAt(position, NOW) ?? {});
}
const states = (id: string) =>
  truth.subscriptions.find(({ subscription }) => subscription === id)?.states ?? [];
/** What a life looked like, with its repetitions left out. */
const steps = (id: string) =>
  states(id)
    .map(({ status, paused, items }) =>
      [
        status,
        paused ? 'paused' : '',
        ...items.map((item) => `${item.quantity} ${item.plan} ${item.mrr_exact}`),
      ]
        .filter(Boolean)
        .join(', '),
    )
    .filter((step, index, list) => step !== list[index - 1]);

test.each([
  ['steady1', ['active, 1 price_small 12']],
  ['trial1', ['trialing, 1 price_small 0', 'active, 1 price_small 12']],
  ['trialLeft1', ['trialing, 1 price_small 0', 'canceled, 1 price_small 0']],
  ['upgrade1', ['active, 1 price_small 12', 'active, 1 price_big 30']],
  ['downgrade1', ['active, 1 price_big 30', 'active, 1 price_small 12']],
  ['moreAndLess1', ['active, 2 price_small 24', 'active, 5 price_small 60', 'active, 1 price_small 12']],
  ['onceOff1', ['active, 1 price_small 12']],
  ['threeMonthsOff1', ['active, 1 price_small 12']],
  ['alwaysOff1', ['active, 1 price_big 27']],
  ['alwaysAmount1', ['active, 3 price_small 34']],
  ['leftAtOnce1', ['active, 1 price_big 30', 'canceled, 1 price_big 0']],
  ['lateOnce1', ['active, 1 price_small 12', 'past_due, 1 price_small 12', 'active, 1 price_small 12']],
  ['neverPaid1', ['active, 1 price_small 12', 'past_due, 1 price_small 12', 'canceled, 1 price_small 0']],
  ['paused1', ['active, 1 price_small 12', 'active, paused, 1 price_small 12', 'active, 1 price_small 12']],
  ['weekly1', ['active, 1 price_weekly 91/6', 'canceled, 1 price_weekly 0']],
  ['yearly1', ['active, 1 price_yearly 10']],
  ['dollars1', ['active, 1 price_dollars 15', 'active, 2 price_dollars 30']],
  ['dollarsYearly1', ['active, 1 price_dollarsyearly 45/4']],
  ['metered1', ['active, 1 price_small 12, 0 price_extras 0']],
  ['toYearly1', ['active, 1 price_small 12', 'active, 1 price_yearly 10']],
  ['neverBegan1', ['incomplete, 1 price_small 0', 'incomplete_expired, 1 price_small 0']],
])('the life of %s has the monthly revenue that one works out by hand', (name, expected) => {
  expect(steps(`sub_${name}`)).toEqual(expected);
});

test('who leaves at the end of a period counts until then, and may come back', () => {
  const left = states('sub_leftAndBack1');
  const end = left.at(-1);
  expect([end?.status, end?.at.slice(0, 10)]).toEqual(['canceled', '2011-03-28']);
  const object = all('subscriptions').find(({ id }) => id === 'sub_leftAndBack1');
  expect(Number(object?.ended_at) - Number(object?.canceled_at)).toBeGreaterThan(86_400);
  expect(object?.canceled_at).toBe(Number(object?.created) + 70 * 86_400);
  const owner = (id: string) => truth.subscriptions.find(({ subscription }) => subscription === id)?.customer;
  expect(owner('sub_leftAndBack1again')).toBe(owner('sub_leftAndBack1'));
});

test('a day shows what held when it ended in London', () => {
  const of = (day: string, plan: string) => truth.days.find((row) => row.day === day && row.plan === plan);
  expect(truth.days[0]).toMatchObject({
    day: '2010-12-06',
    plan: 'price_small',
    active_subscriptions: 1,
    mrr: '12.00',
  });
  const [trial] = states('sub_trial1');
  expect(trial?.at).toBe('2010-12-08T02:11:59.000Z');
  expect(of('2010-12-21', 'price_small')).toMatchObject({ trialing: 2 });
  expect(of('2010-12-22', 'price_small')).toMatchObject({ trialing: 1 });
  expect(of('2011-04-01', 'price_weekly')).toMatchObject({ mrr_exact: '91/6', mrr: '15.17' });
  expect(truth.days.at(-1)?.day).toBe('2011-12-10');
});

test('every invoice adds up, and every paid one has its charge, payment and transaction', () => {
  const charges = Map.groupBy(all('charges'), ({ payment_intent }) => payment_intent);
  const transactions = new Map(all('balance_transactions').map((row) => [row.source, row]));
  const payments = new Map(all('invoice_payments').map((row) => [row.invoice, row]));
  for (const invoice of all('invoices')) {
    const { data } = invoice.lines as { data: { amount: number; discount_amounts: { amount: number }[] }[] };
    const off = data
      .flatMap((line) => line.discount_amounts)
      .reduce((total, { amount }) => total + amount, 0);
    const subtotal = data.reduce((total, { amount }) => total + amount, 0);
    expect([invoice.id, invoice.subtotal, invoice.total]).toEqual([invoice.id, subtotal, subtotal - off]);
    const taken = (charges.get(String(invoice.id).replace('in_', 'pi_')) ?? []).filter(
      ({ status }) => status === 'succeeded',
    );
    const isPaid = invoice.status === 'paid' && Number(invoice.total) > 0;
    expect(taken.map(({ amount }) => amount)).toEqual(isPaid ? [invoice.total] : []);
    if (!isPaid) continue;
    expect(payments.get(invoice.id)).toMatchObject({ amount_paid: invoice.total, status: 'paid' });
    expect(transactions.get(taken[0]?.id)).toMatchObject({
      amount: invoice.total,
      currency: invoice.currency,
    });
  }
});

test('invoices are of every kind: trials, prorations, discounts, usage, void and given up', () => {
  const invoices = all('invoices');
  const lines = invoices.flatMap((invoice) => (invoice.lines as { data: StripeObject[] }).data);
  const prorated = lines.filter(({ parent }) => {
    return (parent as { subscription_item_details: { proration: boolean } }).subscription_item_details
      .proration;
  });
  expect(prorated.some(({ amount }) => Number(amount) < 0)).toBe(true);
  expect(new Set(invoices.map(({ status }) => status))).toEqual(
    new Set(['paid', 'open', 'void', 'uncollectible']),
  );
  expect(new Set(invoices.map(({ billing_reason }) => billing_reason))).toEqual(
    new Set(['subscription_create', 'subscription_cycle', 'subscription_update']),
  );
  expect(lines.some(({ description }) => String(description).startsWith('Trial period'))).toBe(true);
  expect(lines.some(({ description }) => String(description).startsWith('Usage of'))).toBe(true);
});

test('the balance is the sum of all transactions in both currencies, and payouts hold their parts', () => {
  const source = book.source('balance_transactions');
  for (const currency of ['gbp', 'usd']) {
    const own = all('balance_transactions').filter((row) => row.currency === currency);
    const { available = 0, pending = 0 } = book.balance(NOW).get('payments')?.get(currency) ?? {};
    expect(available + pending).toBe(own.reduce((total, { net }) => total + Number(net), 0));
  }
  for (const { id } of all('payouts')) {
    const held = (source.positionsWhere('payout', String(id)) ?? []).map(
      (at) => source.objectAt(at, NOW) ?? {},
    );
    expect(held.reduce((total, { net }) => total + Number(net), 0)).toBe(0);
  }
});

test('all of it is valid by the declarations of the official client', async () => {
  const objects: Record<string, string> = {
    subscriptions: 'subscription',
    invoices: 'invoice',
    charges: 'charge',
    payment_intents: 'payment_intent',
    invoice_payments: 'invoice_payment',
    balance_transactions: 'balance_transaction',
    payouts: 'payout',
    discounts: 'discount',
    customers: 'customer',
    products: 'product',
    prices: 'price',
    coupons: 'coupon',
    promotion_codes: 'promotion_code',
  };
  for (const [kind, object] of Object.entries(objects)) {
    const rows = all(kind);
    expect([kind, rows.length > 0]).toEqual([kind, true]);
    for (const row of rows.slice(0, 120)) await assertValid(object, row);
  }
});
