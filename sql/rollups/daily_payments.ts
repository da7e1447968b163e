import { one, same } from '../explain/explanation.ts';
import { moves } from './causes.ts';
import { defineRollup } from './define.ts';

export const dailyPayments = defineRollup(import.meta.url, {
  name: 'daily_payments',
  reads: ['fact.payments', 'fact.failed_charges'],
  writes: 'agg.daily_payments',
  grain: ['brand_id', 'retailer_id', 'day', 'currency'],
  measures: [
    'charges',
    'charge_amount',
    'refunds',
    'refund_amount',
    'disputes',
    'dispute_amount',
    'failed_charges',
    'failed_amount',
    'fees',
    'payout_fees',
    'application_fees',
    'other',
    'net',
    'payouts',
    'payout_amount',
    'topup_amount',
    'transfer_amount',
    'balance_change',
    'other_balances',
  ],
  changesWith: ['payments'],
  causes: {
    late_refund: `${moves('refunds', 'refund_amount')} and not (${moves('charges', 'charge_amount')})`,
  },
  explains: {
    parts: [
      {
        is: 'booking',
        from: 'bookings',
        id: 'transaction_id',
        at: 'created_at',
        object: { kind: 'balance_transactions' },
        tells: same('reporting_category'),
        adds: {
          charges: one("is_counted and kind = 'charge'"),
          refunds: one("is_counted and kind = 'refund'"),
          disputes: one("is_counted and kind = 'dispute'"),
          payouts: one("is_counted and kind = 'payout'"),
          net: 'earned',
          ...same(
            'charge_amount',
            'refund_amount',
            'dispute_amount',
            'fees',
            'payout_fees',
            'application_fees',
          ),
          ...same(
            'other',
            'payout_amount',
            'topup_amount',
            'transfer_amount',
            'balance_change',
            'other_balances',
          ),
        },
      },
      {
        is: 'failed charge',
        from: 'attempts',
        id: 'charge_id',
        at: 'created_at',
        object: { kind: 'charges' },
        adds: { failed_charges: '1', failed_amount: 'amount' },
      },
    ],
  },
});
