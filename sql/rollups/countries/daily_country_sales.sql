-- One row per retailer, brand-local day, currency and country of the order.
select w.retailer_id, w.day, o.currency, o.country,
       count(*) filter (where o.is_placed and o.is_counted) as orders,
       count(distinct (o.connection_id, o.customer_id))
         filter (where o.is_placed and o.is_counted and o.customer_id is not null) as customers,
       sum(o.units) as units, sum(o.units_returned) as units_returned, trim_scale(sum(o.gross_sales)) as gross_sales,
       trim_scale(sum(o.discounts)) as discounts, trim_scale(sum(o.returns)) as returns
from wanted w
cross join lateral (
  select * from agg.order_days
  where brand_id = $1 and day >= w.day and day <= w.day and retailer_id = w.retailer_id
  order by day
) o
group by w.retailer_id, w.day, o.currency, o.country
-- What is in other columns of daily_sales alone (gift cards, shipping, tips) is nothing here, and makes no row.
having count(*) filter (where o.is_placed and o.is_counted) > 0 or sum(o.units) <> 0 or sum(o.units_returned) <> 0
    or sum(o.gross_sales) <> 0 or sum(o.discounts) <> 0 or sum(o.returns) <> 0
