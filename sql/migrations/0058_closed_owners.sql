-- Figures of the brand that tell its retailers apart (owner_id) are frozen, booked and logged as those of the retailer, so that
-- they are shown as its own and go with it.

-- Frozen rows are read by month and retailer, and a removal reads those of a retailer.
drop index ops.closed_figures_by_retailer;
create index closed_figures_by_retailer on ops.closed_figures (brand_id, retailer_id, closing_id, rollup);

create or replace view bi.closed_figures as
select f.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, c.period, f.rollup as figure, f.day, f.key,
       v.name as column_name, (v.value #>> '{}')::numeric as closed_value, f.currency, c.closed_at
from ops.period_closings c
join app.brands b on b.id = c.brand_id
join ops.closed_figures f on f.brand_id = c.brand_id and f.closing_id = c.id
cross join lateral jsonb_each(f.figures) as v (name, value)
left join app.retailers r on r.brand_id = f.brand_id and r.id = f.retailer_id
where c.reopened_at is null and jsonb_typeof(v.value) = 'number';

create or replace view bi.restatements as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.rollup as figure, a.day, a.last_day, a.key,
       a.column_name, a.old_value, a.new_value, a.difference, a.currency, a.cause, a.cells, a.job_id, a.restated_at, a.id
from ops.restatements a
join app.brands b on b.id = a.brand_id
left join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id;

-- What is stored: rows of retailers that are gone go, others get their retailer.
delete from ops.closed_figures f
where f.retailer_id is null and (f.key ->> 'owner_id')::uuid <> f.brand_id
  and not exists (select from app.retailers r where r.brand_id = f.brand_id and r.id = (f.key ->> 'owner_id')::uuid);
update ops.closed_figures f set retailer_id = (f.key ->> 'owner_id')::uuid
where f.retailer_id is null and (f.key ->> 'owner_id')::uuid <> f.brand_id;
delete from ops.restatements a
where a.retailer_id is null and (a.key ->> 'owner_id')::uuid <> a.brand_id
  and not exists (select from app.retailers r where r.brand_id = a.brand_id and r.id = (a.key ->> 'owner_id')::uuid);
update ops.restatements a set retailer_id = (a.key ->> 'owner_id')::uuid
where a.retailer_id is null and (a.key ->> 'owner_id')::uuid <> a.brand_id;

-- Adjustments do not say whose they are. What each retailer needs is booked of it and taken from the brand, in the open month.
do $$
declare
  v_rollup text;
begin
  foreach v_rollup in array array['daily_email', 'daily_assets', 'daily_funnel', 'daily_scans'] loop
    execute format('delete from agg.%I a where a.owner_id <> a.brand_id
      and not exists (select from app.retailers r where r.brand_id = a.brand_id and r.id = a.owner_id)', v_rollup);
    execute format($q$
      with closed as materialized (
        select c.brand_id, c.id as closing_id, c.period as closed_from, (c.period + interval '1 month')::date - 1 as closed_to,
               greatest(date_trunc('month', now() at time zone b.time_zone)::date,
                        (max(c.period) over (partition by c.brand_id) + interval '1 month')::date) as booked_in
        from ops.period_closings c
        join app.brands b on b.id = c.brand_id
        where c.reopened_at is null
      )
      insert into ops.period_adjustments as a (brand_id, closing_id, rollup, retailer_id, column_name, currency, booked_in, cause,
        difference, cells, booked_at)
      select brand_id, closing_id, %1$L, retailer_id, column_name, null, booked_in, 'changed_definition', trim_scale(sum(value)), 1, now()
      from (
        select k.brand_id, k.closing_id, k.booked_in, nullif(a.owner_id, a.brand_id) as retailer_id, m.key as column_name,
               (m.value #>> '{}')::numeric as value
        from closed k
        join agg.%1$I a on a.brand_id = k.brand_id and a.day between k.closed_from and k.closed_to
        cross join lateral jsonb_each(to_jsonb(a)) m
        where jsonb_typeof(m.value) = 'number'
        union all
        select k.brand_id, k.closing_id, k.booked_in, f.retailer_id, m.key, -(m.value #>> '{}')::numeric
        from closed k
        join ops.closed_figures f on f.brand_id = k.brand_id and f.closing_id = k.closing_id and f.rollup = %1$L
        cross join lateral jsonb_each(f.figures) m
        where jsonb_typeof(m.value) = 'number'
        union all
        select k.brand_id, k.closing_id, k.booked_in, p.retailer_id, p.column_name, -p.difference
        from closed k
        join ops.period_adjustments p on p.brand_id = k.brand_id and p.closing_id = k.closing_id and p.rollup = %1$L
      ) u
      group by brand_id, closing_id, retailer_id, column_name, booked_in
      having sum(value) <> 0
      on conflict (brand_id, closing_id, rollup, retailer_id, column_name, currency, booked_in, cause) do update
      set difference = trim_scale(a.difference + excluded.difference), cells = a.cells + 1, booked_at = excluded.booked_at
    $q$, v_rollup);
  end loop;
end $$;
