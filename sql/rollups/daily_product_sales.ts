import { defineRollup } from './rollup.ts';

export const dailyProductSales = defineRollup(import.meta.url, {
  name: 'daily_product_sales',
  reads: ['fact.product_sales', 'raw.shopify_costs'],
  writes: 'agg.daily_product_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'connection_id', 'product_key'],
  after: [],
});
