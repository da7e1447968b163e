import { defineRollup } from './rollup.ts';

export const dailyMrr = defineRollup(import.meta.url, {
  name: 'daily_mrr',
  reads: ['agg.subscription_states'],
  writes: 'agg.daily_mrr',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'plan'],
  after: ['subscription_states'],
});
