-- One row per variant and day on which its stock was read or moved. Orders count between the first and the last reading:
-- what came later is in no level that anybody has read.
with readings as (
  select retailer_id, connection_id, variant_id, time_zone, read_at, available, unavailable
  from (
    select p.retailer_id, p.connection_id, p.object as variant_id, p.time_zone, r.*,
           min(r.read_at) filter (where r.available is not null)
             over (partition by p.retailer_id, p.connection_id, p.object) as opened_at
    from spans p
    cross join lateral ( -- each is looked up by the order of its own index
      (select read_at, available, unavailable from fact.stock_readings
       where brand_id = $1 and connection_id = p.connection_id and variant_id >= p.object and variant_id <= p.object
       order by variant_id)
      union all
      (select ended_at, null, null from fact.stock_ends
       where brand_id = $1 and connection_id = p.connection_id and variant_id >= p.object and variant_id <= p.object
       order by variant_id)
    ) r
  ) o
  where read_at >= opened_at
), events as (
  select retailer_id, connection_id, variant_id, time_zone, read_at as at, true as is_reading, available, unavailable,
         0 as ordered, 0 as returned
  from readings
  union all
  select o.retailer_id, o.connection_id, o.variant_id, o.time_zone, s.booked_at, false, null, null, s.ordered, s.returned
  from (
    select retailer_id, connection_id, variant_id, time_zone, min(read_at) as opened_at, max(read_at) as last_at
    from readings group by 1, 2, 3, 4 having min(read_at) < max(read_at)
  ) o
  cross join lateral (
    select booked_at, ordered, returned from fact.stock_sales
    where brand_id = $1 and connection_id = o.connection_id
      and variant_id >= o.variant_id and variant_id <= o.variant_id and changed_at > o.opened_at
    order by variant_id, changed_at
  ) s
  where s.booked_at > o.opened_at and s.booked_at <= o.last_at and (s.ordered, s.returned) <> (0, 0)
), numbered as (
  -- What is booked at the instant of a reading is in it. A deletion comes after a reading of its instant.
  select e.*, count(*) filter (where is_reading) over (
           partition by retailer_id, connection_id, variant_id
           order by at, is_reading, available is null rows unbounded preceding) as place
  from events e
), compared as (
  -- A place is a reading with what was booked until the next one. Windows, because a join might compare all rows with all.
  select n.*, n.is_reading and n.place > 1 as is_change,
         max(n.available) over here as had, max(n.available) over behind as had_before, max(n.available) over ahead as has_then,
         max(n.unavailable) over behind as away_before, coalesce(sum(n.ordered + n.returned) over behind, 0) as moved,
         sum(n.ordered + n.returned) over since as moved_since
  from numbered n
  window here as (partition by retailer_id, connection_id, variant_id order by place groups current row),
         behind as (partition by retailer_id, connection_id, variant_id order by place groups between 1 preceding and 1 preceding),
         ahead as (partition by retailer_id, connection_id, variant_id order by place groups between 1 following and 1 following),
         since as (partition by retailer_id, connection_id, variant_id, place order by at)
), parts as (
  -- Where nobody counted at one of its ends, nothing is known of what moved within.
  select c.retailer_id, c.connection_id, c.variant_id, (c.at at time zone c.time_zone)::date as day, c.at, c.place,
         c.is_reading, c.is_change, c.ordered, c.returned, coalesce(c.had, 0) + c.moved_since as level,
         case when c.is_reading and not c.is_change then c.available else 0 end as opening,
         case when not c.is_change then 0 when k.is_counted then a.away else k.change end as adjusted,
         case when c.is_change and k.is_counted then k.change - c.moved - a.away else 0 end as unknown
  from compared c
  cross join lateral (
    select c.available is not null and c.had_before is not null as is_counted,
           coalesce(c.available, 0) - coalesce(c.had_before, 0) as change
  ) k
  cross join lateral (select coalesce(c.away_before - c.unavailable, 0) as away) a
  where c.is_reading or c.had is not null and c.has_then is not null
), days as (
  select retailer_id, connection_id, variant_id, day, sum(opening)::bigint as opening, sum(ordered)::bigint as ordered,
         sum(returned)::bigint as returned, sum(adjusted)::bigint as adjusted, sum(unknown)::bigint as unknown,
         (array_agg(level order by at desc, place desc, is_reading desc))[1]::bigint as level,
         count(*) filter (where is_change) as changes, count(*) filter (where not is_reading) as sales,
         max(at) filter (where is_reading) as read_at
  from parts
  group by 1, 2, 3, 4
)
select retailer_id, connection_id, variant_id, day, coalesce(lag(level) over w, 0) as level_before,
       opening, ordered, returned, adjusted, unknown, level, changes, sales, read_at, lead(day) over w is null as is_latest
from days
window w as (partition by retailer_id, connection_id, variant_id order by day)
