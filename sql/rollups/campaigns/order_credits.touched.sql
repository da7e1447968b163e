-- The days of the orders, and those of the touches that they are credited to now and were before.
select d.day, c.why
from changes c
cross join lateral (
  select day from agg.order_days
  where brand_id = $1 and connection_id = c.connection_id and order_id >= c.order_id and order_id <= c.order_id
  order by order_id
) d
union
select s.day, c.why from changes c join stored s using (connection_id, order_id)
union
select s.touched_on, c.why from changes c join stored s using (connection_id, order_id)
union
select f.touched_on, c.why from changes c join fresh f using (connection_id, order_id)
