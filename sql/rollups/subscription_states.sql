-- The states of subscriptions, made anew for those that were created on the days in $3 date[] of the
-- retailers in $2 uuid[] of brand $1, as of $4. Whatever changes of a subscription marks the day of its
-- creation; every other day on which it then was something else than before is marked here, and so are the
-- days on which its customer may have become new or come back. What is already right is not touched.
with wanted as (
  select r.id as retailer_id, pair.day, b.time_zone,
         fact.day_start(pair.day, b.time_zone) as starts_at, fact.day_start(pair.day + 1, b.time_zone) as ends_at
  from (select distinct * from unnest($2::uuid[], $3::date[]) as p (retailer_id, day)) pair
  join app.brands b on b.id = $1
  join app.retailers r on r.brand_id = $1 and r.id = pair.retailer_id
), stored as (
  select a.*
  from wanted w
  cross join lateral (
    select s.* from agg.subscription_states s
    where s.brand_id = $1 and s.retailer_id = w.retailer_id and s.created_at >= w.starts_at and s.created_at < w.ends_at
    offset 0
  ) a
), fresh as materialized (
  select w.retailer_id, c.id as connection_id, s.id as subscription_id, f.plan, f.valid_from, f.valid_until,
         f.customer_id, f.currency, f.is_trialing, f.is_paused, f.is_metered, trim_scale(f.monthly) as monthly,
         f.is_reconstructed, s.created_at, w.time_zone
  from wanted w
  join app.connections c on c.brand_id = $1 and c.retailer_id = w.retailer_id
  cross join lateral (
    select o.id, o.created_at from raw.stripe_subscriptions o
    where o.brand_id = $1 and o.connection_id = c.id and o.created_at >= w.starts_at and o.created_at < w.ends_at
      and o.deleted_at is null
    offset 0
  ) s
  cross join lateral fact.states_of_subscription($1, c.id, s.id) f
), different as (
  -- Where only the end has moved, what lies between the two ends is different. In another zone of the brand
  -- a state begins and ends on other days: on those of both zones something is different.
  select retailer_id, connection_id, t.customer_id, t.currency, t.starts, t.ends, t.time_zone
  from stored s
  full join fresh f using (retailer_id, connection_id, subscription_id, plan, valid_from)
  cross join lateral (
    select (s.customer_id, s.currency, s.is_trialing, s.is_paused, s.is_metered, s.monthly, s.is_reconstructed,
            s.created_at, s.time_zone)
           is not distinct from
           (f.customer_id, f.currency, f.is_trialing, f.is_paused, f.is_metered, f.monthly, f.is_reconstructed,
            f.created_at, f.time_zone) as is_same
  ) c
  cross join lateral (
    select s.customer_id, s.currency, least(s.valid_until, f.valid_until) as starts,
           greatest(s.valid_until, f.valid_until) as ends, s.time_zone
    where c.is_same and s.valid_until <> f.valid_until
    union all
    select s.customer_id, s.currency, valid_from, s.valid_until, s.time_zone
    where not c.is_same and s.customer_id is not null
    union all
    select f.customer_id, f.currency, valid_from, f.valid_until, f.time_zone
    where not c.is_same and f.customer_id is not null
  ) t
), beginnings as (
  -- States of the same customers that begin later: whether these are new depends on what was before.
  select d.retailer_id, b.valid_from
  from (select retailer_id, connection_id, customer_id, currency, min(starts) as starts from different
        group by 1, 2, 3, 4) d
  cross join lateral (
    select a.valid_from from agg.subscription_states a
    where a.brand_id = $1 and a.retailer_id = d.retailer_id and a.connection_id = d.connection_id
      and a.customer_id = d.customer_id and a.currency = d.currency and a.valid_from > d.starts
    union
    select f.valid_from from fresh f
    where (f.retailer_id, f.connection_id, f.customer_id, f.currency)
        = (d.retailer_id, d.connection_id, d.customer_id, d.currency) and f.valid_from > d.starts
  ) b
), reached as (
  -- On the day of an end the state is what it was, but not what it was the day before.
  select t.retailer_id, range_agg(daterange(d.first_day, d.last_day, '[]')) as days
  from (select retailer_id, starts, ends, time_zone from different
        union all
        select n.retailer_id, n.valid_from, n.valid_from, b.time_zone from beginnings n join app.brands b on b.id = $1) t
  cross join lateral (
    select (t.starts at time zone t.time_zone)::date as first_day,
           least((t.ends at time zone t.time_zone)::date, ($4::timestamptz at time zone t.time_zone)::date) as last_day
  ) d
  where d.first_day <= d.last_day
  group by t.retailer_id
), marked as (
  insert into ops.dirty_days (brand_id, retailer_id, day, marked_at)
  select $1, r.retailer_id, d.day::date, $4::timestamptz
  from reached r
  cross join lateral unnest(r.days) as part (days)
  cross join lateral generate_series(lower(part.days), upper(part.days) - 1, interval '1 day') as d (day)
  where not exists (select from wanted w where (w.retailer_id, w.day) = (r.retailer_id, d.day::date))
), gone as (
  delete from agg.subscription_states a using stored s
  where a.brand_id = $1 and (a.retailer_id, a.connection_id, a.subscription_id, a.plan, a.valid_from)
      = (s.retailer_id, s.connection_id, s.subscription_id, s.plan, s.valid_from)
    and not exists (
      select from fresh f where (f.retailer_id, f.connection_id, f.subscription_id, f.plan, f.valid_from)
        = (s.retailer_id, s.connection_id, s.subscription_id, s.plan, s.valid_from))
  returning 1
), written as (
  insert into agg.subscription_states as a
    (brand_id, retailer_id, connection_id, subscription_id, plan, valid_from, valid_until, customer_id, currency,
     is_trialing, is_paused, is_metered, monthly, is_reconstructed, created_at, time_zone, computed_at)
  select $1, f.*, $4::timestamptz from fresh f
  where not exists (
    select from stored s
    where (s.retailer_id, s.connection_id, s.subscription_id, s.plan, s.valid_from)
        = (f.retailer_id, f.connection_id, f.subscription_id, f.plan, f.valid_from)
      and (s.valid_until, s.customer_id, s.currency, s.is_trialing, s.is_paused, s.is_metered, s.monthly,
           s.is_reconstructed, s.created_at, s.time_zone)
          is not distinct from
          (f.valid_until, f.customer_id, f.currency, f.is_trialing, f.is_paused, f.is_metered, f.monthly,
           f.is_reconstructed, f.created_at, f.time_zone))
  on conflict (brand_id, retailer_id, connection_id, subscription_id, plan, valid_from) do update
  set valid_until = excluded.valid_until, customer_id = excluded.customer_id, currency = excluded.currency,
      is_trialing = excluded.is_trialing, is_paused = excluded.is_paused, is_metered = excluded.is_metered,
      monthly = excluded.monthly, is_reconstructed = excluded.is_reconstructed, created_at = excluded.created_at,
      time_zone = excluded.time_zone, computed_at = excluded.computed_at
  returning 1
)
select (select count(*) from written) as written, (select count(*) from gone) as deleted;
