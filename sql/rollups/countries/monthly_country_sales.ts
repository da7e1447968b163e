import { defineRollup } from '../define.ts';

export const monthlyCountrySales = defineRollup(import.meta.url, {
  name: 'monthly_country_sales',
  periods: { kinds: ['month'] },
  reads: ['agg.daily_country_sales'],
  writes: 'agg.monthly_country_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'country'],
  measures: ['orders', 'units', 'units_returned', 'gross_sales', 'discounts', 'returns'],
  changesWith: ['daily_country_sales'],
  isIntermediate: true,
});
