-- One row per day, owner and stage: views, carts, and the stages that conversions name.
select w.day, coalesce(e.retailer_id, $1::uuid) as owner_id,
       coalesce(e.stage, e.kind) as stage, count(*) as events, count(distinct e.visitor) as visitors
from wanted w
cross join lateral (
  select * from raw.events
  where brand_id = $1 and happened_at >= w.starts_at and happened_at < w.ends_at
  order by happened_at
) e
where e.kind in ('page_view', 'cart_add', 'conversion')
group by 1, 2, 3
