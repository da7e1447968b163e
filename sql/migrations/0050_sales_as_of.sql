-- Sales as they stood at the end of any day: what is stored, less what the log of restatements says has changed since. The log
-- has the changes of days from the instant on at which they were told as final, so these instants are kept too.

create table ops.days_told (
  brand_id uuid not null,
  retailer_id uuid not null,
  figures text not null,
  final_from date not null,
  final_to date not null,
  told_at timestamptz not null
);
create index days_told_by_owner on ops.days_told (brand_id, retailer_id, figures, told_at);
comment on table ops.days_told is 'since when days are final; a row an owner and day';
comment on column ops.days_told.told_at is 'when these days were final for the first time';

-- Days that are final no more are logged no more: what was told of them is void.
create function ops.note_told() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    delete from ops.days_told t
    where t.brand_id = old.brand_id and t.retailer_id = old.retailer_id and t.figures = old.figures;
    return null;
  end if;
  if tg_op = 'UPDATE' and new.final_to < old.final_to then
    update ops.days_told t set final_to = new.final_to
    where t.brand_id = new.brand_id and t.retailer_id = new.retailer_id and t.figures = new.figures and t.final_to > new.final_to;
  end if;
  delete from ops.days_told t -- the last one before the log begins says it of all before
  where t.brand_id = new.brand_id and t.retailer_id = new.retailer_id and t.figures = new.figures and t.told_at < (
    select max(o.told_at) from ops.days_told o
    where o.brand_id = new.brand_id and o.retailer_id = new.retailer_id and o.figures = new.figures
      and o.told_at < now() - make_interval(days => (
        select r.kept from ops.retention r where r.brand_id = new.brand_id and r.rule = 'restatements')));
  insert into ops.days_told (brand_id, retailer_id, figures, final_from, final_to, told_at)
  values (new.brand_id, new.retailer_id, new.figures, new.final_from, new.final_to, clock_timestamp());
  return null;
end $$;
comment on function ops.note_told is 'keeps when days were told as final';

-- Of sales only: nothing else asks for it.
create trigger note_told after insert or update on ops.final_days for each row
  when (new.figures = 'sales' and new.retailer_id is not null) execute function ops.note_told();
create trigger forget_told after delete on ops.final_days for each row
  when (old.figures = 'sales' and old.retailer_id is not null) execute function ops.note_told();

insert into ops.days_told (brand_id, retailer_id, figures, final_from, final_to, told_at)
select d.brand_id, d.retailer_id, d.figures, d.final_from, d.final_to, now()
from ops.final_days d
where d.figures = 'sales' and d.retailer_id is not null;

-- The log is kept as long as its brand says, so what it lacks is noted by whoever deletes of it: one row a retailer.

create table ops.log_whole_from (
  brand_id uuid not null,
  retailer_id uuid not null,
  whole_from timestamptz not null,
  primary key (brand_id, retailer_id)
);
comment on table ops.log_whole_from is 'retailers whose log of sales lacks changes of days that were told final; of others it has all';
comment on column ops.log_whole_from.whole_from is 'changes up to here are not all in the log: they were deleted, or figures were replaced as by a restore';

-- Of whom nothing is told, such as of one that is being removed, nothing is noted.
create function ops.note_deleted_log() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into ops.log_whole_from as w (brand_id, retailer_id, whole_from)
  select g.brand_id, g.retailer_id, max(g.restated_at) from gone g
  where g.rollup = 'daily_sales' and exists (
    select from ops.days_told t where t.brand_id = g.brand_id and t.retailer_id = g.retailer_id and t.figures = 'sales')
  group by 1, 2 order by 1, 2
  on conflict (brand_id, retailer_id) do update set whole_from = excluded.whole_from where w.whole_from < excluded.whole_from;
  return null;
end $$;
comment on function ops.note_deleted_log is 'notes up to when the log of sales lacks changes';
create trigger note_deleted_log after delete on ops.restatements referencing old table as gone
  for each statement execute function ops.note_deleted_log();

create function bi.daily_sales_as_of(brand uuid, as_of date)
returns table (retailer_id uuid, retailer text, day date, currency text, state text, cause text, orders bigint, units bigint,
               units_returned bigint, gross_sales numeric, discounts numeric, returns numeric, net_sales numeric, shipping numeric,
               taxes numeric, duties numeric, fees numeric, tips numeric, gift_cards_sold numeric, refunded_money numeric,
               total_sales numeric, new_customers bigint, returning_customers bigint, guest_orders bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with moment as materialized (
    select b.id, fact.day_start($2 + 1, b.time_zone) as ends_at from app.brands b where b.id = $1
  ), later as materialized ( -- of each cell the first change behind the end of the day says what it was
    select distinct on (r.retailer_id, r.day, r.key ->> 'currency', r.column_name)
           r.retailer_id, r.day, r.key ->> 'currency' as currency, r.column_name, r.old_value
    from moment m
    join ops.restatements r on r.brand_id = $1 and r.restated_at >= m.ends_at
    where r.rollup = 'daily_sales' and r.key is not null and r.column_name <> 'fx_rate' and r.day <= $2
    order by r.retailer_id, r.day, r.key ->> 'currency', r.column_name, r.id
  ), summed as materialized ( -- changes whose cells are not known
    select distinct r.retailer_id, r.currency, r.day as from_day, r.last_day as to_day
    from moment m
    join ops.restatements r on r.brand_id = $1 and r.restated_at >= m.ends_at
    where r.rollup = 'daily_sales' and r.key is null and r.column_name <> 'fx_rate'
  ), told as materialized (
    select t.retailer_id, min(t.final_from) as final_from, max(t.final_to) as final_to,
           coalesce(max(w.whole_from) >= m.ends_at, false) as is_deleted
    from moment m
    join ops.days_told t on t.brand_id = $1 and t.figures = 'sales' and t.told_at < m.ends_at
    left join ops.log_whole_from w on w.brand_id = $1 and w.retailer_id = t.retailer_id
    group by t.retailer_id, m.ends_at
  ), changed as materialized (
    select l.retailer_id, l.day, l.currency, jsonb_object_agg(l.column_name, l.old_value) as old_values
    from later l group by l.retailer_id, l.day, l.currency
  ), judged as (
    select s.retailer_id, r.slug as retailer, s.day, s.currency, s.is_changed, j.cause,
           case when j.cause is null then 'final' when j.is_unknown then 'unknown' else 'not_final' end as state, s.row_then
    from moment m
    cross join lateral (
      select coalesce(a.retailer_id, c.retailer_id) as retailer_id, coalesce(a.day, c.day) as day,
             coalesce(a.currency, c.currency) as currency, c.old_values is not null as is_changed,
             coalesce(to_jsonb(a), '{}') || coalesce(c.old_values, '{}') as row_then
      from (select d.* from agg.daily_sales d where d.brand_id = $1 and d.day <= $2) a
      full join changed c on c.retailer_id = a.retailer_id and c.day = a.day and c.currency = a.currency
    ) s
    join app.retailers r on r.brand_id = $1 and r.id = s.retailer_id
    left join told t on t.retailer_id = s.retailer_id and s.day between t.final_from and t.final_to
    cross join lateral (
      select exists (select from summed u where u.retailer_id = s.retailer_id and u.currency = s.currency
                       and s.day between u.from_day and u.to_day) as is_summed
    ) k
    cross join lateral (
      select t.retailer_id is not null and (t.is_deleted or k.is_summed) as is_unknown,
             case when t.retailer_id is null then 'the day was not final at that time, or it is not known that it was'
                  when t.is_deleted then 'changes since are not all known: they are kept no more, or figures were replaced'
                  when k.is_summed then 'very many figures have changed at once, and only their sum is known' end as cause
    ) j
  )
  select j.retailer_id, j.retailer, j.day, j.currency, j.state, j.cause, v.orders, v.units, v.units_returned, v.gross_sales,
         v.discounts, v.returns, n.net_sales, v.shipping, v.taxes, v.duties, v.fees, v.tips, v.gift_cards_sold, v.refunded_money,
         n.net_sales + v.shipping + v.taxes + v.duties + v.fees, v.new_customers, v.returning_customers, v.guest_orders
  from judged j
  left join lateral (
    select coalesce(x.orders, 0) as orders, coalesce(x.units, 0) as units, coalesce(x.units_returned, 0) as units_returned,
           coalesce(x.gross_sales, 0) as gross_sales, coalesce(x.discounts, 0) as discounts, coalesce(x.returns, 0) as returns,
           coalesce(x.shipping, 0) as shipping, coalesce(x.taxes, 0) as taxes, coalesce(x.duties, 0) as duties,
           coalesce(x.fees, 0) as fees, coalesce(x.tips, 0) as tips, coalesce(x.gift_cards_sold, 0) as gift_cards_sold,
           coalesce(x.refunded_money, 0) as refunded_money, coalesce(x.new_customers, 0) as new_customers,
           coalesce(x.returning_customers, 0) as returning_customers, coalesce(x.guest_orders, 0) as guest_orders
    from jsonb_to_record(j.row_then) as x (
      orders bigint, units bigint, units_returned bigint, gross_sales numeric, discounts numeric, returns numeric,
      shipping numeric, taxes numeric, duties numeric, fees numeric, tips numeric, gift_cards_sold numeric, refunded_money numeric,
      new_customers bigint, returning_customers bigint, guest_orders bigint)
  ) v on j.state = 'final'
  cross join lateral (select v.gross_sales - v.discounts - v.returns as net_sales) n
  where not (j.is_changed and j.state = 'final' and (v.orders, v.units, v.units_returned, v.gross_sales, v.discounts, v.returns,
    v.shipping, v.taxes, v.duties, v.fees, v.tips, v.gift_cards_sold, v.refunded_money, v.new_customers, v.returning_customers,
    v.guest_orders) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)) -- no row is as good as one of zeros
  order by j.retailer, j.day, j.currency
$$;
comment on function bi.daily_sales_as_of is
  'bi.daily_sales of a brand as it stood at the end of a day in the brand''s time zone, as far as it is known: state is final for days that were final then; not_final for others, and unknown where changes since are not known cell by cell, both without figures and with the cause';
