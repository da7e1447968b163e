-- For how long what is kept: a rule has a usual value and bounds, a brand may have one of its own. And of snapshots: which
-- rule keeps which of them, until when, and which files of a store nothing names any more.

create table ops.retention_rules (
  rule text primary key check (rule ~ '^[a-z_]{1,40}$'),
  position integer not null unique,
  unit text not null check (unit in ('days', 'weeks', 'months', 'years')),
  usual integer not null,
  least integer not null check (least >= 0),
  most integer not null,
  keeps text not null,
  check (usual between least and most)
);
comment on table ops.retention_rules is 'what is kept for how long: the usual value of each rule and what a brand may set instead';
comment on column ops.retention_rules.keeps is 'what the rule keeps, in words for people';

insert into ops.retention_rules (rule, position, unit, usual, least, most, keeps) values
  ('snapshots_within', 1, 'days', 7, 1, 3650, 'every snapshot of so many days, today included'),
  ('snapshots_daily', 2, 'days', 90, 0, 3650, 'the newest snapshot of each day'),
  ('snapshots_weekly', 3, 'weeks', 0, 0, 520, 'the newest snapshot of each week, which begins on Monday'),
  ('snapshots_monthly', 4, 'months', 0, 0, 240, 'the newest snapshot of each month'),
  ('snapshots_yearly', 5, 'years', 0, 0, 50, 'the newest snapshot of each year'),
  ('snapshots_undo', 6, 'days', 30, 1, 365, 'the snapshot that undoes a restore, counted from the restore'),
  ('snapshots_erased', 7, 'days', 90, 1, 365,
   'at most, whatever else keeps it: a snapshot that holds a person who was erased, counted from the erasure');

create table app.retention (
  brand_id uuid not null references app.brands (id),
  rule text not null,
  kept integer not null check (kept >= 0),
  primary key (brand_id, rule)
);
comment on table app.retention is 'rules of ops.retention_rules that a brand has set for itself';

create view ops.retention as
select b.id as brand_id, b.time_zone, r.rule, r.position, r.unit, coalesce(o.kept, r.usual) as kept, r.usual, r.least, r.most,
       r.keeps, o.kept is not null as is_own
from app.brands b
cross join ops.retention_rules r
left join app.retention o on o.brand_id = b.id and o.rule = r.rule;
comment on view ops.retention is 'the rules that hold for each brand';

alter table ops.snapshots
  add column pinned_at timestamptz,
  add column pinned_by text,
  add column pinned_reason text,
  add column needed_until timestamptz,
  add column needed_for text,
  add check ((pinned_at is null) = (pinned_by is null)),
  add check ((needed_until is null) = (needed_for is null));
comment on column ops.snapshots.pinned_at is 'since when a person keeps it whatever the rules say';
comment on column ops.snapshots.needed_until is 'until when it stays because something else rests on it';
comment on column ops.snapshots.needed_for is 'what that is';

-- A part of a snapshot that goes is named by no snapshot any more; its file goes once it was so for a while.
create table ops.snapshot_garbage (
  brand_id uuid not null,
  file text not null check (length(file) <= 200),
  marked_at timestamptz not null default now(),
  primary key (brand_id, file)
);
comment on table ops.snapshot_garbage is 'files of a store that no snapshot needs; whoever uses such a file again deletes its row in the same transaction';
comment on column ops.snapshot_garbage.file is 'its name without the brand';
comment on column ops.snapshot_garbage.marked_at is 'since when no snapshot needs it';

-- Of each period the newest whole one counts; a damaged one only where none is whole. None is kept longer than the rule of erased
-- persons lets it. All days are those of the brand.
create view ops.snapshot_keeps as
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
comment on view ops.snapshot_keeps is 'what keeps a snapshot, and until when; one that no row keeps any longer expires';

create or replace view bi.snapshots as
select s.brand_id, coalesce(b.slug, s.brand_slug) as brand, s.id as snapshot, s.scope, s.state, s.created_at, s.completed_at,
       s.rows, s.bytes, s.stored_bytes, s.new_bytes, s.parts, s.new_parts, s.verified_level, s.verified_at,
       nullif(coalesce(k.until, s.created_at), 'infinity') as expires_at, s.pinned_at
from ops.snapshots s
left join app.brands b on b.id = s.brand_id
left join (select brand_id, snapshot_id, max(until) as until from ops.snapshot_keeps group by 1, 2) k
  on k.brand_id = s.brand_id and k.snapshot_id = s.id
where s.state <> 'creating';
comment on column bi.snapshots.expires_at is 'from when on it is deleted, as things are now: a newer one of the same day, week, month or year may take its place earlier, and so may an erasure, whose person it holds; null if it is kept without an end (pinned, the newest of its scope, or the newest that was verified so far)';
comment on column bi.snapshots.pinned_at is 'since when a person keeps it; null if nobody does';
alter table ops.snapshots drop column expires_at;
