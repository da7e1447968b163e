-- Orders that were placed on the days.
select o.connection_id, o.order_id as object
from wanted w
cross join lateral (
  select connection_id, order_id from agg.order_days
  where brand_id = $1 and day >= w.day and day <= w.day and is_placed
  order by day
) o
union all
select c.connection_id, c.order_id
from wanted w
cross join lateral (
  select connection_id, order_id from agg.order_credits
  where brand_id = $1 and day >= w.day and day <= w.day
  order by day
) c
