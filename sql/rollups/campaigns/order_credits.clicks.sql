-- Orders that a click of a person can reach. A mark names connection and person.
select o.connection_id, o.order_id as object
from (select distinct split_part(m, ' ', 2) as person from unnest($2::text[]) as m) n
cross join lateral (
  select connection_id, order_id from agg.order_days
  where brand_id = $1 and person >= n.person and person <= n.person and is_placed
  order by person
) o
