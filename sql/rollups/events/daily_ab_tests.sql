-- One row per day, experiment and variant, of the visitors who were first exposed on the day. What they did later is
-- looked up, so whoever stores an event of a visitor marks the days of all exposures of this visitor.
with exposed as materialized (
  select distinct w.day, w.starts_at, e.visitor, e.experiment
  from wanted w
  cross join lateral (
    select * from raw.events
    where brand_id = $1 and happened_at >= w.starts_at and happened_at < w.ends_at
    order by happened_at
  ) e
  where e.kind = 'exposure'
), visitors as (
  select e.day, e.experiment, f.variant, e.visitor, f.happened_at, v.is_mixed, v.has_converted
  from exposed e
  cross join lateral (
    (
      select x.happened_at, x.variant from raw.events x
      where x.brand_id = $1 and x.visitor = e.visitor and x.experiment = e.experiment and x.kind = 'exposure'
      order by x.happened_at, x.id limit 1
    ) union all (
      select p.happened_at, null from raw.past_exposures p
      where p.brand_id = $1 and p.visitor >= e.visitor and p.visitor <= e.visitor and p.experiment = e.experiment
      order by p.visitor limit 1
    )
    order by happened_at limit 1
  ) f
  cross join lateral (
    select exists (
             select from raw.events x
             where x.brand_id = $1 and x.visitor = e.visitor and x.experiment = e.experiment and x.kind = 'exposure'
               and x.variant <> f.variant
           ) as is_mixed,
           exists (
             select from raw.events x
             where x.brand_id = $1 and x.visitor = e.visitor and x.experiment = e.experiment and x.kind = 'ab_conversion'
               and x.happened_at >= f.happened_at
           ) as has_converted
  ) v
  where f.happened_at >= e.starts_at
)
select day, experiment, variant, count(*) filter (where not is_mixed) as exposed,
       count(*) filter (where not is_mixed and has_converted) as converted, count(*) filter (where is_mixed) as mixed
from visitors
group by day, experiment, variant
