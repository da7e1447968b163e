-- What each campaign cost and brought in a month, at the rate of each day: a campaign of years is the sum of few rows. An amount
-- is null where a rate is missing.
with days as (
  select w.day, d.day as of_day, d.campaign_id, d.currency, d.spend, d.attributed_orders, d.attributed_revenue,
         d.credited_orders, d.credited_revenue, d.reporting_currency, d.fx_rate, d.fx_cause
  from wanted w
  cross join lateral (
    select * from agg.daily_campaigns
    where brand_id = $1 and day >= w.day and day < w.next_day
    order by day
  ) d
)
select day, campaign_id, max(reporting_currency) as reporting_currency,
       case when bool_and(fx_rate is not null or spend = 0)
            then trim_scale(coalesce(sum(spend * fx_rate), 0)) end as spend,
       sum(attributed_orders)::bigint as attributed_orders,
       case when bool_and(fx_rate is not null or attributed_revenue = 0)
            then trim_scale(coalesce(sum(attributed_revenue * fx_rate), 0)) end as attributed_revenue,
       sum(credited_orders)::bigint as credited_orders,
       case when bool_and(fx_rate is not null or credited_revenue = 0)
            then trim_scale(coalesce(sum(credited_revenue * fx_rate), 0)) end as credited_revenue,
       min(fx_cause) as fx_cause
from days
group by day, campaign_id
