import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import {
  ACCOUNT,
  charge,
  client,
  NOW,
  NOW_SECONDS,
  rawGet,
  stripeDir,
  stripeSandbox,
} from '../support/providers/stripe.ts';

const created = NOW_SECONDS - 86_400;
const money = (id: string, amount: number, more: object = {}) => ({
  id,
  amount,
  currency: 'usd',
  created,
  ...more,
});

test('what lines leave out follows from what they give, and from each other', async () => {
  await using sandbox = await stripeSandbox({
    charges: [
      money('ch_1', 1_000),
      money('ch_2', 500, { status: 'failed' }),
      money('ch_3', 800, { captured: false }),
      money('ch_4', 900, { amount_captured: 600, amount_refunded: 900 }),
    ],
    refunds: [money('re_1', 300, { charge: 'ch_1', status: 'failed' })],
    payouts: [money('po_1', 641, { status: 'failed' })],
    disputes: [money('dp_1', 1_000, { charge: 'ch_1' })],
    balance_transactions: [
      money('txn_1', 1_000, { fee: 59, source: 'ch_1' }),
      money('txn_2', -300, { source: 're_1' }),
      money('txn_3', 300, { source: 're_1' }),
      money('txn_4', -641, { source: 'po_1' }),
      money('txn_5', 641, { source: 'po_1' }),
      money('txn_6', -1_000, { source: 'dp_1', fee: 1_500 }),
      money('txn_7', 1_000, { source: 'dp_1' }),
      money('txn_8', -25, { type: 'stripe_fee' }),
      money('txn_9', -50, { type: 'refund', reporting_category: 'partial_capture_reversal' }),
    ],
  });
  const stripe = client(sandbox);
  const charges = await stripe.charges.list();
  expect(
    charges.data.map((one) => [one.id, one.paid, one.captured, one.amount_captured, one.refunded]),
  ).toEqual([
    ['ch_4', true, true, 600, true],
    ['ch_3', true, false, 0, false],
    ['ch_2', false, false, 0, false],
    ['ch_1', true, true, 1_000, false],
  ]);
  expect(charges.data.map((one) => one.balance_transaction)).toEqual([null, null, null, 'txn_1']);
  const transactions = await stripe.balanceTransactions.list();
  expect(transactions.data.map((one) => [one.id, one.type, one.reporting_category, one.net])).toEqual([
    ['txn_9', 'refund', 'partial_capture_reversal', -50],
    ['txn_8', 'stripe_fee', 'fee', -25],
    ['txn_7', 'adjustment', 'dispute_reversal', 1_000],
    ['txn_6', 'adjustment', 'dispute', -2_500],
    ['txn_5', 'payout_failure', 'payout_reversal', 641],
    ['txn_4', 'payout', 'payout', -641],
    ['txn_3', 'refund_failure', 'refund_failure', 300],
    ['txn_2', 'refund', 'refund', -300],
    ['txn_1', 'charge', 'charge', 941],
  ]);
  expect(await stripe.refunds.retrieve('re_1')).toMatchObject({
    balance_transaction: 'txn_2',
    failure_balance_transaction: 'txn_3',
  });
  expect(await stripe.payouts.retrieve('po_1')).toMatchObject({
    balance_transaction: 'txn_4',
    failure_balance_transaction: 'txn_5',
  });
  const dispute = await stripe.disputes.retrieve('dp_1');
  expect(dispute.balance_transactions.map(({ id, net }) => [id, net])).toEqual([
    ['txn_6', -2_500],
    ['txn_7', 1_000],
  ]);
});

test('an object may be given as the API gives it, expanded or not, also with fields that nobody knows', async () => {
  const plain = await stripeDir({ charges: [charge('ch_0', { customer: { id: 'cus_9', name: 'Nine' } })] });
  await using sandbox = await startSandbox({ data: plain.dir });
  await plain[Symbol.asyncDispose]();
  const served = (await rawGet(sandbox, 'charges/ch_0')).body;
  expect(served.customer).toBe('cus_9');
  expect((await rawGet(sandbox, 'customers/cus_9')).body).toMatchObject({ name: 'Nine', object: 'customer' });
  const log: string[] = [];
  await using dir = await stripeDir({ charges: [{ ...served, of_tomorrow: [1], status: 'melted' }] });
  await using again = await startSandbox({ data: dir.dir, log: (line) => log.push(line) });
  const { of_tomorrow, status, ...rest } = (await rawGet(again, 'charges/ch_0')).body;
  expect([of_tomorrow, status]).toEqual([[1], 'melted']);
  expect(rest).toMatchObject({ amount: 1_000, customer: 'cus_9', paid: true });
  expect(log.toSorted()).toEqual([
    `stripe/${ACCOUNT}/charges.ndjson:1 of_tomorrow: Stripe has no such field; it is served as it is.`,
    `stripe/${ACCOUNT}/charges.ndjson:1 status: "melted" is not a value that Stripe names; it is served as it is.`,
  ]);
});

const one = (file: string, row: unknown) => ({ [file]: [row] });
test.each([
  [
    'no amount',
    one('charges', { id: 'ch_1', currency: 'usd', created }),
    'charges.ndjson:1: "amount" is missing',
  ],
  ['no id', one('charges', { amount: 1 }), 'charges.ndjson:1: "id" is missing'],
  [
    'a text for a number',
    one('refunds', money('re_1', 1, { amount: '10' })),
    'refunds.ndjson:1 amount: "10" is not a valid integer',
  ],
  ['a fraction', one('charges', money('ch_1', 9.99)), 'charges.ndjson:1 amount: 9.99 is not a valid integer'],
  [
    'a wrong object',
    one('charges', money('ch_1', 1, { object: 'refund' })),
    'charges.ndjson:1 object: must be "charge"',
  ],
  [
    'a wrong field below',
    one('subscriptions', { id: 'sub_1', customer: 'cus_1', created, items: [{ price: 'price_9' }] }),
    'subscriptions.ndjson:1 items.0: price "price_9" is not in prices.ndjson',
  ],
  [
    'no items',
    one('subscriptions', { id: 'sub_1', customer: 'cus_1', created, items: [] }),
    'is not a list of items',
  ],
  ['a transaction of nothing', one('balance_transactions', money('txn_1', 5)), '"type" is missing'],
  ['a broken line', { charges: '{"id": "ch_1"\n' }, 'charges.ndjson:1: this line is not JSON'],
  [
    'a wrong instant',
    one('charges', money('ch_1', 1, { _at: 'now' })),
    'charges.ndjson:1 _at: is not a Unix second',
  ],
  ['an unknown file', one('charge', money('ch_1', 1)), 'is not a file of a Stripe account'],
  [
    'a folder of no account',
    { 'stripe/acct_x/charges.ndjson': [] },
    'stripe/acct_x: scenario.json names no such account',
  ],
])('%s is told with its place', async (_name, files: Record<string, string | unknown[]>, message) => {
  await using data = await stripeDir(files);
  await expect(startSandbox({ data: data.dir })).rejects.toThrow(message);
});

test.each([
  [{ acme: {} }, 'is not an account such as'],
  [{ [ACCOUNT]: { key: 'pk_test_x' } }, 'is not a key such as'],
  [{ [ACCOUNT]: { key: { key: 'rk_test_x', permissions: ['rak_everything'] } } }, 'permissions'],
  [{ [ACCOUNT]: { connected: ['acct_gone'] } }, 'is connected to acct_gone, which is not an account of it'],
  [{ [ACCOUNT]: { kees: [] } }, 'kees'],
])('a fault in the accounts of scenario.json is told: %o', async (stripe, message) => {
  await using data = await stripeDir({}, { now: NOW, stripe });
  await expect(startSandbox({ data: data.dir })).rejects.toThrow(message);
});
