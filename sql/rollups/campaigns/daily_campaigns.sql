-- One row per campaign, day and currency; the campaign of what is credited to none is the brand itself. Each side is
-- reduced to its key before they are joined. A brand without campaigns has no rows.
with sold as (
  select w.day, coalesce(c.campaign_id, $1::uuid) as campaign_id, d.currency,
         count(*) filter (where d.is_placed and d.is_counted) as attributed_orders, sum(d.net_sales) as attributed_revenue
  from wanted w
  cross join lateral (
    select * from agg.order_days
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) d
  left join lateral (
    select campaign_id from agg.order_credits
    where brand_id = $1 and connection_id = d.connection_id and order_id >= d.order_id and order_id <= d.order_id
    order by order_id limit 1
  ) c on true
  where exists (select from app.campaigns where brand_id = $1)
  group by 1, 2, 3
), credited as (
  select w.day, c.campaign_id, c.currency, count(*) filter (where c.is_counted) as credited_orders,
         sum(c.net_sales) as credited_revenue
  from wanted w
  cross join lateral (
    select * from agg.order_credits
    where brand_id = $1 and touched_on >= w.day and touched_on <= w.day
    order by touched_on
  ) c
  group by 1, 2, 3
), spent as (
  select w.day, s.campaign_id, s.currency, sum(s.amount) as spend
  from wanted w
  cross join lateral (
    select * from app.campaign_spend
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) s
  group by 1, 2, 3
)
select day, campaign_id, currency, trim_scale(coalesce(p.spend, 0)) as spend,
       coalesce(s.attributed_orders, 0) as attributed_orders,
       trim_scale(coalesce(s.attributed_revenue, 0)) as attributed_revenue,
       coalesce(c.credited_orders, 0) as credited_orders,
       trim_scale(coalesce(c.credited_revenue, 0)) as credited_revenue,
       b.reporting_currency, trim_scale(x.fx_rate) as fx_rate, x.fx_day, x.fx_cause
from sold s
full join credited c using (day, campaign_id, currency)
full join spent p using (day, campaign_id, currency)
cross join (select reporting_currency from app.brands where id = $1) b
cross join lateral fact.exchange_rate(currency, b.reporting_currency, day) x
