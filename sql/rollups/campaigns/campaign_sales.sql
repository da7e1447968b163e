-- One row per day, campaign, retailer and currency, of what is credited to a campaign.
with booked as materialized (
  select w.day, d.connection_id, d.order_id, d.retailer_id, d.currency, d.is_placed, d.is_counted, d.net_sales
  from wanted w
  cross join lateral (
    select * from agg.order_days
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) d
  where exists (select from app.campaigns where brand_id = $1)
), placed as materialized (
  select w.day, c.connection_id, c.order_id, c.campaign_id
  from wanted w
  cross join lateral (
    select * from agg.order_credits
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) c
), attributed as (
  -- A full join is hashed, whatever PostgreSQL thinks of the sizes; what is booked on a later day is looked up.
  select *
  from (
    select day, connection_id, order_id, b.retailer_id, b.currency, b.is_placed, b.is_counted, b.net_sales,
           case when b.is_placed then p.campaign_id else (
             select c.campaign_id from agg.order_credits c
             where c.brand_id = $1 and c.connection_id = b.connection_id
               and c.order_id >= b.order_id and c.order_id <= b.order_id
             order by c.order_id limit 1
           ) end as campaign_id
    from booked b
    full join placed p using (day, connection_id, order_id)
  ) o
  where campaign_id is not null
), sold as (
  select day, campaign_id, retailer_id, currency,
         count(*) filter (where is_placed and is_counted) as attributed_orders, sum(net_sales) as attributed_revenue
  from attributed
  group by 1, 2, 3, 4
  -- Orders that do not count and brought nothing are no row.
  having count(*) filter (where is_placed and is_counted) > 0 or sum(net_sales) <> 0
)
select day, campaign_id, retailer_id, currency, attributed_orders, trim_scale(attributed_revenue) as attributed_revenue,
       b.reporting_currency, trim_scale(x.fx_rate) as fx_rate, x.fx_day, x.fx_cause
from sold
cross join (select reporting_currency from app.brands where id = $1) b
cross join lateral fact.exchange_rate(currency, b.reporting_currency, day) x
