import { defineRollup } from '../define.ts';

export const customerMonths = defineRollup(import.meta.url, {
  name: 'customer_months',
  object: 'customer_id',
  reads: ['agg.order_days'],
  writes: 'agg.customer_months',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'customer_id', 'month', 'currency'],
  measures: ['cohort_month', 'is_new', 'orders', 'net_sales'],
  changesWith: ['customers'],
  handsOn: 'query',
});
