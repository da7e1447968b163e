-- A subscription belongs to the day on which it was created. Stored states of one that is no more, or now another
-- retailer's, belong to the days on which they begin.
select p.connection_id, o.id as object
from spans p
cross join lateral (
  select s.subscription_id as id from fact.subscriptions s
  where s.brand_id = $1 and s.connection_id = p.connection_id
    and s.created_at >= p.starts_at and s.created_at < p.ends_at
  order by s.created_at
) o
union all
select o.connection_id, o.subscription_id
from wanted w
cross join lateral (
  select s.connection_id, s.subscription_id from agg.subscription_states s
  where s.brand_id = $1 and s.retailer_id = w.retailer_id and s.valid_from >= w.starts_at and s.valid_from < w.ends_at
  order by s.valid_from
) o
