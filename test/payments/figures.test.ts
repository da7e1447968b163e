/** Days of cash of small accounts whose figures can be worked out by hand; read from the sandbox as in production. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { anAccount, booked, created, DAY, later } from '../support/providers/cash.ts';
import { charge, type Files } from '../support/providers/stripe.ts';

const ALL = `charges, charge_amount, refunds, refund_amount, disputes, dispute_amount, failed_charges, failed_amount,
  fees, payout_fees, application_fees, other, net, payouts, payout_amount, topup_amount, transfer_amount, other_balances, closing_balance`;

async function daysOf(files: Files, columns = ALL) {
  await using db = await freshDb();
  await using cash = await anAccount(db, files);
  await cash.roll();
  return await cash.days(columns);
}

test('each currency is counted in its own places and never added to another', async () => {
  const days = await daysOf({
    charges: [
      charge('ch_usd', { created, amount: 1_999 }),
      charge('ch_jpy', { created, amount: 500, currency: 'jpy' }),
      charge('ch_kwd', { created, amount: 1_250, currency: 'kwd' }),
    ],
    balance_transactions: [
      booked({ source: 'ch_usd', amount: 1_999, fee: 88 }),
      booked({ source: 'ch_jpy', amount: 500, fee: 18, currency: 'jpy' }),
      booked({ source: 'ch_kwd', amount: 1_250, fee: 36, currency: 'kwd' }),
    ],
  });
  const one = { day: DAY, charges: 1 };
  expect(days).toEqual([
    { ...one, currency: 'JPY', charge_amount: '500', fees: '18', net: '482', closing_balance: '482' },
    { ...one, currency: 'KWD', charge_amount: '1.25', fees: '0.036', net: '1.214', closing_balance: '1.214' },
    { ...one, currency: 'USD', charge_amount: '19.99', fees: '0.88', net: '19.11', closing_balance: '19.11' },
  ]);
});

test('a lost dispute stays taken, a won one comes back on its own day with its fee', async () => {
  const days = await daysOf({
    charges: [charge('ch_1', { created, amount: 5_000, disputed: true })],
    disputes: [
      { id: 'dp_lost', charge: 'ch_1', amount: 2_000, currency: 'usd', created, status: 'lost' },
      { id: 'dp_won', charge: 'ch_1', amount: 1_000, currency: 'usd', created, status: 'won' },
    ],
    balance_transactions: [
      booked({ source: 'ch_1', amount: 5_000 }),
      booked({ source: 'dp_lost', amount: -2_000, fee: 1_500 }),
      booked({ source: 'dp_won', amount: -1_000, fee: 1_500 }),
      booked({ source: 'dp_won', amount: 1_000, fee: -1_500, at: later }),
    ],
  });
  expect(days).toEqual([
    {
      ...{ day: DAY, currency: 'USD', charges: 1, charge_amount: '50', disputes: 2, dispute_amount: '30' },
      ...{ fees: '30', net: '-10', closing_balance: '-10' },
    },
    {
      ...{ day: '2026-11-15', currency: 'USD', dispute_amount: '-10', fees: '-15' },
      ...{ net: '25', closing_balance: '15' },
    },
  ]);
});

test('a payout counts on the day on which it left the balance, a failed one comes back on its own', async () => {
  const payout = { amount: 3_000, currency: 'usd', created, arrival_date: later };
  const days = await daysOf({
    charges: [charge('ch_1', { created, amount: 9_000 })],
    payouts: [
      { id: 'po_1', ...payout },
      { id: 'po_2', ...payout, status: 'failed', failure_code: 'account_closed' },
      { id: 'po_3', ...payout, method: 'instant' },
    ],
    balance_transactions: [
      booked({ source: 'ch_1', amount: 9_000 }),
      booked({ source: 'po_1', amount: -3_000 }),
      booked({ source: 'po_2', amount: -3_000 }),
      booked({ source: 'po_3', amount: -3_000, fee: 45 }),
      booked({ source: 'po_2', amount: 3_000, at: later }),
    ],
  });
  expect(days).toEqual([
    {
      ...{ day: DAY, currency: 'USD', charges: 1, charge_amount: '90', net: '90' },
      ...{ payouts: 3, payout_amount: '90', fees: '0.45', payout_fees: '0.45', closing_balance: '-0.45' },
    },
    { day: '2026-11-15', currency: 'USD', payout_amount: '-30', closing_balance: '29.55' },
  ]);
});

test('a refund that fails gives its money back on the day of the failure', async () => {
  const days = await daysOf({
    charges: [charge('ch_1', { created, amount: 5_000, amount_refunded: 1_000 })],
    refunds: [
      { id: 're_1', charge: 'ch_1', amount: 1_000, currency: 'usd', created },
      { id: 're_2', charge: 'ch_1', amount: 700, currency: 'usd', created, status: 'failed' },
    ],
    balance_transactions: [
      booked({ source: 'ch_1', amount: 5_000, fee: 175 }),
      booked({ source: 're_1', amount: -1_000 }),
      booked({ source: 're_2', amount: -700 }),
      booked({ source: 're_2', amount: 700, at: later }),
    ],
  });
  expect(days).toEqual([
    {
      ...{ day: DAY, currency: 'USD', charges: 1, charge_amount: '50', refunds: 2, refund_amount: '17' },
      ...{ fees: '1.75', net: '31.25', closing_balance: '31.25' },
    },
    { day: '2026-11-15', currency: 'USD', refund_amount: '-7', net: '7', closing_balance: '38.25' },
  ]);
});

test('only what was captured counts, and only what really failed has failed', async () => {
  const days = await daysOf({
    charges: [
      charge('ch_part', { created, amount: 5_000, amount_captured: 3_000, amount_refunded: 2_000 }),
      charge('ch_open', { created, amount: 4_000, captured: false }),
      charge('ch_failed', { created, amount: 2_500, status: 'failed', failure_code: 'card_declined' }),
      charge('ch_euro', { created, amount: 1_100, currency: 'eur', status: 'failed' }),
      charge('ch_wait', { created, amount: 900, status: 'pending' }),
      charge('ch_ran_out', { created, amount: 800, captured: false, refunded: true, amount_refunded: 800 }),
    ],
    refunds: [{ id: 're_part', charge: 'ch_part', amount: 2_000, currency: 'usd', created }],
    balance_transactions: [
      booked({ source: 'ch_part', amount: 5_000, fee: 100 }),
      booked({
        source: 're_part',
        amount: -2_000,
        type: 'refund',
        reporting_category: 'partial_capture_reversal',
      }),
    ],
  });
  expect(days).toEqual([
    { day: DAY, currency: 'EUR', failed_charges: 1, failed_amount: '11' },
    {
      ...{
        day: DAY,
        currency: 'USD',
        charges: 1,
        charge_amount: '30',
        failed_charges: 1,
        failed_amount: '25',
      },
      ...{ fees: '1', net: '29', closing_balance: '29' },
    },
  ]);
});

test('a charge in another currency counts in the one in which the account settles', async () => {
  const days = await daysOf({
    charges: [charge('ch_1', { created, amount: 10_000, currency: 'eur' })],
    balance_transactions: [booked({ source: 'ch_1', amount: 10_850, fee: 345, exchange_rate: 1.085 })],
  });
  expect(days).toEqual([
    {
      ...{ day: DAY, currency: 'USD', charges: 1, charge_amount: '108.5' },
      ...{ fees: '3.45', net: '105.05', closing_balance: '105.05' },
    },
  ]);
});

test('of a connected account what the platform takes is part of the fees, and shown apart', async () => {
  const details = (stripe: number, application: number) => [
    { amount: stripe, application: null, currency: 'usd', description: null, type: 'stripe_fee' },
    { amount: application, application: 'ca_1', currency: 'usd', description: null, type: 'application_fee' },
  ];
  const days = await daysOf({
    charges: [charge('ch_1', { created, amount: 10_000 }), charge('ch_2', { created, amount: 1_000 })],
    balance_transactions: [
      booked({ source: 'ch_1', amount: 10_000, fee: 820, fee_details: details(320, 500) }),
      booked({ source: 'ch_2', amount: 1_000, fee: 59 }),
      booked({ source: 'ch_1', amount: -4_000, fee: -200, type: 'refund', fee_details: details(0, -200) }),
    ],
  });
  expect(days).toEqual([
    {
      ...{ day: DAY, currency: 'USD', charges: 2, charge_amount: '110', refunds: 1, refund_amount: '40' },
      ...{ fees: '6.79', application_fees: '3', net: '63.21', closing_balance: '63.21' },
    },
  ]);
});

test('fees that are bookings themselves, other kinds and other balances each have their place', async () => {
  const days = await daysOf({
    balance_transactions: [
      booked({ amount: -250, type: 'stripe_fee' }),
      booked({ amount: -50, type: 'tax_fee' }),
      booked({ amount: -7, type: 'adjustment', reporting_category: 'network_cost' }),
      booked({ amount: 10_000, type: 'topup' }),
      booked({ amount: -1_000, type: 'transfer' }),
      booked({ amount: 400, type: 'transfer_refund' }),
      booked({ amount: -300, type: 'reserve_hold' }),
      booked({ amount: -900, type: 'issuing_transaction', balance_type: 'issuing' }),
      booked({ amount: 2_000, type: 'adjustment', reporting_category: 'never_heard_of', fee: 20 }),
    ],
  });
  expect(days).toEqual([
    {
      ...{ day: DAY, currency: 'USD', fees: '3.27', other: '17', net: '13.73' },
      ...{ topup_amount: '100', transfer_amount: '6', other_balances: '-9', closing_balance: '107.73' },
    },
  ]);
});
