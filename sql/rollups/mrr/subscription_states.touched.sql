-- Days on which a subscription now was something else than before, and those on which its customer may have
-- become new or come back. `stored` and `fresh` are its states.
with different as (
  -- Where only the end has moved, what lies between the two ends is different. In another zone of the brand
  -- a state begins and ends on other days: on those of both zones something is different.
  select retailer_id, connection_id, t.customer_id, t.currency, t.starts, t.ends, t.time_zone, k.why
  from stored s
  full join fresh f using (retailer_id, connection_id, subscription_id, plan, valid_from)
  join changes k using (retailer_id, connection_id, subscription_id, plan, valid_from)
  cross join lateral (
    select (s.customer_id, s.currency, s.is_trialing, s.is_paused, s.is_metered, s.monthly, s.cause, s.is_reconstructed,
            s.time_zone)
           is not distinct from
           (f.customer_id, f.currency, f.is_trialing, f.is_paused, f.is_metered, f.monthly, f.cause, f.is_reconstructed,
            f.time_zone) as is_same
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
  select d.retailer_id, b.valid_from, d.why
  from (select retailer_id, connection_id, customer_id, currency, min(starts) as starts, why from different
        group by 1, 2, 3, 4, 6) d
  cross join lateral (
    select a.valid_from from agg.subscription_states a
    where a.brand_id = $1 and a.retailer_id = d.retailer_id and a.connection_id = d.connection_id
      and a.customer_id >= d.customer_id and a.customer_id <= d.customer_id
      and a.currency = d.currency and a.valid_from > d.starts
    order by a.customer_id
  ) b
  union
  select retailer_id, valid_from, null
  from (
    select retailer_id, valid_from, valid_from > min(starts) over (
             partition by retailer_id, connection_id, customer_id, currency) as is_later
    from (select retailer_id, connection_id, customer_id, currency, starts, null as valid_from from different
          union all
          select retailer_id, connection_id, customer_id, currency, null, valid_from from fresh) t
  ) f
  where is_later
), reached as (
  -- On the day of an end the state is what it was, but not what it was the day before.
  select t.retailer_id, t.why, range_agg(daterange(d.first_day, d.last_day, '[]')) as days
  from (select retailer_id, starts, ends, time_zone, why from different
        union all
        select n.retailer_id, n.valid_from, n.valid_from, b.time_zone, n.why from beginnings n join app.brands b on b.id = $1) t
  cross join lateral (
    select (t.starts at time zone t.time_zone)::date as first_day,
           least((t.ends at time zone t.time_zone)::date, ($4::timestamptz at time zone t.time_zone)::date) as last_day
  ) d
  where d.first_day <= d.last_day
  group by t.retailer_id, t.why
)
select distinct d.day::date as day, r.why
from reached r
cross join lateral unnest(r.days) as part (days)
cross join lateral generate_series(lower(part.days), upper(part.days) - 1, interval '1 day') as d (day)
