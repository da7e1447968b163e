-- What the customers of `wanted` have bought in all, by currency. What their segment rests on is over all currencies.
with booked as (
  select w.retailer_id, w.connection_id, w.object as customer_id, o.day, o.currency, o.country,
         o.is_placed and o.is_counted as is_order, o.placed_at, o.order_id, o.units, o.units_returned, o.net_sales, o.ordered_sales
  from wanted w
  cross join lateral (
    select * from agg.order_days
    where brand_id = $1 and connection_id = w.connection_id and customer_id >= w.object and customer_id <= w.object
    order by customer_id
  ) o
  where o.retailer_id = w.retailer_id
)
select retailer_id, connection_id, customer_id, currency, newest_country as country,
       count(*) filter (where is_order) as orders, sum(units)::bigint as units, sum(units_returned)::bigint as units_returned,
       trim_scale(sum(net_sales)) as net_sales, trim_scale(sum(ordered_sales)) as ordered_sales,
       min(day) filter (where is_order) as first_order_day, max(day) filter (where is_order) as last_order_day,
       all_orders, first_day, last_day
from (
  select *, count(*) filter (where is_order) over customer as all_orders,
         min(day) filter (where is_order) over customer as first_day,
         max(day) filter (where is_order) over customer as last_day,
         first_value(country) over (
           partition by connection_id, customer_id order by is_order desc, placed_at desc, order_id::numeric desc
         ) as newest_country
  from booked
  window customer as (partition by connection_id, customer_id)
) b
group by retailer_id, connection_id, customer_id, currency, newest_country, all_orders, first_day, last_day
having count(*) filter (where is_order) > 0 or sum(net_sales) <> 0
