import { same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

/** Those of retailers that have a row: the brand itself, and one that is being removed, have none. */
const ofRetailers = (step: string) =>
  `(select s.* from ${step} s join (select day, retailer_id from fresh) f using (day, retailer_id)) s`;

/** Of the brand: the parts of its mail account and profiles belong to its retailers. */
export const retailerDays = defineRollup(import.meta.url, {
  name: 'retailer_days',
  of: 'brand',
  reads: ['agg.daily_sales', 'agg.daily_email', 'agg.daily_social', 'agg.daily_assets'],
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
    'asset_actions',
  ],
  // Also what mail and posts are made of: a profile that is given to a retailer changes no row of daily_social.
  changesWith: ['sales', 'daily_sales', 'email', 'daily_email', 'social', 'daily_social', 'daily_assets'],
  handsOn: 'changes',
  isIntermediate: true,
  explains: {
    parts: [
      {
        is: 'sales',
        from: ofRetailers('sales'),
        id: 'currency',
        connection: 'null',
        next: { explain: 'daily_sales', key: same('retailer_id', 'currency') },
        adds: same('net_sales'),
        unknown: { net_sales: 'net_sales is null' },
      },
      {
        is: 'mail',
        from: ofRetailers('letters'),
        id: "campaign || ' by ' || counted_from",
        next: {
          explain: 'daily_email',
          key: { owner_id: 'retailer_id', ...same('connection_id', 'campaign', 'counted_from') },
        },
        adds: same('delivered', 'unique_opens', 'unique_clicks'),
      },
      {
        is: 'social account',
        from: ofRetailers('readings'),
        id: 'platform',
        next: { explain: 'daily_social', key: same('connection_id', 'platform') },
        adds: same('impressions', 'engagement'),
      },
      {
        is: 'asset',
        from: ofRetailers('assets'),
        id: 'asset',
        connection: 'null',
        adds: same('asset_actions'),
      },
    ],
    notSums: {
      has_sales: 'whether the day has a row of sales',
      reporting_currency: 'the reporting currency of the brand',
      fx_cause: 'why a rate is missing',
    },
  },
});
