-- What fires by the clock. A *schedule* is an expression in a zone; a *slot* is one of its instants. The ledger
-- (ops.schedule_slots) has one row for each slot that has passed, whatever became of it. Slot, job and the advance
-- of the schedule commit together, by the time of the database.

create table ops.schedules (
  id bigint generated always as identity primary key,
  brand_id uuid references app.brands (id),
  connection_id uuid,
  name text not null check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  task text not null,
  payload jsonb not null default '{}',
  expression text not null check (length(expression) <= 200),
  time_zone text,
  catch_up text not null default 'latest' check (catch_up in ('latest', 'all', 'skip')),
  catch_up_max integer not null default 1 check (catch_up_max between 1 and 100),
  overlap text not null default 'skip' check (overlap in ('skip', 'queue', 'cancel')),
  excluded_days date[] not null default '{}',
  pause_after_failures integer check (pause_after_failures between 1 and 100),
  version integer not null default 1,
  decided_to timestamptz not null,
  next_slot timestamptz,
  paused_at timestamptz,
  paused_until timestamptz,
  paused_by text,
  paused_reason text,
  resumed_at timestamptz,
  created_at timestamptz not null default now(),
  unique (brand_id, id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id),
  constraint connection_of_a_brand check (connection_id is null or brand_id is not null),
  constraint missed_ones_wait_for_each_other check (catch_up <> 'all' or overlap = 'queue'),
  constraint only_what_is_paused_says_why check (
    (paused_at is null) = (paused_by is null) and (paused_at is not null or coalesce(paused_until::text, paused_reason) is null))
);
create unique index schedule_by_name on ops.schedules (brand_id, connection_id, name) nulls not distinct;
create index schedules_due on ops.schedules (next_slot);
comment on table ops.schedules is 'what fires by the clock: a task, when, and what becomes of slots that were missed or overlap';
comment on column ops.schedules.brand_id is 'whose; null for the platform itself';
comment on column ops.schedules.connection_id is 'of schedules of one connection';
comment on column ops.schedules.expression is 'minute, hour, day of month, month, day of week; both days must fit';
comment on column ops.schedules.time_zone is 'IANA zone; null: the zone of the brand, or UTC';
comment on column ops.schedules.catch_up is 'which of several missed slots fire: the latest, all up to catch_up_max, or none';
comment on column ops.schedules.overlap is 'when the job of the slot before still waits or runs: skip the slot, queue it too, or cancel the older job';
comment on column ops.schedules.excluded_days is 'days, in the zone of the schedule, on which nothing fires';
comment on column ops.schedules.pause_after_failures is 'failed slots in a row that pause the schedule; null: never';
comment on column ops.schedules.resumed_at is 'failures of slots before this count no more';
comment on column ops.schedules.decided_to is 'each slot up to here is in the ledger';
comment on column ops.schedules.next_slot is 'the first slot after decided_to; null: there is none';

create table ops.schedule_versions (
  brand_id uuid,
  schedule_id bigint not null,
  version integer not null,
  expression text not null,
  time_zone text not null,
  begins_at timestamptz not null,
  ends_at timestamptz,
  changed_by text not null,
  primary key (schedule_id, version),
  foreign key (brand_id, schedule_id) references ops.schedules (brand_id, id) on delete cascade
);
create index schedule_versions_of_brand on ops.schedule_versions (brand_id, schedule_id);
comment on table ops.schedule_versions is 'expressions and zones that a schedule has had: the slots of each are those after its begin, up to its end';

create table ops.schedule_slots (
  brand_id uuid,
  schedule_id bigint not null,
  slot timestamptz not null,
  version integer not null,
  local_day date not null,
  outcome text not null check (outcome in ('queued', 'failed', 'missed', 'overlap', 'excluded', 'paused')),
  detail text,
  job_id bigint,
  decided_at timestamptz not null,
  decided_by text not null,
  primary key (schedule_id, slot),
  foreign key (brand_id, schedule_id) references ops.schedules (brand_id, id) on delete cascade
);
create index schedule_slots_of_brand on ops.schedule_slots (brand_id, schedule_id);
create index schedule_slots_of_job on ops.schedule_slots (job_id) where job_id is not null;
create index schedule_slots_fired on ops.schedule_slots (schedule_id, slot) where outcome in ('queued', 'failed');
create index schedule_slots_by_age on ops.schedule_slots (decided_at);
comment on table ops.schedule_slots is 'the ledger of slots: each that has passed, once, with what became of it';
comment on column ops.schedule_slots.local_day is 'the day of the slot in the zone that the schedule had';
comment on column ops.schedule_slots.outcome is
  'queued: a job was made; failed: none could be made; missed: too late; overlap: the job before was not over; excluded or paused: nothing should fire';
comment on column ops.schedule_slots.job_id is 'the job, which may be one that waited already under the same key';

create table ops.backfills (
  id bigint generated always as identity primary key,
  brand_id uuid,
  schedule_id bigint not null,
  since timestamptz not null,
  until timestamptz not null,
  chosen text not null check (chosen in ('missing', 'failed', 'all')),
  newest_first boolean not null,
  concurrency integer not null check (concurrency between 1 and 100),
  planned_at timestamptz not null,
  planned_by text not null,
  started_at timestamptz,
  ended_at timestamptz,
  unique (brand_id, id),
  foreign key (brand_id, schedule_id) references ops.schedules (brand_id, id) on delete cascade
);
create index backfills_of_schedule on ops.backfills (brand_id, schedule_id);
create index backfills_running on ops.backfills (id) where started_at is not null and ended_at is null;
comment on table ops.backfills is 'slots of the past to be fired again: first planned and shown, then started by number, so that what was shown is what runs';

create table ops.backfill_slots (
  brand_id uuid,
  backfill_id bigint not null,
  position integer not null,
  slot timestamptz not null,
  local_day date not null,
  job_id bigint,
  error text,
  is_over boolean not null default false,
  primary key (backfill_id, position),
  foreign key (brand_id, backfill_id) references ops.backfills (brand_id, id) on delete cascade
);
create index backfill_slots_of_brand on ops.backfill_slots (brand_id, backfill_id);
comment on table ops.backfill_slots is 'the slots of a backfill, each with the job that was made of it';
comment on column ops.backfill_slots.position is 'in which order they fire';
create index backfill_slots_fired on ops.backfill_slots (slot, backfill_id) where job_id is not null;
create index backfill_slots_open on ops.backfill_slots (backfill_id, position) where not is_over;
comment on column ops.backfill_slots.is_over is 'its job has ended, or there is none';
comment on column ops.backfill_slots.error is 'why no job could be made of it';
