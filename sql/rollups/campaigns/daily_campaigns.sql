-- One row per campaign, day and currency; the campaign of what is credited to none is the brand itself. Each side is
-- reduced to its key before they are joined. A brand without campaigns has no rows.
with booked as materialized (
  select w.day, d.retailer_id, d.connection_id, d.order_id, d.currency, d.is_placed, d.is_counted, d.net_sales
  from wanted w
  cross join lateral (
    select * from agg.order_days
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) d
  where exists (select from app.campaigns where brand_id = $1)
), placed as materialized (
  select w.day, c.connection_id, c.order_id, c.campaign_id, c.touch_kind, c.touch
  from wanted w
  cross join lateral (
    select * from agg.order_credits
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) c
), attributed as (
  -- A full join is hashed, whatever PostgreSQL thinks of the sizes; what is booked on a later day is looked up.
  select day, connection_id, order_id, b.retailer_id, b.currency, b.is_placed, b.is_counted, b.net_sales,
         p.touch_kind, p.touch, case when b.is_placed then p.campaign_id else (
           select c.campaign_id from agg.order_credits c
           where c.brand_id = $1 and c.connection_id = b.connection_id
             and c.order_id >= b.order_id and c.order_id <= b.order_id
           order by c.order_id limit 1
         ) end as campaign
  from booked b
  full join placed p using (day, connection_id, order_id)
), sold as (
  select day, coalesce(campaign, $1::uuid) as campaign_id, currency,
         count(*) filter (where is_placed and is_counted) as attributed_orders, sum(net_sales) as attributed_revenue
  from attributed
  group by 1, 2, 3
  -- Orders that do not count and brought nothing are no row.
  having count(*) filter (where is_placed and is_counted) > 0 or sum(net_sales) <> 0
), touched as (
  select w.day, c.connection_id, c.order_id, c.currency, c.is_counted, c.net_sales, c.campaign_id, c.touch_kind, c.touch,
         c.touched_at
  from wanted w
  cross join lateral (
    select * from agg.order_credits
    where brand_id = $1 and touched_on >= w.day and touched_on <= w.day
    order by touched_on
  ) c
), credited as (
  select day, campaign_id, currency, count(*) filter (where is_counted) as credited_orders,
         sum(net_sales) as credited_revenue
  from touched
  group by 1, 2, 3
  having count(*) filter (where is_counted) > 0 or sum(net_sales) <> 0
), spendings as (
  select w.day, s.campaign_id, s.currency, s.source, s.amount
  from wanted w
  cross join lateral (
    select * from app.campaign_spend
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) s
), spent as (
  select day, campaign_id, currency, sum(amount) as spend
  from spendings
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
