-- Days become final once their figures are told; marks can be told apart; completeness asks for nothing of other brands.

alter table ops.marks add column id bigint generated always as identity primary key;
comment on column ops.marks.id is 'tells one mark from an equal one';

-- The rows of customers follow the orders of days, which mark them only once they are computed.
update ops.rollups set changes_with = '{customers,sales}' where rollup = 'customer_months';

-- Of all connections of a brand at once: a call costs more than a look at an index.
create function ops.first_day(p_stream ops.streams, p_brand uuid, p_zone text) returns date
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_sort = off as $$
declare
  v_first text;
begin
  if p_stream.rows_in is null then return null; end if;
  -- Both kinds of column as text: a date stays as it is, an instant has its offset and falls on a day of the zone.
  execute format(
    'select to_jsonb(min(o.first)) #>> ''{}''
     from app.connections c
     cross join lateral (
       select %1$I as first from %2$s where brand_id = $1 and connection_id = c.id and %1$I is not null order by %1$I limit 1
     ) o
     where c.brand_id = $1 and c.provider = $2 and c.removing_at is null',
    p_stream.dated_by, p_stream.rows_in::regclass)
  into v_first using p_brand, p_stream.provider;
  return case when length(v_first) = 10 then v_first::date else (v_first::timestamptz at time zone p_zone)::date end;
end $$;
comment on function ops.first_day(ops.streams, uuid, text) is 'the first day, in a zone, of the rows of a stream that the connections of a brand have stored';

-- From the brand on, so that a question for one brand reads nothing of others. Very many objects may be marked at once: marks
-- are summed up once for each source, and not looked at for each day.
create or replace view bi.completeness as
select b.id as brand_id, b.slug as brand, d.day, s.source,
       case when j.cause is null then 'final'
            when d.ends_at <= now() and g.going is null and s.fault is null and (s.carried_to < d.ends_at) is not true
              and s.as_of < d.ends_at and s.as_of + s.settles_after >= d.ends_at and not w.waits then 'settling'
            when now() > d.ends_at + interval '12 hours' and (j.cause <> w.waiting or w.waits_long) then 'late'
            else 'provisional' end as state,
       j.cause, s.as_of
from app.brands b
cross join lateral (
  with feeds as materialized (
    select s.feeds, s.stream, s.settles_after, c.retailer_id, c.name as connection, p.complete_to,
           case
             when p.complete_to is null then format('%s of %s was never read to its end', s.stream, c.name)
             when k.check_name is not null then
               format('%s of %s fails its check %s: %s', s.stream, c.name, k.check_name, coalesce(k.cause, 'it differs'))
             when s.held_against is not null and not exists (
                 select from ops.completeness k
                 where k.brand_id = b.id and k.connection_id = c.id and k.stream = s.stream
                   and split_part(k.check_name, ' ', 1) = s.held_against) then
               format('%s of %s is not held against the %s: the key may not read it', s.stream, c.name, s.held_against)
             when r.row_key is not null then
               format('%s of %s has records that could not be understood', s.stream, c.name)
             when p.state = 'partial' then format('%s of %s is not whole: %s', s.stream, c.name, coalesce(p.cause, 'no cause'))
           end as fault
    from app.connections c
    join ops.streams s on s.provider = c.provider and s.feeds <> '{}'
    left join lateral ( -- with a limit each of these is looked up by all of its key, whatever statistics say
      select p.complete_to, p.state, p.cause from ops.positions p
      where p.brand_id = b.id and p.connection_id = c.id and p.stream = s.stream limit 1
    ) p on true
    left join lateral (
      select k.check_name, k.cause from ops.completeness k
      where k.brand_id = b.id and k.connection_id = c.id and k.stream = s.stream and not k.ok
      order by k.result_since, k.check_name limit 1
    ) k on true
    left join lateral (
      select r.row_key from ops.rejected_rows r
      where r.brand_id = b.id and r.connection_id = c.id and r.stream = s.stream limit 1
    ) r on true
    left join lateral (
      select true as is_left_out from ops.completeness k
      where k.brand_id = b.id and k.connection_id = c.id and k.stream = s.stream and k.check_name = 'permission'
        and k.ok and k.accepted_cause = k.cause limit 1
    ) l on true
    -- What the key is not to read, as a person has accepted: figures are complete without it.
    where c.brand_id = b.id and c.removing_at is null and l.is_left_out is null
  ), carried as materialized (
    -- What a subscription is worth holds for a day only once its state was carried on to the day's end.
    select 'mrr' as source, min(d.carried_to) as carried_to
    from ops.days_carried d
    where d.brand_id = b.id and d.retailer_id in (select f.retailer_id from feeds f where 'mrr' = any (f.feeds))
      and exists (
        select from agg.subscription_states s
        where s.brand_id = b.id and s.retailer_id = d.retailer_id and s.valid_until > d.carried_to)
  ), begun as materialized (
    select s.feeds, ops.first_day(s, b.id, b.time_zone) as begins_on
    from ops.streams s
    where s.rows_in is not null and s.stream in (select f.stream from feeds f)
  )
  select f.source, c.carried_to,
         case when count(*) = count(n.complete_to) then least(min(n.complete_to), c.carried_to) end as as_of,
         max(n.settles_after) as settles_after, min(n.fault) as fault,
         (array_agg(format('%s of %s', n.stream, n.connection) order by n.complete_to nulls first))[1] as behind,
         (select min(g.begins_on) from begun g where f.source = any (g.feeds)) as begins_on,
         exists (select from ops.rollups r where r.figures = f.source and r.keeps_rates) as keeps_rates
  from feeds n
  cross join unnest(n.feeds) as f (source)
  left join carried c on c.source = f.source
  group by f.source, c.carried_to
) s
cross join lateral (
  select min(r.slug) as going from app.retailers r where r.brand_id = b.id and r.removing_at is not null
) g
cross join lateral (
  -- Which days an object moves is known once it is made anew. What waits for hours is late, and not what has just come.
  select range_agg(m.days) as days, bool_or(m.days is null) as objects,
         range_agg(m.days) filter (where m.is_old) as old_days, bool_or(m.days is null and m.is_old) as old_objects
  from (
    select case when m.day is not null then daterange(m.day, m.day, '[]') end as days, m.marked_at < now() - interval '12 hours' as is_old
    from ops.marks m
    where m.brand_id = b.id
      and m.subject = any (array(select unnest(r.changes_with) from ops.rollups r where r.figures = s.source))
    union all
    select daterange(x.from_day, x.to_day, '[]'), x.noted_at < now() - interval '12 hours'
    from ops.fx_noticed n join ops.fx_changes x on x.id > n.change_id
    where s.keeps_rates and n.brand_id = b.id
  ) m
) k
cross join lateral (select (now() at time zone b.time_zone)::date as today) t
cross join lateral (
  select day::date as day, fact.day_start(day::date + 1, b.time_zone) as ends_at
  from generate_series(
    least(coalesce(s.begins_on, t.today), t.today - 1)::timestamp, -- what has no rows may lack them for a reason
    t.today::timestamp, interval '1 day') as day
) d
cross join lateral (
  select coalesce(k.days @> d.day or k.objects, false) as waits, coalesce(k.old_days @> d.day or k.old_objects, false) as waits_long,
         'figures of the day wait to be computed again' as waiting
) w
cross join lateral (
  select case
           when d.ends_at > now() then 'the day is not over'
           when g.going is not null then format('retailer %s is being removed', g.going)
           when s.fault is not null then s.fault
           when s.carried_to < d.ends_at then 'what subscriptions are worth was not carried on to the day yet'
           when s.as_of < d.ends_at then format('%s is read up to %s only', s.behind,
             to_char(s.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
           when w.waits then w.waiting
         end as cause
) j;
drop function ops.first_day(ops.streams, uuid, uuid, text);
comment on column bi.completeness.state is 'final; settling: nothing is wrong, but its nature is to move for some days; provisional: not proven yet, and not late; late: not proven although the day has been over for 12 hours, and what waits to be computed has waited as long. Of a fault nobody knows which day it is in, nor of a customer or subscription that waits: then none is final';
