-- One row per day, owner and asset.
select w.day, coalesce(e.retailer_id, $1::uuid) as owner_id, e.asset,
       count(*) filter (where e.kind = 'page_view') as views, count(*) filter (where e.kind = 'download') as downloads,
       count(distinct e.visitor) as visitors
from wanted w
cross join lateral (
  select * from raw.events
  where brand_id = $1 and happened_at >= w.starts_at and happened_at < w.ends_at
  order by happened_at
) e
where e.asset is not null
group by 1, 2, 3
