import { defineRollup } from '../define.ts';

/**
 * A period is compared with the one before, so a day also reaches the next one. And one that is under way ends with a
 * later day on which the brand sells something: so a day reaches all periods from that of the last such day before it, or
 * from the first ranked one.
 */
export const retailerRankings = defineRollup(import.meta.url, {
  name: 'retailer_rankings',
  of: 'brand',
  reads: ['agg.retailer_days', 'agg.campaign_sales', 'agg.daily_campaigns', 'fact.ranking_components'],
  writes: 'agg.retailer_rankings',
  grain: ['brand_id', 'period', 'day', 'retailer_id'],
  periods: {
    kinds: ['day', 'week', 'month'],
    since: `coalesce(
        (select d.day from agg.retailer_days d
         where d.brand_id = $1 and d.has_sales and d.day < p.day order by d.day desc limit 1),
        (select r.day from agg.retailer_rankings r
         where r.brand_id = $1 and r.period = 'day' order by r.day limit 1))`,
    ahead: 1,
  },
  measures: [
    'is_complete',
    'net_sales',
    'previous_net_sales',
    'growth',
    'attributed_orders',
    'attributed_revenue',
    'spend',
    'roi_percentage',
    'delivered',
    'unique_opens',
    'unique_clicks',
    'open_rate',
    'click_rate',
    'conversion_rate',
    'impressions',
    'engagement',
    'engagement_rate',
    'components',
    'score',
    'rank',
    'retailers',
    'grade',
    'needs_attention',
    'is_top_performer',
    'reasons',
    'reporting_currency',
    'fx_cause',
  ],
  isIntermediate: true,
  changesWith: ['retailer_days', 'campaign_sales', 'daily_campaigns', 'campaigns', 'rankings'],
});
