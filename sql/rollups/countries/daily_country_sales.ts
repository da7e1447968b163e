import { moves, rises } from '../causes.ts';
import { defineRollup } from '../define.ts';

export const dailyCountrySales = defineRollup(import.meta.url, {
  name: 'daily_country_sales',
  reads: ['agg.order_days'],
  writes: 'agg.daily_country_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'country'],
  measures: ['orders', 'customers', 'units', 'units_returned', 'gross_sales', 'discounts', 'returns'],
  changesWith: ['order_days'],
  handsOn: 'changes',
  causes: {
    late_order: rises('orders'),
    edited_order: moves('orders', 'units', 'gross_sales', 'discounts'),
    late_refund: moves('returns', 'units_returned'),
  },
});
