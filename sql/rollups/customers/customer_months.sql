-- The months of the customers of `wanted` in which they ordered or anything was booked on their orders. The cohort of a
-- customer is the month of the first counted order, whatever its currency; of orders of one instant the one with the
-- smaller number is first.
with booked as (
  select w.retailer_id, w.connection_id, w.object as customer_id, o.day, date_trunc('month', o.day::timestamp)::date as month, o.currency,
         o.is_placed and o.is_counted as is_order, o.placed_at, o.order_id, o.net_sales
  from wanted w
  cross join lateral (
    select * from agg.order_days
    where brand_id = $1 and connection_id = w.connection_id and customer_id >= w.object and customer_id <= w.object
    order by customer_id
  ) o
  where o.retailer_id = w.retailer_id
)
select retailer_id, connection_id, customer_id, month, currency, cohort_month, bool_or(is_order and place = 1) as is_new,
       count(*) filter (where is_order) as orders, trim_scale(sum(net_sales)) as net_sales
from (
  select *, min(month) filter (where is_order) over customer as cohort_month,
         row_number() over (partition by connection_id, customer_id, is_order order by placed_at, order_id::numeric) as place
  from booked
  window customer as (partition by connection_id, customer_id)
) b
group by retailer_id, connection_id, customer_id, month, currency, cohort_month
having count(*) filter (where is_order) > 0 or sum(net_sales) <> 0
