-- Restatements: what a day was told as final and what it says now, with the cause.

alter table ops.marks add column cause text;
comment on column ops.marks.cause is 'why it must be computed again, where who marks it knows: mapping, changed_definition, or what a rollup that is read found; see sql/rollups/causes.ts';

-- One definition of final: that of bi.completeness. These are the days that it was true of once.
create table ops.final_days (
  brand_id uuid not null,
  retailer_id uuid,
  figures text not null,
  final_from date not null,
  final_to date not null,
  told_at timestamptz not null,
  unique nulls not distinct (brand_id, retailer_id, figures),
  check (final_from <= final_to)
);
comment on table ops.final_days is 'days whose figures were final once: a change of them afterwards is a restatement';
comment on column ops.final_days.retailer_id is 'whose figures; null for the brand''s own';
comment on column ops.final_days.figures is 'as ops.rollups calls them';
comment on column ops.final_days.final_from is 'the first day with data of the owner';
comment on column ops.final_days.final_to is 'all days up to this one were final together; it never moves back';

create table ops.restatements (
  id bigint generated always as identity primary key,
  brand_id uuid not null,
  retailer_id uuid,
  rollup text not null,
  day date not null,
  last_day date not null,
  key jsonb,
  column_name text not null,
  old_value numeric,
  new_value numeric,
  difference numeric,
  currency text,
  cause text not null,
  cells bigint not null,
  job_id bigint,
  restated_at timestamptz not null
);
create index restatements_by_time on ops.restatements (brand_id, restated_at, id);
create index restatements_by_day on ops.restatements (brand_id, day, id);
create index restatements_by_age on ops.restatements (restated_at);
comment on table ops.restatements is 'changes of figures of days that were final, as the merge of their rollup found them';
comment on column ops.restatements.retailer_id is 'whose figure; null for the brand''s own';
comment on column ops.restatements.day is 'the day, or the first one of the period';
comment on column ops.restatements.last_day is 'the last day of the period or of the sum; else the same';
comment on column ops.restatements.key is 'the rest of the key of the row; null for a sum of many cells';
comment on column ops.restatements.cells is '1; more where a change of very many cells is summed up by column and currency';
comment on column ops.restatements.job_id is 'the job whose run wrote it';

/* Notes which days have become final, in the words of bi.completeness, once nothing of the brand waits: of many rollups
   the last one asks. It looks no further where that cannot be: the figures of the owner were told up to yesterday, or
   their streams were not read past the next day. */
create function ops.tell_final(p_brand uuid, p_retailer uuid, p_now timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
begin
  if exists (select from ops.marks m where m.brand_id = p_brand) then return; end if;
  for v in
    select f.figures, bool_or(d.final_to is null) as is_new
    from app.brands b
    join app.connections c on c.brand_id = b.id and c.removing_at is null and (p_retailer is null or c.retailer_id = p_retailer)
    join ops.streams s on s.provider = c.provider
    cross join unnest(s.feeds) as f (figures)
    cross join lateral (select p_retailer union select c.retailer_id) o (retailer_id)
    left join ops.final_days d on d.brand_id = b.id and d.retailer_id is not distinct from o.retailer_id and d.figures = f.figures
    left join ops.positions p on p.brand_id = b.id and p.connection_id = c.id and p.stream = s.stream
    where b.id = p_brand and b.removing_at is null
    group by f.figures, b.time_zone
    having case when bool_or(d.final_to is null) then min(p.complete_to) is not null
                else min(d.final_to) < (now() at time zone b.time_zone)::date - 1
                     and min(p.complete_to) >= fact.day_start(min(d.final_to) + 2, b.time_zone) end
    order by f.figures
  loop
    perform ops.tell_final_days(p_brand, v.figures, v.is_new, p_now);
  end loop;
end $$;
comment on function ops.tell_final is 'notes the days that have become final, if nothing of the brand waits to be computed';

create function ops.waits_for_rollup(p_brand uuid, p_retailer uuid) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_retailer is null then
    return exists (select from ops.marks m where m.brand_id = p_brand and m.retailer_id is null);
  end if;
  return exists (select from ops.marks m where m.brand_id = p_brand and m.retailer_id = p_retailer);
end $$;
comment on function ops.waits_for_rollup is 'whether figures of an owner are marked to be computed';

/* Of all owners of the brand at once, because a day is final for all or for none. An owner that is new waits until nothing
   of it does; the days before its first row, which may lack some for a reason, were told to nobody. */
create function ops.tell_final_days(p_brand uuid, p_figures text, p_is_new boolean, p_now timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_known date;
  v_zone text;
  v_reach timestamptz;
begin
  select max(d.final_to) into v_known from ops.final_days d where d.brand_id = p_brand and d.figures = p_figures;
  select b.time_zone, min(p.complete_to) into v_zone, v_reach
  from app.brands b
  join app.connections c on c.brand_id = b.id and c.removing_at is null
  join ops.streams s on s.provider = c.provider and p_figures = any (s.feeds)
  join ops.positions p on p.brand_id = b.id and p.connection_id = c.id and p.stream = s.stream
  where b.id = p_brand
  group by b.time_zone;
  if not p_is_new and v_reach < fact.day_start(v_known + 2, v_zone) then return; end if;
  if v_known is null then
    -- Whatever else may be wrong is wrong of the last days too; only what waits may be of any.
    v_known := (v_reach at time zone v_zone)::date - 31;
    if exists (select from ops.marks m where m.brand_id = p_brand and m.day < v_known) then return; end if;
  end if;
  insert into ops.final_days as d (brand_id, retailer_id, figures, final_from, final_to, told_at)
  select p_brand, o.retailer_id, p_figures,
         case when k.final_from is null or not w.waits then least(k.final_from, o.begins_on, j.final_to) else k.final_from end,
         j.final_to, p_now
  from (
    select min(c.day) filter (where c.state <> 'final') - 1 as final_to
    from bi.completeness c
    where c.brand_id = p_brand and c.source = p_figures and c.day >= v_known
    having min(c.day) filter (where c.state <> 'final') > min(c.day)
  ) j
  cross join (
    select r.retailer_id, min(ops.first_day(s, c.brand_id, c.id, b.time_zone)) as begins_on
    from app.brands b
    join app.connections c on c.brand_id = b.id and c.removing_at is null
    join ops.streams s on s.provider = c.provider and p_figures = any (s.feeds)
    cross join lateral (select null::uuid union select c.retailer_id) r (retailer_id)
    where b.id = p_brand
    group by r.retailer_id
  ) o
  left join ops.final_days k on k.brand_id = p_brand and k.retailer_id is not distinct from o.retailer_id and k.figures = p_figures
  cross join lateral (select ops.waits_for_rollup(p_brand, o.retailer_id) as waits) w
  where k.brand_id is not null or not w.waits
  order by o.retailer_id
  on conflict (brand_id, retailer_id, figures) do update
  set final_from = excluded.final_from, final_to = greatest(d.final_to, excluded.final_to), told_at = excluded.told_at
  where d.final_from > excluded.final_from or d.final_to < excluded.final_to;
end $$;
comment on function ops.tell_final_days is 'notes the days of figures of a brand that have become final';

create view bi.restatements as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.rollup as figure, a.day, a.last_day, a.key,
       a.column_name, a.old_value, a.new_value, a.difference, a.currency, a.cause, a.cells, a.job_id, a.restated_at, a.id
from ops.restatements a
join app.brands b on b.id = a.brand_id
left join app.retailers r on r.brand_id = a.brand_id
 and r.id = coalesce(a.retailer_id, case when a.rollup = 'daily_email' then (a.key ->> 'owner_id')::uuid end);
comment on view bi.restatements is 'Figures of days that were final and have changed since, one row for each column of a row: the first final value and all differences add up to the present one. A day is final once bi.completeness said so and nothing of it waited to be computed. Kept for a year.';
comment on column bi.restatements.brand_id is 'id of the brand';
comment on column bi.restatements.brand is 'short name of the brand';
comment on column bi.restatements.retailer_id is 'id of the retailer; null for figures of the brand as a whole';
comment on column bi.restatements.retailer is 'short name of the retailer; null as retailer_id';
comment on column bi.restatements.figure is 'table of the figure, such as daily_sales';
comment on column bi.restatements.day is 'day of the figure in the brand''s time zone, or the first day of its period';
comment on column bi.restatements.last_day is 'last day of the period; of a sum of many cells the last of their days';
comment on column bi.restatements.key is 'what else tells the row apart, such as currency and country; null for a sum of many cells';
comment on column bi.restatements.column_name is 'column that changed';
comment on column bi.restatements.old_value is 'what it was; 0 where there was no row, null where it was not known';
comment on column bi.restatements.new_value is 'what it is; 0 where there is no row any more, null where it is not known';
comment on column bi.restatements.difference is 'new_value - old_value, an unknown value taken for 0; null for the sum of rates';
comment on column bi.restatements.currency is 'ISO 4217 code of the amounts of the row; null if the figure has none';
comment on column bi.restatements.cause is 'late_order, edited_order, late_refund, added_touch (a touch came, changed or went), changed_spend, changed_cost, revised_rate; mapping: data went to another retailer, or with a connection that was removed; changed_definition: time zone, currency or other settings, or a rebuild without new data; late_data: something else came late';
comment on column bi.restatements.cells is 'how many cells the row is of: 1, more for a sum of very many';
comment on column bi.restatements.job_id is 'job that found it; null where none did';
comment on column bi.restatements.restated_at is 'when the new value was computed';
comment on column bi.restatements.id is 'number of the row, in the order in which they were written';
