-- One row per day, owner and stage: views, carts, and the stages that conversions name.
with reached as (
  select w.day, coalesce(e.retailer_id, $1::uuid) as owner_id, coalesce(e.stage, e.kind) as stage, e.id, e.happened_at,
         e.visitor
  from wanted w
  cross join lateral (
    select * from raw.events
    where brand_id = $1 and happened_at >= w.starts_at and happened_at < w.ends_at
    order by happened_at
  ) e
  where e.kind in ('page_view', 'cart_add', 'conversion')
)
select day, owner_id, stage, count(*) as events, count(distinct visitor) as visitors
from reached
group by 1, 2, 3
