-- Customers with anything booked on the days. Stored months of one that is no more belong to their first days.
select o.connection_id, o.customer_id as object
from wanted w
cross join lateral (
  select connection_id, customer_id from agg.order_days
  where brand_id = $1 and day >= w.day and day <= w.day and retailer_id = w.retailer_id and customer_id is not null
  order by day
) o
union all
select m.connection_id, m.customer_id
from wanted w
cross join lateral (
  select connection_id, customer_id from agg.customer_months
  where brand_id = $1 and retailer_id = w.retailer_id and month >= w.day and month <= w.day
  order by month
) m
