import { defineRollup } from '../define.ts';

export const dailyCampaigns = defineRollup(import.meta.url, {
  name: 'daily_campaigns',
  of: 'brand',
  reads: ['agg.order_days', 'agg.order_credits'],
  writes: 'agg.daily_campaigns',
  grain: ['brand_id', 'day', 'campaign_id', 'currency'],
  measures: [
    'spend',
    'attributed_orders',
    'attributed_revenue',
    'credited_orders',
    'credited_revenue',
    'reporting_currency',
    'fx_rate',
    'fx_day',
    'fx_cause',
  ],
  changesWith: ['sales', 'order_days', 'order_credits', 'campaigns', 'fx'],
  handsOn: 'changes',
  keepsRates: true,
  causesOfColumns: { spend: 'changed_spend' },
  isProved: true,
});
