import { same } from '../../explain/explanation.ts';
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
  explains: {
    parts: [
      {
        is: 'day',
        from: 'days',
        id: 'of_day',
        connection: 'null',
        next: { explain: 'daily_country_sales', key: { day: 'of_day', ...same('currency', 'country') } },
        adds: same('orders', 'units', 'units_returned', 'gross_sales', 'discounts', 'returns'),
      },
    ],
  },
});
