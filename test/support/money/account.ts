/** An account in which everything happens that can happen to money, around the end of summer time in London. */

import type { Files } from '../providers/stripe.ts';
import { type Booking, booked, type Failed, second } from './money.ts';

type Line = Record<string, unknown>;
const line = (id: string, at: string, amount: number, more: Line = {}): Line => {
  return { id, amount, currency: 'gbp', created: second(at), ...more };
};

const burst = Array.from({ length: 130 }, (_, index) => `ch_burst${index}`);
const BURST_AT = '2026-11-02T12:00:00';

export const BOOKINGS: readonly Booking[] = [
  // Paid in three currencies, settled in pounds.
  { id: 't01', at: '2026-10-23T09:00:00', category: 'charge', amount: 10_000, fee: 170, source: 'ch_1' },
  { id: 't02', at: '2026-10-23T10:00:00', category: 'charge', amount: 7_900, fee: 257, source: 'ch_usd', exchange_rate: 0.79 },
  { id: 't03', at: '2026-10-23T11:00:00', category: 'charge', amount: 6_210, fee: 202, source: 'ch_jpy', exchange_rate: 0.503 },
  // 80.00 were held, 50.00 captured: in the last second of the day, the rest given up in the first of the next.
  { id: 't04', at: '2026-10-24T22:59:59', category: 'charge', amount: 8_000, fee: 140, source: 'ch_part' },
  { id: 't05', at: '2026-10-24T23:00:00', category: 'partial_capture_reversal', amount: -3_000, source: 'ch_part' },
  // The hour from one to two is there twice, and the day has 25 of them.
  { id: 't06', at: '2026-10-25T00:30:00', category: 'charge', amount: 1_000, fee: 35, source: 'ch_summer' },
  { id: 't07', at: '2026-10-25T01:30:00', category: 'charge', amount: 1_001, fee: 35, source: 'ch_winter' },
  { id: 't08', at: '2026-10-25T23:59:59', category: 'charge', amount: 500, fee: 28, source: 'ch_late' },
  { id: 't09', at: '2026-10-26T00:00:00', category: 'refund', amount: -4_000, source: 're_1' },
  { id: 't10', at: '2026-10-26T08:00:00', category: 'charge', type: 'payment', amount: 2_000, fee: 40, source: 'py_debit' },
  { id: 't11', at: '2026-10-26T10:00:00', category: 'refund', amount: -8_050, source: 're_full', exchange_rate: 0.805 },
  { id: 't12', at: '2026-10-27T12:00:00', category: 'dispute', amount: -6_210, fee: 1_500, source: 'dp_lost' },
  { id: 't13', at: '2026-10-27T12:00:00', category: 'dispute', amount: -6_000, fee: 1_500, source: 'dp_won' },
  // What seemed paid was not; a refund and later a payout come back from a closed bank account.
  { id: 't14', at: '2026-10-28T09:00:00', category: 'charge_failure', amount: -2_000, source: 'py_debit' },
  { id: 't15', at: '2026-10-28T10:00:00', category: 'refund_failure', amount: 4_000, source: 're_1' },
  { id: 't16', at: '2026-10-28T11:00:00', category: 'payout', amount: -3_000, source: 'po_failed' },
  { id: 't17', at: '2026-10-29T09:00:00', category: 'topup', amount: 50_000 },
  { id: 't18', at: '2026-10-29T10:00:00', category: 'transfer', amount: -10_000 },
  { id: 't19', at: '2026-10-29T10:00:00', category: 'fee', amount: -250 },
  { id: 't20', at: '2026-10-29T10:00:00', category: 'tax', amount: -50 },
  { id: 't21', at: '2026-10-29T10:00:00', category: 'other_adjustment', amount: 777 },
  { id: 't22', at: '2026-10-29T10:00:00', category: 'platform_earning', amount: 300 },
  { id: 't23', at: '2026-10-29T10:00:00', category: 'risk_reserved_funds', amount: -2_500 },
  { id: 't24', at: '2026-10-30T08:00:00', category: 'dispute_reversal', amount: 6_000, fee: -1_500, source: 'dp_won' },
  { id: 't25', at: '2026-10-30T10:00:00', category: 'payout_reversal', amount: 3_000, source: 'po_failed' },
  { id: 't26', at: '2026-10-30T11:00:00', category: 'payout', amount: -20_000, fee: 200, source: 'po_instant' },
  { id: 't27', at: '2026-10-30T12:00:00', category: 'risk_reserved_funds', amount: 2_500 },
  // More in one second than fit on a page, all in one payout.
  ...burst.map((source) => ({
    ...{ id: `t_${source}`, at: BURST_AT, category: 'charge', amount: 100, fee: 21, source, _payout: 'po_burst' },
  })),
  // Other currencies of settlement, each with its own places.
  { id: 't31', at: '2026-11-03T09:00:00', category: 'charge', currency: 'jpy', amount: 5_000, fee: 180, source: 'ch_jpy2' },
  { id: 't32', at: '2026-11-03T09:00:00', category: 'charge', currency: 'kwd', amount: 12_340, fee: 512, source: 'ch_kwd' },
  { id: 't33', at: '2026-11-03T09:00:00', category: 'charge', currency: 'isk', amount: 150_000, fee: 4_500, source: 'ch_isk' },
  { id: 't34', at: '2026-11-03T09:00:00', category: 'charge', currency: 'ugx', amount: 5_000_000, fee: 150_000, source: 'ch_ugx' },
  { id: 't35', at: '2026-11-03T10:00:00', category: 'network_cost', amount: -33 },
  { id: 't36', at: '2026-11-04T09:00:00', category: 'payout', amount: -10_270, source: 'po_burst', _payout: 'po_burst' },
  { id: 't37', at: '2026-11-05T09:00:00', category: 'payout', amount: -1_000, source: 'po_canceled' },
  { id: 't38', at: '2026-11-05T15:00:00', category: 'payout_reversal', type: 'payout_cancel', amount: 1_000, source: 'po_canceled' },
]; // biome-ignore format: a booking a line

export const FAILED: readonly Failed[] = [
  { at: '2026-10-23T12:00:00' },
  { at: '2026-10-23T12:00:00', currency: 'kwd' },
  { at: '2026-10-26T08:00:00' },
  ...[1, 2, 3].map(() => ({ at: BURST_AT, currency: 'usd' })),
];

const debit = line('py_debit', '2026-10-26T08:00:00', 2_000);
const refund = line('re_1', '2026-10-26T00:00:00', 4_000, { charge: 'ch_1' });
const payout = line('po_failed', '2026-10-28T11:00:00', 3_000, { automatic: false });
const lost = { status: 'failed', failure_code: 'card_declined' };

export const MONEY_FILES: Files = {
  balance_transactions: BOOKINGS.map(booked),
  charges: [
    line('ch_1', '2026-10-23T09:00:00', 10_000),
    line('ch_usd', '2026-10-23T10:00:00', 10_000, { currency: 'usd' }),
    line('ch_jpy', '2026-10-23T11:00:00', 12_345, { currency: 'jpy' }),
    line('ch_failed', '2026-10-23T12:00:00', 5_500, lost),
    line('ch_failedkwd', '2026-10-23T12:00:00', 9_990, { currency: 'kwd', ...lost }),
    line('ch_pending', '2026-10-23T12:30:00', 4_400, { status: 'pending' }),
    line('ch_uncaptured', '2026-10-23T13:00:00', 3_300, { captured: false }),
    line('ch_part', '2026-10-24T22:59:59', 8_000, { amount_captured: 5_000, amount_refunded: 3_000 }),
    line('ch_summer', '2026-10-25T00:30:00', 1_000),
    line('ch_winter', '2026-10-25T01:30:00', 1_001),
    line('ch_late', '2026-10-25T23:59:59', 500),
    debit,
    { ...debit, ...lost, _at: second('2026-10-28T09:00:00') },
    ...burst.map((id) => line(id, BURST_AT, 100)),
    ...[1, 2, 3].map((index) => line(`ch_lost${index}`, BURST_AT, 700, { currency: 'usd', ...lost })),
    line('ch_jpy2', '2026-11-03T09:00:00', 5_000, { currency: 'jpy' }),
    line('ch_kwd', '2026-11-03T09:00:00', 12_340, { currency: 'kwd' }),
    line('ch_isk', '2026-11-03T09:00:00', 150_000, { currency: 'isk' }),
    line('ch_ugx', '2026-11-03T09:00:00', 5_000_000, { currency: 'ugx' }),
  ],
  refunds: [
    refund,
    { ...refund, status: 'failed', _at: second('2026-10-28T10:00:00') },
    line('re_full', '2026-10-26T10:00:00', 10_000, { currency: 'usd', charge: 'ch_usd' }),
    line('re_pending', '2026-10-26T11:00:00', 900, { charge: 'ch_1', status: 'pending' }),
  ],
  disputes: [
    line('dp_lost', '2026-10-27T12:00:00', 12_345, { currency: 'jpy', charge: 'ch_jpy', status: 'lost' }),
    line('dp_won', '2026-10-27T12:00:00', 6_000, { charge: 'ch_1', status: 'won' }),
    line('dp_inquiry', '2026-10-27T13:00:00', 1_000, {
      charge: 'ch_summer',
      status: 'warning_needs_response',
    }),
  ],
  payouts: [
    payout,
    { ...payout, status: 'failed', _at: second('2026-10-30T10:00:00') },
    line('po_instant', '2026-10-30T11:00:00', 20_000, { automatic: false, method: 'instant' }),
    line('po_burst', '2026-11-04T09:00:00', 10_270),
    line('po_canceled', '2026-11-05T09:00:00', 1_000, { automatic: false, status: 'canceled' }),
  ],
};
