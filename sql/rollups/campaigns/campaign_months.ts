import { defineRollup } from '../define.ts';

export const campaignMonths = defineRollup(import.meta.url, {
  name: 'campaign_months',
  of: 'brand',
  reads: ['agg.daily_campaigns'],
  writes: 'agg.campaign_months',
  grain: ['brand_id', 'day', 'campaign_id'],
  measures: [
    'reporting_currency',
    'spend',
    'attributed_orders',
    'attributed_revenue',
    'credited_orders',
    'credited_revenue',
    'fx_cause',
  ],
  periods: { kinds: ['month'] },
  changesWith: ['daily_campaigns'],
  isIntermediate: true,
});
