-- One row per day, owner and asset.
with touched as (
  select w.day, coalesce(e.retailer_id, $1::uuid) as owner_id, e.asset, e.id, e.happened_at, e.kind, e.visitor
  from wanted w
  cross join lateral (
    select * from raw.events
    where brand_id = $1 and happened_at >= w.starts_at and happened_at < w.ends_at
    order by happened_at
  ) e
  where e.asset is not null
)
select day, owner_id, asset, count(*) filter (where kind = 'page_view') as views,
       count(*) filter (where kind = 'download') as downloads, count(distinct visitor) as visitors
from touched
group by 1, 2, 3
