-- What each campaign cost and brought in a month, at the rate of each day: a campaign of years is the sum of few rows. An amount
-- is null where a rate is missing.
select w.day, d.campaign_id, max(d.reporting_currency) as reporting_currency,
       case when bool_and(d.fx_rate is not null or d.spend = 0)
            then trim_scale(coalesce(sum(d.spend * d.fx_rate), 0)) end as spend,
       sum(d.attributed_orders)::bigint as attributed_orders,
       case when bool_and(d.fx_rate is not null or d.attributed_revenue = 0)
            then trim_scale(coalesce(sum(d.attributed_revenue * d.fx_rate), 0)) end as attributed_revenue,
       sum(d.credited_orders)::bigint as credited_orders,
       case when bool_and(d.fx_rate is not null or d.credited_revenue = 0)
            then trim_scale(coalesce(sum(d.credited_revenue * d.fx_rate), 0)) end as credited_revenue,
       min(d.fx_cause) as fx_cause
from wanted w
cross join lateral (
  select * from agg.daily_campaigns
  where brand_id = $1 and day >= w.day and day < w.next_day
  order by day
) d
group by w.day, d.campaign_id
