-- Customers with anything booked on the days. Stored ones that are no more belong to the days of their first orders.
select o.connection_id, o.customer_id as object
from wanted w
cross join lateral (
  select connection_id, customer_id from agg.order_days
  where brand_id = $1 and day >= w.day and day <= w.day and retailer_id = w.retailer_id and customer_id is not null
  order by day
) o
union all
select v.connection_id, v.customer_id
from wanted w
cross join lateral (
  select connection_id, customer_id from agg.customer_value
  where brand_id = $1 and retailer_id = w.retailer_id and first_day >= w.day and first_day <= w.day
  order by first_day
) v
