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
});
