import { defineRollup } from './rollup.ts';

export const dailySales = defineRollup(import.meta.url, {
  name: 'daily_sales',
  reads: ['fact.ledger', 'fact.real_orders', 'fact.orders', 'fact.refunds'],
  writes: 'agg.daily_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency'],
  after: [],
});
