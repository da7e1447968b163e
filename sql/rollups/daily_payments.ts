import { defineRollup } from './rollup.ts';

export const dailyPayments = defineRollup(import.meta.url, {
  name: 'daily_payments',
  reads: ['fact.payments', 'fact.failed_charges'],
  writes: 'agg.daily_payments',
  grain: ['brand_id', 'retailer_id', 'day', 'currency'],
  after: [],
});
