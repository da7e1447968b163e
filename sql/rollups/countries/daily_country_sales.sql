-- One row per retailer, brand-local day, currency and country of the order.
with booked as (
  select w.retailer_id, w.day, o.connection_id, o.order_id, o.placed_at, o.currency, o.country, o.customer_id,
         o.is_placed and o.is_counted as is_order, o.units, o.units_returned, o.gross_sales, o.discounts, o.returns
  from wanted w
  cross join lateral (
    select * from agg.order_days
    where brand_id = $1 and day >= w.day and day <= w.day and retailer_id = w.retailer_id
    order by day
  ) o
)
select retailer_id, day, currency, country, count(*) filter (where is_order) as orders,
       count(distinct (connection_id, customer_id)) filter (where is_order and customer_id is not null) as customers,
       sum(units) as units, sum(units_returned) as units_returned, trim_scale(sum(gross_sales)) as gross_sales,
       trim_scale(sum(discounts)) as discounts, trim_scale(sum(returns)) as returns
from booked
group by retailer_id, day, currency, country
-- What is in other columns of daily_sales alone (gift cards, shipping, tips) is nothing here, and makes no row.
having count(*) filter (where is_order) > 0 or sum(units) <> 0 or sum(units_returned) <> 0
    or sum(gross_sales) <> 0 or sum(discounts) <> 0 or sum(returns) <> 0
