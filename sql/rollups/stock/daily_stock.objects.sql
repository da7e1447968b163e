-- A variant belongs to the days on which its stock was read. Stored rows of one that is no more, or now another retailer's,
-- belong to their own.
select p.connection_id, r.variant_id as object
from spans p
cross join lateral (
  select variant_id from fact.stock_readings
  where brand_id = $1 and connection_id = p.connection_id and read_at >= p.starts_at and read_at < p.ends_at
  order by read_at
) r
union all
select a.connection_id, a.variant_id
from wanted w
cross join lateral (
  select connection_id, variant_id from agg.daily_stock
  where brand_id = $1 and retailer_id = w.retailer_id and day >= w.day and day <= w.day
  order by day
) a
