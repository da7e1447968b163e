import { defineRollup } from '../define.ts';

/** Of the brand: the parts of its mail account and profiles belong to its retailers. */
export const retailerDays = defineRollup(import.meta.url, {
  name: 'retailer_days',
  of: 'brand',
  reads: ['agg.daily_sales', 'agg.daily_email', 'agg.daily_social'],
  writes: 'agg.retailer_days',
  grain: ['brand_id', 'day', 'retailer_id'],
  measures: [
    'has_sales',
    'net_sales',
    'reporting_currency',
    'fx_cause',
    'delivered',
    'unique_opens',
    'unique_clicks',
    'impressions',
    'engagement',
  ],
  // Also what mail and posts are made of: a profile that is given to a retailer changes no row of daily_social.
  changesWith: ['sales', 'daily_sales', 'email', 'daily_email', 'social', 'daily_social'],
  handsOn: 'changes',
  isIntermediate: true,
});
