-- One row per period and retailer. Sums of days first, each source reduced to its key before they are joined; then the
-- ratios of these sums; then percentiles of the ratios, as they are rounded, so that a rank follows from the rows alone.
with compared as materialized (
  -- A period under way, after which the brand has sold nothing, is compared with as many days of the one before. A sale that
  -- is dated after the day of the run ends nothing yet.
  select w.period, w.day, w.next_day, w.reporting_currency, b.day_before, coalesce(l.day >= w.next_day, false) as is_complete,
         case when l.day >= w.next_day then w.day
              else least(w.day, b.day_before + greatest(coalesce(l.day + 1 - w.day, 0), 0)) end as before_until
  from wanted w
  cross join lateral (select date_trunc(w.period, w.day - interval '1 day')::date as day_before) b
  left join (
    select d.day
    from app.brands b
    cross join lateral (
      select day from agg.retailer_days
      where brand_id = b.id and has_sales and day <= ($4::timestamptz at time zone b.time_zone)::date
      order by day desc limit 1
    ) d
    where b.id = $1
  ) l on true
), days as (
  select c.period, c.day, d.retailer_id, d.day as of_day, d.is_now, d.net_sales, d.fx_cause, d.delivered, d.unique_opens,
         d.unique_clicks, d.impressions, d.engagement, d.asset_actions
  from compared c
  cross join lateral (
    select *, day >= c.day as is_now from agg.retailer_days
    where brand_id = $1 and day >= c.day_before and day < c.next_day
    order by day
  ) d
  where d.is_now or d.has_sales and d.day < c.before_until
), summed as (
  select period, day, retailer_id,
         case when bool_and(net_sales is not null) filter (where is_now) is not false
              then coalesce(sum(net_sales) filter (where is_now), 0) end as net_sales,
         min(fx_cause) filter (where is_now) as fx_cause,
         case when bool_and(net_sales is not null) filter (where not is_now) is not false
              then coalesce(sum(net_sales) filter (where not is_now), 0) end as previous_net_sales,
         sum(delivered) filter (where is_now) as delivered, sum(unique_opens) filter (where is_now) as unique_opens,
         sum(unique_clicks) filter (where is_now) as unique_clicks,
         sum(impressions) filter (where is_now) as impressions, sum(engagement) filter (where is_now) as engagement,
         sum(asset_actions) filter (where is_now) as asset_actions
  from days
  group by 1, 2, 3
), brought as materialized (
  select c.period, c.day, s.campaign_id, s.retailer_id, sum(s.attributed_orders) as orders,
         case when count(*) = count(s.revenue) then sum(s.revenue) end as revenue
  from compared c
  cross join lateral (
    select campaign_id, retailer_id, attributed_orders, case when attributed_revenue = 0 then 0 else
             fact.round_to_currency(attributed_revenue * fx_rate, reporting_currency) end as revenue
    from agg.campaign_sales
    where brand_id = $1 and day >= c.day and day < c.next_day
    order by day
  ) s
  group by 1, 2, 3, 4
), spent as materialized (
  select c.period, c.day, s.campaign_id, k.retailer_id as owner_id, c.reporting_currency,
         case when count(*) = count(s.spend) then sum(s.spend) end as spend
  from compared c
  cross join lateral (
    select campaign_id, fact.round_to_currency(spend * fx_rate, reporting_currency) as spend from agg.daily_campaigns
    where brand_id = $1 and day >= c.day and day < c.next_day and spend > 0
    order by day
  ) s
  join app.campaigns k on k.brand_id = $1 and k.id = s.campaign_id
  group by 1, 2, 3, 4, 5
), parts as (
  select period, day, owner_id as retailer_id, spend from spent where owner_id is not null
  union all
  -- Differences of rounded running sums: the parts add up, to the last cent. Whoever brought most comes first.
  select period, day, retailer_id, case when is_known then
           fact.round_to_currency(spend * upto / total, reporting_currency)
           - fact.round_to_currency(spend * (upto - revenue) / total, reporting_currency) end
  from (
    select period, day, b.retailer_id, b.revenue, s.owner_id, s.spend, s.reporting_currency,
           bool_and(b.revenue is not null) over campaign as is_known, sum(b.revenue) over campaign as total,
           sum(b.revenue) over (campaign order by b.revenue desc nulls last, b.retailer_id rows unbounded preceding) as upto
    from (select * from brought where revenue > 0 or revenue is null) b
    full join spent s using (period, day, campaign_id)
    window campaign as (partition by period, day, campaign_id)
  ) d
  where owner_id is null and reporting_currency is not null and retailer_id is not null
), attributed as (
  select period, day, retailer_id, sum(orders) as orders,
         case when count(*) = count(revenue) then sum(revenue) end as revenue
  from brought group by 1, 2, 3
), invested as (
  select period, day, retailer_id, case when count(*) = count(spend) then sum(spend) end as spend
  from parts group by 1, 2, 3
), figures as (
  -- What a retailer has no row of is 0; what is null in one is unknown. Full joins are hashed, whatever PostgreSQL thinks of
  -- the sizes.
  select period, day, retailer_id, c.is_complete, c.reporting_currency, s.fx_cause,
         case when s.day is null then 0 else s.net_sales end as net_sales,
         case when s.day is null then 0 else s.previous_net_sales end as previous_net_sales,
         coalesce(a.orders, 0)::bigint as attributed_orders,
         case when a.day is null then 0 else a.revenue end as attributed_revenue,
         case when i.day is null then 0 else i.spend end as spend,
         coalesce(s.delivered, 0)::bigint as delivered, coalesce(s.unique_opens, 0)::bigint as unique_opens,
         coalesce(s.unique_clicks, 0)::bigint as unique_clicks,
         coalesce(s.impressions, 0)::bigint as impressions, coalesce(s.engagement, 0)::bigint as engagement,
         coalesce(s.asset_actions, 0)::bigint as asset_actions
  from summed s
  full join attributed a using (period, day, retailer_id)
  full join invested i using (period, day, retailer_id)
  join compared c using (period, day)
  join app.retailers r on r.brand_id = $1 and r.id = retailer_id and r.removing_at is null
), rated as materialized (
  select *,
         case when previous_net_sales > 0 then round((net_sales - previous_net_sales) / previous_net_sales * 100, 2) end as growth,
         round((attributed_revenue - spend) / nullif(spend, 0) * 100, 2) as roi_percentage,
         round(unique_opens::numeric / nullif(delivered, 0), 4) as open_rate,
         round(unique_clicks::numeric / nullif(delivered, 0), 4) as click_rate,
         round(attributed_orders::numeric / nullif(delivered, 0), 4) as conversion_rate,
         fact.engagement_rate(engagement, impressions) as engagement_rate
  from figures
), placed as (
  select f.period, f.day, f.retailer_id, f.component, coalesce(w.weight, k.weight) as weight,
         rank() over (beside order by f.value) - 1 as below,
         count(*) over (beside order by f.value range current row) - 1 as equal,
         count(*) over beside - 1 as others
  from (
    select r.period, r.day, r.retailer_id, c.component, c.value
    from rated r
    cross join lateral (values
      ('net_sales', r.net_sales),
      ('growth', r.growth),
      ('roi_percentage', r.roi_percentage),
      ('conversion_rate', r.conversion_rate),
      ('open_rate', r.open_rate),
      ('click_rate', r.click_rate),
      ('engagement_rate', r.engagement_rate),
      ('asset_actions', nullif(r.asset_actions, 0))
    ) as c (component, value)
    where c.value is not null
  ) f
  join fact.ranking_components k using (component)
  left join app.ranking_weights w on w.brand_id = $1 and w.component = f.component
  window beside as (partition by f.period, f.day, f.component)
), percentiles as (
  select *, case when others = 0 then 50 else round((below + equal / 2.0) / others * 100, 2) end as percentile from placed
), scored as (
  select period, day, retailer_id, round(sum(percentile * weight) / nullif(sum(weight), 0), 2) as score,
         jsonb_object_agg(component, jsonb_build_object('percentile', trim_scale(percentile), 'weight', trim_scale(weight))) as components
  from percentiles
  group by 1, 2, 3
), judged as (
  select r.*, s.score, coalesce(s.components, '{}') as components, count(s.score) over everybody as retailers,
         case when s.score is not null then rank() over (everybody order by s.score desc nulls last) end as rank,
         case when s.score >= 80 then 'A' when s.score >= 60 then 'B' when s.score >= 40 then 'C' when s.score >= 20 then 'D'
              when s.score is not null then 'F' end as grade
  from rated r
  full join scored s using (period, day, retailer_id)
  window everybody as (partition by r.period, r.day)
)
select period, day, retailer_id, is_complete, trim_scale(net_sales) as net_sales,
       trim_scale(previous_net_sales) as previous_net_sales, growth, attributed_orders,
       trim_scale(attributed_revenue) as attributed_revenue, trim_scale(spend) as spend, roi_percentage,
       delivered, unique_opens, unique_clicks, open_rate, click_rate, conversion_rate, impressions, engagement,
       engagement_rate, asset_actions, components, score, rank, retailers, grade,
       cardinality(a.warnings) > 0 as needs_attention, p.praise is not null as is_top_performer,
       array_remove(a.warnings || p.praise, null) as reasons, reporting_currency, fx_cause
from judged
cross join lateral (
  select array_remove(array[
    case when grade = 'F' then format('the score of %s is below 20', score) end,
    case when is_complete and period <> 'day' and growth <= -20
         then format('net sales fell by %s %% against the %s before', -growth, period) end,
    case when roi_percentage < 0 then format('campaigns cost more than they brought: ROI %s %%', roi_percentage) end,
    case when net_sales < 0 then format('more came back than was sold: net sales %s %s', trim_scale(net_sales), reporting_currency) end
  ], null) as warnings
) a
cross join lateral (
  select case when cardinality(warnings) = 0 and retailers > 1 and score >= 60 and rank <= greatest(retailers / 10, 1)
              then format('rank %s of %s with a score of %s', rank, retailers, score) end as praise
) p
