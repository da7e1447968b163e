import { moves, rises } from './causes.ts';
import { defineRollup } from './define.ts';

export const dailyProductSales = defineRollup(import.meta.url, {
  name: 'daily_product_sales',
  reads: ['fact.product_sales', 'fact.product_costs'],
  writes: 'agg.daily_product_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'connection_id', 'product_key'],
  measures: [
    'orders',
    'units',
    'units_returned',
    'gross_sales',
    'discounts',
    'returns',
    'cost_of_goods',
    'units_without_cost',
  ],
  changesWith: ['sales', 'costs'],
  causes: {
    late_order: rises('orders'),
    edited_order: moves('orders', 'units', 'gross_sales', 'discounts'),
    late_refund: moves('returns', 'units_returned'),
    changed_cost: moves('cost_of_goods', 'units_without_cost'),
  },
});
