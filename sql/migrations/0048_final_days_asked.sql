-- What is told final is asked of bi.completeness for the figures only that can have become so: while a first load leaves
-- marks behind, none can, and each stream that ended asked for all days of all figures.

create or replace function ops.tell_final(p_brand uuid, p_now timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_zone text;
  v_from date;
  v_to date;
  v_figures text[];
begin
  select b.time_zone into v_zone from app.brands b where b.id = p_brand and b.removing_at is null;
  select f.days_from, f.days_to, f.figures into v_from, v_to, v_figures from ops.days_to_tell(p_brand, v_zone) f;
  if v_figures is null then return; end if;
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
    where c.brand_id = p_brand and c.day between v_from and v_to and c.source = any (v_figures)
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

drop function ops.days_to_tell(uuid, text);
-- The days that may have become final, if any, and of which figures: of those whose streams are all read past the end of a day
-- that was not told, or of which an owner was told nothing. As long as a stream was never read to its end, its figures cannot
-- be final, nor while the first of these days waits to be computed, or any object.
create function ops.days_to_tell(p_brand uuid, p_zone text, out days_from date, out days_to date, out figures text[])
language sql stable set search_path = pg_catalog, pg_temp as $$
  with read as materialized (
    select f.figures, k.final_to, (f.as_of at time zone p_zone)::date as read_to,
           coalesce(k.final_to, (f.as_of at time zone p_zone)::date - 31) as days_from
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
  ), untold as materialized (
    select o.figures, o.retailer_id from ops.owners_fed(p_brand) o
    except
    select d.figures, d.retailer_id from ops.final_days d where d.brand_id = p_brand
  ), asked as materialized (
    select r.* from read r
    where r.final_to is null or r.final_to < r.read_to - 1 or r.figures in (select u.figures from untold u)
  ), waiting as materialized (
    select m.subject, m.day from ops.marks m
    where m.brand_id = p_brand and exists (select from asked)
    group by m.subject, m.day
  )
  select min(a.days_from), max(a.read_to) + 1, array_agg(a.figures order by a.figures)
  from asked a
  where not exists (
    select from ops.rollups r
    join waiting w on w.subject = any (r.changes_with)
    where r.figures = a.figures
      and (w.day is null or w.day = a.days_from or w.day < a.days_from and a.final_to is null))
$$;
comment on function ops.days_to_tell is 'days and figures of a brand for which bi.completeness is to be asked; null if none can have become final';
