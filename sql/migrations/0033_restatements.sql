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
comment on column ops.final_days.final_from is 'the first day with data of any owner of the brand; its completeness is judged for all at once';
comment on column ops.final_days.final_to is 'all days up to this one were final together; it moves back only to a day that is not over after a change of the brand''s time zone';

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

/* Notes which days have become final, in the words of bi.completeness: whoever has moved a position of the brand, or computed
   figures of it, calls it last. A day is final for all owners that have data or for none, and from the first day with data of
   any of them on. An owner is told once nothing of those days waits; the first time, whatever else may be wrong is wrong of
   the last days too. Of two callers at the same time the second one sees what the first has done. */
create function ops.tell_final(p_brand uuid, p_now timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_zone text;
  v_from date;
  v_to date;
begin
  select b.time_zone into v_zone from app.brands b where b.id = p_brand and b.removing_at is null;
  select f.days_from, f.days_to into v_from, v_to from ops.days_to_tell(p_brand, v_zone) f;
  if v_from is null then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('final days ' || p_brand, 0));
  select b.time_zone into v_zone from app.brands b where b.id = p_brand;
  with owners as materialized (
    select o.figures, o.retailer_id, min(o.final_from) as final_from, max(o.final_to) as final_to
    from (
      select f.figures, f.retailer_id, true as is_fed, null::date as final_from, null::date as final_to from ops.owners_fed(p_brand) f
      union all
      select d.figures, d.retailer_id, false, d.final_from, d.final_to from ops.final_days d where d.brand_id = p_brand
    ) o
    group by o.figures, o.retailer_id
    having bool_or(o.is_fed)
  ), known as materialized (
    select o.figures, max(o.final_to) as final_to from owners o group by o.figures
  ), days as materialized (
    select c.source as figures, c.day, c.state, c.as_of from bi.completeness c
    where c.brand_id = p_brand and c.day between v_from and v_to
  ), judged as materialized (
    select k.figures, min(d.day) filter (where d.state <> 'final') - 1 as final_to
    from known k
    join days d on d.figures = k.figures and d.day >= coalesce(k.final_to, (d.as_of at time zone v_zone)::date - 31)
    group by k.figures
    having min(d.day) filter (where d.state <> 'final') > min(d.day)
  ), told as materialized (
    select j.figures, j.final_to,
           exists (
             select from ops.marks m
             where m.brand_id = p_brand and m.day <= j.final_to
               and m.subject = any (array(select unnest(r.changes_with) from ops.rollups r where r.figures = j.figures))) as waits,
           (select min(ops.first_day(s, p_brand, v_zone)) from ops.streams s where j.figures = any (s.feeds)) as begins_on
    from judged j
  )
  insert into ops.final_days as d (brand_id, retailer_id, figures, final_from, final_to, told_at)
  select p_brand, o.retailer_id, o.figures,
         case when t.waits then o.final_from else least(o.final_from, t.begins_on, t.final_to) end, t.final_to, p_now
  from told t
  join owners o on o.figures = t.figures
  where o.final_from is not null or not t.waits
  order by o.figures, o.retailer_id
  on conflict (brand_id, retailer_id, figures) do update
  set final_from = excluded.final_from, final_to = greatest(d.final_to, excluded.final_to), told_at = excluded.told_at
  where d.final_from > excluded.final_from or d.final_to < excluded.final_to;
end $$;
comment on function ops.tell_final is 'notes the days of figures of a brand that have become final';

create function ops.owners_fed(p_brand uuid) returns table (figures text, retailer_id uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select distinct f.figures, o.retailer_id
  from (
    select c.provider, o.retailer_id
    from app.connections c
    cross join lateral (select null::uuid union all select c.retailer_id) o (retailer_id)
    where c.brand_id = p_brand and c.removing_at is null
    group by c.provider, o.retailer_id
  ) o
  join (
    select s.provider, f.figures from ops.streams s cross join unnest(s.feeds) as f (figures) group by s.provider, f.figures
  ) f on f.provider = o.provider
$$;
comment on function ops.owners_fed is 'the owners that connections of a brand give data for which figures; null is the brand';

-- The days that may have become final, if any: of figures whose streams are all read past the end of a day that was not told,
-- or of which an owner was told nothing. As long as a stream was never read to its end, its figures cannot be final.
create function ops.days_to_tell(p_brand uuid, p_zone text, out days_from date, out days_to date)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select min(coalesce(k.final_to, (f.as_of at time zone p_zone)::date - 31)), max((f.as_of at time zone p_zone)::date) + 1
  from (
    select u.figures, min(p.complete_to) as as_of
    from app.connections c
    join ops.streams s on s.provider = c.provider
    cross join unnest(s.feeds) as u (figures)
    left join ops.positions p on p.brand_id = c.brand_id and p.connection_id = c.id and p.stream = s.stream
    where c.brand_id = p_brand and c.removing_at is null and not exists ( -- what the key is not to read, as a person has accepted
      select from ops.completeness q
      where q.brand_id = c.brand_id and q.connection_id = c.id and q.stream = s.stream and q.check_name = 'permission'
        and q.ok and q.accepted_cause = q.cause)
    group by u.figures
    having count(*) = count(p.complete_to)
  ) f
  left join (
    select d.figures, max(d.final_to) as final_to from ops.final_days d where d.brand_id = p_brand group by d.figures
  ) k on k.figures = f.figures
  where k.final_to is null or k.final_to < (f.as_of at time zone p_zone)::date - 1 or f.figures in (
    select o.figures from (
      select o.figures, o.retailer_id from ops.owners_fed(p_brand) o
      except
      select d.figures, d.retailer_id from ops.final_days d where d.brand_id = p_brand
    ) o)
$$;
comment on function ops.days_to_tell is 'days of a brand for which bi.completeness is to be asked; null if none can have become final';

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
