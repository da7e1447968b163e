import { defineRollup } from '../define.ts';

export const customerValue = defineRollup(import.meta.url, {
  name: 'customer_value',
  object: 'customer_id',
  reads: ['agg.order_days'],
  writes: 'agg.customer_value',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'customer_id', 'currency'],
  measures: [
    'country',
    'orders',
    'units',
    'units_returned',
    'net_sales',
    'ordered_sales',
    'first_order_day',
    'last_order_day',
    'all_orders',
    'first_day',
    'last_day',
  ],
  changesWith: ['customers'],
});
