-- Variants that were sold on the days, now or when this was last computed, and whose stock was read later. Most days are
-- older than any reading but the first of each variant.
select s.connection_id, s.product_key as object
from (
  select distinct p.retailer_id, p.day, p.connection_id, f.product_key
  from spans p
  cross join lateral (
    select from agg.daily_stock
    where brand_id = $1 and retailer_id = p.retailer_id and day >= p.day and is_latest and changes > 0
    order by day limit 1
  ) moved
  cross join lateral (
    select product_key from fact.product_ledger
    where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
    order by booked_at
  ) f
) s
cross join lateral (
  select day, changes from agg.daily_stock
  where brand_id = $1 and retailer_id = s.retailer_id and connection_id = s.connection_id
    and variant_id >= s.product_key and variant_id <= s.product_key
  order by variant_id desc, day desc limit 1
) l
where l.day >= s.day and l.changes > 0
union
select a.connection_id, a.variant_id
from wanted w
cross join lateral (
  select connection_id, variant_id, sales from agg.daily_stock
  where brand_id = $1 and retailer_id = w.retailer_id and day >= w.day and day <= w.day
  order by day
) a
where a.sales > 0
