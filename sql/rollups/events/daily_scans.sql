-- One row per day, owner and code. Scans are counted by device first, which is what a limit is for.
with placed as (
  select w.day, coalesce(e.retailer_id, $1::uuid) as owner_id, e.code, e.visitor, c.per_device, c.radius_km is not null as has_place,
         fact.distance_km(c.latitude, c.longitude, e.latitude, e.longitude) > c.radius_km as is_outside
  from wanted w
  cross join lateral (
    select * from raw.events
    where brand_id = $1 and happened_at >= w.starts_at and happened_at < w.ends_at
    order by happened_at
  ) e
  left join lateral (
    select * from app.event_codes o
    where o.brand_id = $1 and o.code in (e.code, '*')
    order by (o.code = '*') limit 1
  ) c on true
  where e.kind = 'scan'
), devices as (
  select day, owner_id, code, visitor, max(per_device) as per_device, count(*) as scans,
         count(*) filter (where is_outside) as outside, count(*) filter (where has_place and is_outside is null) as unplaced
  from placed
  group by day, owner_id, code, visitor
)
select day, owner_id, code, sum(scans)::bigint as scans, count(visitor) as devices,
       coalesce(sum(scans) filter (where visitor is null), 0)::bigint as unknown_devices,
       coalesce(sum(greatest(scans - per_device, 0)) filter (where visitor is not null), 0)::bigint as over_limit,
       sum(outside)::bigint as outside, sum(unplaced)::bigint as unplaced
from devices
group by day, owner_id, code
