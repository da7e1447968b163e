import { same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

const ofNow = (...columns: readonly string[]) =>
  Object.fromEntries(columns.map((column) => [column, `case when is_now then ${column} end`]));
const live = (step: string) =>
  `(select s.* from ${step} s
    join app.retailers r on r.brand_id = $1 and r.id = s.retailer_id and r.removing_at is null) s`;

/**
 * A period is compared with the one before, so a day also reaches the next one. And one that is under way ends with a
 * later day on which the brand sells something, once that day has come: so a day reaches all periods from that of the last
 * such day before it, or from the first ranked one. Those that were under way when they were ranked begin after the last
 * complete day. What is dated after the day of the run ends nothing, and reaches no period but its own.
 */
export const retailerRankings = defineRollup(import.meta.url, {
  name: 'retailer_rankings',
  of: 'brand',
  reads: ['agg.retailer_days', 'agg.campaign_sales', 'agg.daily_campaigns', 'fact.ranking_components'],
  writes: 'agg.retailer_rankings',
  grain: ['brand_id', 'period', 'day', 'retailer_id'],
  periods: {
    kinds: ['day', 'week', 'month'],
    since: `(
        select least(
          coalesce(
            (select d.day from agg.retailer_days d
             where d.brand_id = $1 and d.has_sales and d.day < p.day order by d.day desc limit 1), first.day),
          coalesce(
            (select r.day from agg.retailer_rankings r
             where r.brand_id = $1 and r.period = 'day' and r.is_complete order by r.day desc limit 1), first.day))
        from app.brands b
        left join lateral (
          select r.day from agg.retailer_rankings r
          where r.brand_id = $1 and r.period = 'day' order by r.day limit 1
        ) first on true
        where b.id = $1 and p.day <= ($4::timestamptz at time zone b.time_zone)::date)`,
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
    'asset_actions',
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
  explains: {
    parts: [
      {
        is: 'day',
        from: live('days'),
        id: 'of_day',
        connection: 'null',
        next: { explain: 'retailer_days', key: { day: 'of_day', ...same('retailer_id') } },
        adds: {
          ...ofNow(
            'net_sales',
            'delivered',
            'unique_opens',
            'unique_clicks',
            'impressions',
            'engagement',
            'asset_actions',
          ),
          previous_net_sales: 'case when not is_now then net_sales end',
        },
        unknown: {
          net_sales: 'is_now and net_sales is null',
          previous_net_sales: 'not is_now and net_sales is null',
        },
      },
      {
        is: 'campaign',
        from: live('brought'),
        id: 'campaign_id',
        connection: 'null',
        adds: { attributed_orders: 'orders', attributed_revenue: 'revenue' },
        unknown: { attributed_revenue: 'revenue is null' },
      },
      {
        is: 'spend',
        from: live(
          '(select *, row_number() over (partition by period, day, retailer_id order by spend desc) as place from parts)',
        ),
        id: 'place',
        connection: 'null',
        adds: same('spend'),
        unknown: { spend: 'spend is null' },
      },
      {
        is: 'component',
        from: live('percentiles'),
        id: 'component',
        connection: 'null',
        tells: same('percentile', 'weight'),
        adds: {
          score:
            'case when sum(weight) over (partition by period, day, retailer_id) > 0 then percentile * weight end',
        },
      },
    ],
    settles: {
      score: `coalesce(
        round(total / nullif((select sum((e.value ->> 'weight')::numeric) from jsonb_each(f.components) e), 0), 2), 0)`,
    },
    notSums: {
      is_complete: 'whether a later day has sales',
      growth: 'net_sales against previous_net_sales, in percent',
      roi_percentage: 'attributed_revenue less spend, in percent of spend',
      open_rate: 'unique_opens / delivered',
      click_rate: 'unique_clicks / delivered',
      conversion_rate: 'attributed_orders / delivered',
      engagement_rate: 'engagement / impressions',
      components: 'percentile and weight of each component, as in the parts of score',
      rank: 'by score, ties shared',
      retailers: 'how many are ranked beside it',
      grade: 'A from 80, B from 60, C from 40, D from 20, else F',
      needs_attention: 'whether it has a reason that warns',
      is_top_performer: 'whether it is among the first tenth, without a warning',
      reasons: 'why, in words',
      reporting_currency: 'the reporting currency of the brand',
      fx_cause: 'why a rate is missing',
    },
  },
  changesWith: ['retailer_days', 'campaign_sales', 'daily_campaigns', 'campaigns', 'rankings'],
});
