-- Snapshots hold persons that are erased later: until they expire, which a rule of their brand says at the latest, it is known
-- whom to erase from what is restored of them.

create table ops.erased_persons (
  brand_id uuid not null,
  request bigint not null,
  known_to uuid,
  person bytea not null,
  person_key_id text not null,
  erased_at timestamptz not null default now(),
  primary key (brand_id, request),
  foreign key (brand_id, request) references ops.privacy_requests (brand_id, id) on delete cascade
);
comment on table ops.erased_persons is 'what erased persons were known by, as long as a snapshot from before their erasure is kept; in no snapshot';
comment on column ops.erased_persons.known_to is 'the connection whose ids it names, there or removed; null for a person known by an address alone';
comment on column ops.erased_persons.person is 'what names the person, sealed, with the objects that named it in a text';

insert into ops.retention_rules (rule, position, unit, usual, least, most, keeps) values
  ('snapshots_erased', 7, 'days', 90, 1, 365,
   'at most, whatever else keeps it: a snapshot that holds a person who was erased, counted from the erasure');

-- As before, but no longer than the rule of erased persons lets it.
create or replace view ops.snapshot_keeps as
with erased as (
  select p.brand_id, p.done_at, p.done_at + make_interval(days => r.kept) as until
  from ops.privacy_requests p
  join ops.retention r on r.brand_id = p.brand_id and r.rule = 'snapshots_erased'
  where p.done_at is not null and p.kind <> 'export' and p.proof is not null
), rules as (
  select brand_id, time_zone, max(kept) filter (where rule = 'snapshots_within') as within,
         max(kept) filter (where rule = 'snapshots_daily') as daily,
         max(kept) filter (where rule = 'snapshots_weekly') as weekly,
         max(kept) filter (where rule = 'snapshots_monthly') as monthly,
         max(kept) filter (where rule = 'snapshots_yearly') as yearly
  from ops.retention group by brand_id, time_zone
), dated as (
  select s.brand_id, s.id, s.scope, s.created_at, s.state = 'complete' as whole, s.verified_level, s.pinned_at, s.needed_until,
         s.needed_for, r.time_zone, r.within, r.daily, r.weekly, r.monthly, r.yearly, d.day,
         d.day - (extract(isodow from d.day)::int - 1) as week, date_trunc('month', d.day::timestamp)::date as month,
         date_trunc('year', d.day::timestamp)::date as year
  from ops.snapshots s
  left join rules r on r.brand_id = s.brand_id
  cross join lateral (select (s.created_at at time zone coalesce(r.time_zone, 'UTC'))::date as day) d
  where s.state <> 'creating'
), ranked as (
  select d.*, row_number() over (partition by brand_id, scope order by whole desc, created_at desc, id desc) as of_all,
         row_number() over (partition by brand_id, scope, day order by whole desc, created_at desc, id desc) as of_day,
         row_number() over (partition by brand_id, scope, week order by whole desc, created_at desc, id desc) as of_week,
         row_number() over (partition by brand_id, scope, month order by whole desc, created_at desc, id desc) as of_month,
         row_number() over (partition by brand_id, scope, year order by whole desc, created_at desc, id desc) as of_year,
         max(verified_level) over (partition by brand_id, scope order by created_at desc, id desc
                                   rows between unbounded preceding and 1 preceding) as younger_level
  from dated d
)
select r.brand_id, r.id as snapshot_id, k.position, k.rule, least(k.until, e.until) as until
from ranked r
cross join lateral (values
  (1, 'pinned', case when r.pinned_at is not null then 'infinity' end::timestamptz),
  (2, 'newest of its scope', case when r.of_all = 1 then 'infinity' end::timestamptz),
  (3, 'newest verified at level ' || r.verified_level,
   case when r.verified_level >= 1 and r.verified_level > coalesce(r.younger_level, 0) then 'infinity' end::timestamptz),
  (4, 'its brand is not in this database', case when r.time_zone is null then 'infinity' end::timestamptz),
  (5, r.needed_for, r.needed_until),
  (6, 'within ' || r.within || ' days', fact.day_start(r.day + r.within, r.time_zone)),
  (7, 'daily', case when r.of_day = 1 then fact.day_start(r.day + r.daily, r.time_zone) end),
  (8, 'weekly', case when r.of_week = 1 then fact.day_start(r.week + 7 * r.weekly, r.time_zone) end),
  (9, 'monthly', case when r.of_month = 1 then
     fact.day_start((r.month + make_interval(months => r.monthly))::date, r.time_zone) end),
  (10, 'yearly', case when r.of_year = 1 then
     fact.day_start((r.year + make_interval(years => r.yearly))::date, r.time_zone) end)
) as k (position, rule, until)
left join lateral (
  select min(e.until) as until from erased e where e.brand_id = r.brand_id and e.done_at >= r.created_at
) e on true
where least(k.until, e.until) > r.created_at;

comment on column bi.snapshots.expires_at is 'from when on it is deleted, as things are now: a newer one of the same day, week, month or year may take its place earlier, and so may an erasure, whose person it holds; null if it is kept without an end (pinned, the newest of its scope, or the newest that was verified so far)';
