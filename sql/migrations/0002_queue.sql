-- Everything that we do to the queue's own tables (graphile_worker._private_*) stands in this file.
-- The library only claims jobs; beginning, ending and handing back are ours, so that they commit
-- together with the record of the run and never touch a row that has gone to somebody else.
--
-- A *claim* is (job, pool, instant): the library wrote the pool's id and the time into the row when
-- it took the job. The instant is compared to the millisecond, as the task was handed it. The number
-- of attempts is no part of it: add_job with the key of a running job sets it to the maximum.

create table ops.workers (
  id uuid primary key,
  pool_id text not null unique,
  lock_key bigint not null unique,
  host text not null,
  process_id integer not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  ended_how text check (ended_how in ('stopped', 'crashed')),
  handed_back_at timestamptz
);
create index workers_to_watch on ops.workers (started_at) where handed_back_at is null;
comment on table ops.workers is 'worker processes, each with the advisory lock that it holds while it lives';
comment on column ops.workers.lock_key is 'session advisory lock that the process holds while it lives';
comment on column ops.workers.handed_back_at is 'set once nothing is locked any more by a worker that has ended';

create function ops.uuid_in(p_payload jsonb, p_field text) returns uuid language sql immutable as $$
  select substring(p_payload ->> p_field from '^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')::uuid
$$;

-- A payload is json and may hold what jsonb refuses (a NUL character); it must be recorded all the same.
create function ops.payload_of(p_payload json) returns jsonb language plpgsql immutable as $$
begin
  return p_payload::jsonb;
exception when others then
  return jsonb_build_object('unreadable', p_payload::text);
end $$;

create table ops.job_runs (
  id bigint generated always as identity primary key,
  job_id bigint not null,
  task text not null,
  job_key text,
  lane text,
  brand_id uuid,
  retailer_id uuid generated always as (ops.uuid_in(payload, 'retailerId')) stored,
  connection_id uuid,
  secret_changed_at timestamptz,
  payload jsonb not null,
  attempt integer not null,
  pool_id text not null,
  claimed_at timestamptz not null,
  started_at timestamptz not null,
  last_commit_at timestamptz,
  finished_at timestamptz,
  outcome text not null default 'running' check (outcome in
    ('running', 'succeeded', 'partial', 'retrying', 'snoozed', 'held', 'dead', 'released', 'cancelled', 'crashed')),
  error_code text,
  error_message text,
  error_hint text,
  error_stack text,
  failure_group text,
  tally jsonb,
  progress jsonb
);
create index job_runs_of_job on ops.job_runs (job_id, id);
create index job_runs_of_connection on ops.job_runs (brand_id, connection_id, id);
create index job_runs_running on ops.job_runs (pool_id) where outcome = 'running';
create index job_runs_of_failure on ops.job_runs (failure_group, id) where failure_group is not null;
comment on table ops.job_runs is 'every attempt of every job, with its outcome and figures';
comment on column ops.job_runs.job_key is 'key of the job; its row has none while the job runs, so that later work makes a new job';
comment on column ops.job_runs.retailer_id is 'retailer of a rollup: its runs are removed along with it';
comment on column ops.job_runs.attempt is 'which attempt this was; an outcome of snoozed, held or released gives it back';
comment on column ops.job_runs.failure_group is 'of a run that failed: which failures are like it (ops.failure_groups); of one that found its connection held: what held it';
comment on column ops.job_runs.last_commit_at is 'when the run last began a transaction that committed: a crash after that lost no progress';
comment on column ops.job_runs.secret_changed_at is 'secret_changed_at of the connection when the run began: a key that was stored since is not the one that was refused';

create table ops.cancel_requests (
  job_id bigint primary key,
  error jsonb not null,
  requested_at timestamptz not null default now()
);
comment on table ops.cancel_requests is
  'jobs that are to be cancelled and run: the run hears of it within a second, commits nothing more, and its end takes the row away';
comment on column ops.cancel_requests.error is 'what the record of the run will say';

-- What is paused: the jobs that bear its flag. Workers claim none of them, so a paused job waits and spends no attempt.
create table ops.pauses (
  flag text not null,
  by_breaker boolean not null default false,
  task text,
  provider text,
  brand_id uuid,
  connection_id uuid,
  reason text not null,
  paused_by text not null,
  paused_at timestamptz not null default now(),
  until timestamptz,
  primary key (flag, by_breaker)
);
create index pauses_of_brand on ops.pauses (brand_id, connection_id);
comment on table ops.pauses is 'tasks, providers, brands and connections whose jobs wait until somebody resumes them, or until an instant';
comment on column ops.pauses.flag is 'what its jobs bear: see ops.pause_flag';
comment on column ops.pauses.by_breaker is 'whether a breaker paused it and not a person: of both there may be one';
comment on column ops.pauses.until is 'ends by itself then; null: somebody resumes it';

-- The flag of a pause, and of each job that it concerns: `task:t`, `provider:p`, `brand:b`, `connection:b/c`, or one
-- of the last three within a task. Two brands may have a connection of one id.
create function ops.pause_flag(p_task text, p_provider text, p_brand uuid, p_connection uuid)
returns text language sql immutable as $$
  select coalesce('task:' || p_task, '')
    || case when p_task is null or num_nonnulls(p_provider, p_brand, p_connection) = 0 then '' else ' ' end
    || case when p_connection is not null then 'connection:' || p_brand::text || '/' || p_connection::text
            when p_brand is not null then 'brand:' || p_brand::text
            when p_provider is not null then 'provider:' || p_provider else '' end
$$;

-- What a job bears that is being made. The library keeps it through all that we do to the row; newer work under the
-- key of a job brings its own.
create function ops.job_flags(p_task text, p_payload jsonb) returns text[] language plpgsql stable as $$
declare
  v_brand uuid := ops.uuid_in(p_payload, 'brandId');
  v_connection uuid := ops.uuid_in(p_payload, 'connectionId');
  v_flags text[] := array[ops.pause_flag(p_task, null, null, null)];
  v_provider text;
begin
  if v_brand is null then return v_flags; end if;
  v_flags := v_flags || array[ops.pause_flag(null, null, v_brand, null), ops.pause_flag(p_task, null, v_brand, null)];
  if v_connection is null then return v_flags; end if;
  select provider into v_provider from app.connections where (brand_id, id) = (v_brand, v_connection);
  v_flags := v_flags || array[
    ops.pause_flag(null, null, v_brand, v_connection), ops.pause_flag(p_task, null, v_brand, v_connection)];
  if v_provider is null then return v_flags; end if;
  return v_flags || array[ops.pause_flag(null, v_provider, null, null), ops.pause_flag(p_task, v_provider, null, null)];
end $$;

-- Those that hold, by the time of the database.
create view ops.current_pauses as
select p.*, concat('paused by ', p.paused_by, to_char(p.until at time zone 'UTC', '" until "YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  ': ', p.reason) as why
from ops.pauses p where p.until is null or p.until > now();
comment on view ops.current_pauses is 'what is paused now, and why';

-- Turns. Workers claim by (priority, run_at). A job that is to run at once gets a *turn* for its run_at: a number of
-- microseconds since 1970, so that it precedes whatever has a time of its own. A turn is the place of a job among those
-- of its priority, by start-time fair queueing. The jobs of a brand are one turn (a millisecond) apart, and a brand
-- that had nothing waiting begins just behind the turn that was served last. So brands take turns, however many jobs
-- each has queued, and in whatever order. A job whose own time has come gets its turn from a sweep (`give_turns`).

create sequence ops.served_urgent;
create sequence ops.served_normal;
create sequence ops.served_bulk;
create table ops.priorities (
  priority smallint primary key,
  name text not null unique,
  served regclass not null,
  meaning text not null
);
comment on table ops.priorities is 'classes of jobs; what waits in one is served before all that waits in the next';
comment on column ops.priorities.priority is 'as the queue has it: lower first';
comment on column ops.priorities.served is
  'sequence that holds the turn which was served last; it is written without a lock, so brands never wait for each other';
insert into ops.priorities values
  (-10, 'urgent', 'ops.served_urgent', 'short work that somebody waits for: alerts, the steps of a night'),
  (0, 'normal', 'ops.served_normal', 'everything else'),
  (10, 'bulk', 'ops.served_bulk', 'long work that may wait: first loads, backfills, retention');

create table ops.turns (
  brand_id uuid not null,
  priority smallint not null,
  last timestamptz not null,
  primary key (brand_id, priority)
) with (fillfactor = 50);
comment on table ops.turns is 'the last turn that each brand was given; jobs without a brand share those of the brand 0';

create function ops.is_turn(p_run_at timestamptz) returns boolean language sql immutable as $$
  select p_run_at < timestamptz '2000-01-01 00:00:00+00'
$$;

-- The time of a job that a pause without an end keeps waiting.
create function ops.no_end() returns timestamptz language sql immutable as $$
  select timestamptz '9999-12-31 00:00:00+00'
$$;

-- The turn of a priority that was served last.
create function ops.turn_served(p_priority smallint) returns timestamptz language sql volatile as $$
  select to_timestamp(0) + coalesce(pg_sequence_last_value(served), 0) * interval '1 microsecond'
  from ops.priorities where priority = p_priority
$$;

-- The last turn at which a job of the brand waits, up to its last. The first that is read usually is that job. Those of
-- others are passed if it is gone: 1,000 at most, then none of the brand is thought to wait.
create function ops.last_turn_waiting(p_brand uuid, p_priority smallint, p_last timestamptz) returns timestamptz
language sql stable as $$
  select run_at from ( -- in this form it takes the index, whatever the statistics say
    select run_at, payload from graphile_worker._private_jobs
    where is_available and priority = p_priority and run_at <= p_last order by run_at desc limit 1000) latest
  where coalesce(ops.uuid_in(ops.payload_of(payload), 'brandId'), '00000000-0000-0000-0000-000000000000') = p_brand
  order by run_at desc limit 1
$$;

-- The next turn of a brand. A transaction of the same brand that holds its row is not waited for: then both go on from
-- the last turn committed, each with turns of its own, which it keeps in a setting. A last turn that is ahead of what is
-- served counts as far as jobs of the brand wait: those that were cancelled must not keep it behind the others, and
-- those that still wait must not be joined at their turns by as many again.
create function ops.next_turn(p_brand uuid, p_priority smallint) returns timestamptz language plpgsql as $$
declare
  v_brand uuid := coalesce(p_brand, '00000000-0000-0000-0000-000000000000');
  v_served timestamptz := ops.turn_served(p_priority);
  v_own jsonb := coalesce(nullif(current_setting('nightshift.turns', true), '')::jsonb, '{}');
  v_key text := v_brand || ' ' || p_priority;
  v_turn timestamptz;
  v_last timestamptz;
  v_is_locked boolean;
  v_is_known boolean := true;
begin
  select last into v_last from ops.turns where (brand_id, priority) = (v_brand, p_priority) for update skip locked;
  v_is_locked := found;
  if not v_is_locked then
    select last into v_last from ops.turns where (brand_id, priority) = (v_brand, p_priority);
    v_is_known := found;
  end if;
  if v_last > v_served then v_last := ops.last_turn_waiting(v_brand, p_priority, v_last); end if;
  v_turn := greatest(v_served + interval '1 microsecond', v_last + interval '1 millisecond',
    (v_own ->> v_key)::timestamptz + interval '1 millisecond');
  if v_is_locked then
    update ops.turns set last = v_turn where (brand_id, priority) = (v_brand, p_priority);
    return v_turn;
  end if;
  perform set_config('nightshift.turns', (v_own || jsonb_build_object(v_key, v_turn))::text, true);
  if not v_is_known and pg_try_advisory_xact_lock(hashtextextended('turns ' || v_brand || p_priority, 0)) then
    insert into ops.turns values (v_brand, p_priority, v_turn) on conflict do nothing; -- the lock: never waits
  end if;
  return v_turn;
end $$;

-- Notes that a job begins. Of one that was claimed past others, which wait for a lane or a pause, the turn may be far
-- ahead: what is served then advances by one turn at most, so that whoever comes next does not begin behind it.
create function ops.serve_turn(p_priority smallint, p_turn timestamptz) returns void language plpgsql as $$
declare
  v_served timestamptz;
  v_turn timestamptz := p_turn;
begin
  if not ops.is_turn(p_turn) then return; end if;
  v_served := ops.turn_served(p_priority);
  if v_served is null or p_turn <= v_served then return; end if;
  if p_turn > v_served + interval '1 millisecond' then
    select greatest(v_served + interval '1 millisecond', least(p_turn, min(first.run_at))) into v_turn from (
      select run_at from graphile_worker._private_jobs
      where is_available and priority = p_priority order by run_at limit 1) first;
  end if;
  perform setval(served, (extract(epoch from v_turn) * 1000000)::bigint) from ops.priorities where priority = p_priority;
end $$;

-- True with the row locked until the transaction ends, false if the job is no longer ours.
create function ops.hold_claim(p_job bigint, p_pool text, p_claimed_at timestamptz) returns boolean
language plpgsql as $$
begin
  perform from graphile_worker._private_jobs
  where id = p_job and locked_by = p_pool and date_trunc('milliseconds', locked_at) = p_claimed_at
  for update;
  return found;
end $$;

-- Whether a record is that of a claim. Its number alone is not enough: a crash of the server may forget a
-- record that was just begun, and give its number to another.
create function ops.is_of_claim(p_run ops.job_runs, p_job bigint, p_pool text, p_claimed_at timestamptz)
returns boolean language sql stable as $$
  select (p_run.job_id, p_run.pool_id, date_trunc('milliseconds', p_run.claimed_at)) = (p_job, p_pool, p_claimed_at)
$$;

-- The first statement of every transaction of a running job. Locks the row, and keeps in the same
-- transaction that the run got this far. False if the job is no longer ours, or is to be cancelled.
create function ops.fence(p_job bigint, p_pool text, p_claimed_at timestamptz, p_run bigint, p_progress jsonb)
returns boolean language plpgsql as $$
begin
  if not ops.hold_claim(p_job, p_pool, p_claimed_at) then return false; end if;
  if exists (select from ops.cancel_requests where job_id = p_job) then return false; end if;
  update ops.job_runs r set last_commit_at = clock_timestamp(), progress = coalesce(p_progress, progress)
  where id = p_run and ops.is_of_claim(r, p_job, p_pool, p_claimed_at);
  return true;
end $$;

-- One record per claim: asked twice (the first answer was lost on its way) it gives the same one. A new one has what
-- p_as says of its end, or is running. Steps of their own, because a join would read the payload once a column.
create function ops.record_run(p_job bigint, p_attempt integer, p_key text, p_as ops.job_runs default null) returns bigint
language plpgsql as $$
declare
  v_job graphile_worker._private_jobs;
  v_payload jsonb;
  v_brand uuid;
  v_connection uuid;
  v_secret_changed_at timestamptz;
  v_run bigint;
begin
  select * into v_job from graphile_worker._private_jobs where id = p_job;
  select id into v_run from ops.job_runs
  where (job_id, pool_id, claimed_at) = (v_job.id, v_job.locked_by, v_job.locked_at);
  if v_run is not null then return v_run; end if;
  v_payload := ops.payload_of(v_job.payload);
  v_brand := ops.uuid_in(v_payload, 'brandId');
  v_connection := ops.uuid_in(v_payload, 'connectionId');
  if v_connection is not null then
    select secret_changed_at into v_secret_changed_at from app.connections where (brand_id, id) = (v_brand, v_connection);
  end if;
  insert into ops.job_runs
    (job_id, task, lane, brand_id, connection_id, payload, attempt, job_key, pool_id, claimed_at, started_at,
     secret_changed_at, last_commit_at, finished_at, outcome, tally, progress,
     error_code, error_message, error_hint, error_stack)
  values (
    v_job.id, (select identifier from graphile_worker._private_tasks where id = v_job.task_id),
    (select queue_name from graphile_worker._private_job_queues where id = v_job.job_queue_id),
    v_brand, v_connection, v_payload, p_attempt, p_key, v_job.locked_by, v_job.locked_at, clock_timestamp(),
    v_secret_changed_at, p_as.last_commit_at, p_as.finished_at, coalesce(p_as.outcome, 'running'), p_as.tally, p_as.progress,
    p_as.error_code, p_as.error_message, p_as.error_hint, p_as.error_stack)
  returning id into v_run;
  perform ops.serve_turn(v_job.priority, v_job.run_at);
  return v_run;
end $$;

-- Takes a job off the queue for good, with a record that says so. Its row is locked by the caller.
create function ops.take_off(p_job bigint, p_error jsonb) returns void language plpgsql as $$
declare
  v_job graphile_worker._private_jobs;
  v_run bigint;
begin
  select * into v_job from graphile_worker._private_jobs where id = p_job;
  if v_job.locked_by is null then
    insert into ops.job_runs
      (job_id, task, lane, brand_id, connection_id, payload, attempt, job_key, pool_id, claimed_at, started_at)
    select p_job, t.identifier, q.queue_name, ops.uuid_in(p.payload, 'brandId'), ops.uuid_in(p.payload, 'connectionId'),
           p.payload, v_job.attempts, v_job.key, '', now(), now()
    from graphile_worker._private_tasks t
    left join graphile_worker._private_job_queues q on q.id = v_job.job_queue_id
    cross join lateral (select ops.payload_of(v_job.payload) as payload) p
    where t.id = v_job.task_id
    returning id into v_run;
  else
    v_run := ops.record_run(p_job, v_job.attempts, v_job.key);
    update graphile_worker._private_job_queues set locked_by = null, locked_at = null
    where id = v_job.job_queue_id and locked_by = v_job.locked_by;
  end if;
  update ops.job_runs set outcome = 'cancelled', finished_at = coalesce(finished_at, clock_timestamp()),
    error_code = p_error ->> 'code', error_message = p_error ->> 'message', error_hint = p_error ->> 'hint'
  where id = v_run;
  delete from graphile_worker._private_jobs where id = p_job;
end $$;

-- Whether somebody wanted the job cancelled, which is then done. Its row is locked by the caller.
create function ops.cancel_if_asked(p_job bigint) returns boolean language plpgsql as $$
declare v_error jsonb;
begin
  delete from ops.cancel_requests where job_id = p_job returning error into v_error;
  if not found then return false; end if;
  perform ops.take_off(p_job, v_error);
  return true;
end $$;

-- Gives up the lock of a job and of its lane, and wakes a worker if the job can run at once. The key
-- comes back unless newer work took it meanwhile; where that is the same work, and this job did not fail, it goes on
-- there, because each turn of this one would leave one more job behind. One that failed goes on without a key, and the
-- newer job has all its attempts: of work that comes just while it fails, a failure counts for the older job alone.
-- A job that was to be cancelled ends here instead.
create function ops.unlock_job(
  p_job bigint, p_pool text, p_attempts integer, p_run_at timestamptz, p_key text, p_error text
) returns void language plpgsql as $$
declare
  v_key text := p_key;
  v_lane integer;
begin
  if ops.cancel_if_asked(p_job) then return; end if;
  select job_queue_id into v_lane from graphile_worker._private_jobs where id = p_job;
  loop
    begin
      update graphile_worker._private_jobs
      set attempts = p_attempts, run_at = p_run_at, key = v_key, last_error = coalesce(p_error, last_error),
          locked_by = null, locked_at = null, updated_at = now()
      where id = p_job;
      exit;
    exception when unique_violation then
      v_key := null;
    end;
    delete from graphile_worker._private_jobs j using graphile_worker._private_jobs newer
    where j.id = p_job and p_error is null and newer.key = p_key and newer.is_available
      and newer.run_at <= greatest(p_run_at, now()) and ops.payload_of(newer.payload) = ops.payload_of(j.payload);
    exit when found;
  end loop;
  update graphile_worker._private_job_queues set locked_by = null, locked_at = null
  where id = v_lane and locked_by = p_pool;
  perform pg_notify('jobs:insert', json_build_object('r', random()::text, 'count', 1)::text)
  from graphile_worker._private_jobs j where j.id = p_job and j.is_available and j.run_at <= now();
end $$;

-- The connection of a run, locked against release, if a person holds it back. Looking twice keeps the
-- usual case free of locks; the second look waits for a release that is under way, and then sees it.
create function ops.held_connection(p_run bigint) returns app.connections language plpgsql as $$
declare v_connection app.connections;
begin
  perform from ops.job_runs r
  join app.connections c on (c.brand_id, c.id) = (r.brand_id, r.connection_id)
  where r.id = p_run and c.held_at is not null;
  if not found then return null; end if;
  select c.* into v_connection from app.connections c
  where (c.brand_id, c.id) = (select r.brand_id, r.connection_id from ops.job_runs r where r.id = p_run)
    and c.held_at is not null
  for share;
  return v_connection;
end $$;

-- Where a run begins before its body does, or in the midst of it: our row gives up its key, the record
-- begins. A job whose connection is held parks itself here and never runs its body, so whatever may be held
-- begins so. Any other run begins with what it first commits (fence_first), at the latest with its end; one
-- that dies before has its record made by whoever hands its job back. State: running, held or lost.
-- Nothing waits for the disk: whatever the run commits afterwards takes this along, and what a crash of
-- the server loses before that (the claim, or only the record) is noticed at the fence or made good at the end.
-- A job that was to be cancelled ends here, and the run is told that it is lost.
create function ops.begin_run(
  p_job bigint, p_pool text, p_claimed_at timestamptz, p_attempt integer, p_key text,
  out state text, out run_id bigint
) language plpgsql as $$
declare v_held app.connections;
begin
  perform set_config('synchronous_commit', 'off', true);
  if not ops.hold_claim(p_job, p_pool, p_claimed_at) then state := 'lost'; return; end if;
  run_id := ops.record_run(p_job, p_attempt, p_key);
  if ops.cancel_if_asked(p_job) then state := 'lost'; return; end if;
  v_held := ops.held_connection(run_id);
  if v_held.id is not null then
    state := 'held';
    update ops.job_runs set outcome = 'held', finished_at = clock_timestamp(), error_code = v_held.held_code,
      failure_group = v_held.held_by_failure, error_message = format('Connection %s is held: %s', v_held.name, coalesce(v_held.held_reason, 'no reason was given'))
    where id = run_id;
    perform ops.unlock_job(p_job, p_pool, greatest(p_attempt - 1, 0), 'infinity', p_key, null);
    return;
  end if;
  state := 'running';
  update graphile_worker._private_jobs set key = null where id = p_job and key is not null;
end $$;

-- The fence of a run that has no record yet: the record begins in the same transaction, whose first statement
-- this is. Gives the number of the record, or nothing if the job is no longer ours, or is to be cancelled.
create function ops.fence_first(
  p_job bigint, p_pool text, p_claimed_at timestamptz, p_attempt integer, p_key text, p_progress jsonb
) returns bigint language plpgsql as $$
declare
  v_run bigint;
  v_as ops.job_runs;
begin
  if not ops.hold_claim(p_job, p_pool, p_claimed_at) then return null; end if;
  if exists (select from ops.cancel_requests where job_id = p_job) then return null; end if;
  v_as.last_commit_at := clock_timestamp();
  v_as.progress := p_progress;
  v_run := ops.record_run(p_job, p_attempt, p_key, v_as);
  update ops.job_runs set last_commit_at = v_as.last_commit_at, progress = coalesce(p_progress, progress)
  where id = v_run and last_commit_at is distinct from v_as.last_commit_at; -- it had begun before
  update graphile_worker._private_jobs set key = null where id = p_job and key is not null;
  return v_run;
end $$;

-- What a run that lost its job is told: 'lost', and its record says so; or the outcome that it had
-- written itself before, when it never heard the answer.
create function ops.end_of_lost_run(p_job bigint, p_pool text, p_claimed_at timestamptz, p_run bigint)
returns text language plpgsql as $$
declare v_outcome text;
begin
  update ops.job_runs r set outcome = 'crashed', finished_at = clock_timestamp(), error_code = 'NS_CLAIM_LOST',
    error_message = 'The job was taken from this run before it ended.'
  where job_id = p_job and id = coalesce(p_run, id) and outcome = 'running'
    and ops.is_of_claim(r, p_job, p_pool, p_claimed_at);
  select outcome into v_outcome from ops.job_runs r
  where job_id = p_job and id = coalesce(p_run, id) and outcome not in ('running', 'crashed') and ops.is_of_claim(r, p_job, p_pool, p_claimed_at);
  return coalesce(v_outcome, 'lost');
end $$;

-- How many of a job's last runs ended so, in a row and without having committed anything. Those that a
-- stopping worker gave back have no error and do not count.
create function ops.runs_in_vain(p_job bigint, p_outcome text) returns integer language sql stable as $$
  select count(error_code)::integer from ops.job_runs
  where job_id = p_job and id > coalesce((
    select max(id) from ops.job_runs where job_id = p_job and (outcome <> p_outcome or last_commit_at is not null)), 0)
$$;

-- A pause that doubles with each time, 5 s at first; half of it is left to chance, so that jobs which failed
-- together do not come back together.
create function ops.pause(p_times integer, p_longest interval) returns interval language sql volatile as $$
  select least(interval '5 s' * power(2::float8, least(p_times - 1, 20)::float8), p_longest) * (0.5 + random() / 2)
$$;

-- How long a job rests after a crash: nothing after the first, then longer with each in a row.
create function ops.crash_delay(p_job bigint) returns interval language sql volatile as $$
  select case when n < 2 then interval '0 s' else ops.pause(n - 1, '10 min') end
  from ops.runs_in_vain(p_job, 'crashed') n
$$;

-- How long a job rests at least after a run that cost it no attempt, because of a fault of the database or because
-- its provider wants it to wait, maybe for no time at all: never nothing, so that it does not spin, and never long,
-- so that it is back soon after all is well.
create function ops.rest(p_job bigint, p_outcome text) returns interval language sql volatile as $$
  select ops.pause(greatest(ops.runs_in_vain(p_job, p_outcome), 1), '1 min')
$$;

-- Whether a run gave way to another transaction. That is nobody's fault, unless it happens again and again.
create function ops.is_conflict(p_code text) returns boolean language sql immutable as $$
  select coalesce(p_code in ('40001', '40P01'), false)
$$;

-- How many of a job's last runs did so in a row.
create function ops.conflicts_in_a_row(p_job bigint) returns integer language sql stable as $$
  select count(*)::integer from ops.job_runs
  where job_id = p_job and id > coalesce((
    select max(id) from ops.job_runs where job_id = p_job and not ops.is_conflict(error_code)), 0)
$$;

-- Whether a provider that answers nobody, or no more of us, ended the run: what a breaker counts.
create function ops.is_overload(p_code text) returns boolean language sql immutable as $$
  select coalesce(p_code in ('NS_PROVIDER_UNAVAILABLE', 'NS_RATE_LIMITED'), false)
$$;

-- Whether a provider answered a run: it did its work, and not without a request, or made room for others in its midst.
create function ops.was_answered(p_outcome text, p_tally jsonb) returns boolean language sql immutable as $$
  select p_outcome in ('succeeded', 'partial') and coalesce((p_tally ->> 'requests')::numeric, 1) > 0
    or p_outcome = 'released' and coalesce((p_tally ->> 'requests')::numeric, 0) > 0
$$;

-- A breaker that pauses for so long has been refused for more than an hour.
create function ops.longest_break() returns interval language sql immutable as $$ select interval '1 hour' $$;

-- The breaker of a connection. Five runs in a row that end by overload open it: the connection is paused for a minute.
-- The first run after that either succeeds, which closes it, or opens it for twice as long, an hour at most. Gives until
-- when it is open, nothing while it is closed. A lane lets one run of a connection go at a time, so one is what is tried.
create function ops.feed_breaker(p_run ops.job_runs, p_code text) returns timestamptz language plpgsql as $$
declare
  v_flag text := ops.pause_flag(null, null, p_run.brand_id, p_run.connection_id);
  v_pause ops.pauses;
  v_in_a_row integer;
  v_length interval := '1 min';
begin
  select * into v_pause from ops.pauses where flag = v_flag and by_breaker for update;
  if v_pause.until > now() then return v_pause.until; end if; -- this run was under way when it opened
  if v_pause.flag is null then
    select count(*) filter (where ops.is_overload(error_code)) into v_in_a_row from (
      select error_code from ops.job_runs
      where (brand_id, connection_id) = (p_run.brand_id, p_run.connection_id)
        and (outcome in ('succeeded', 'partial', 'retrying', 'snoozed', 'held', 'dead') or ops.was_answered(outcome, tally))
      order by id desc limit 5) latest;
    if v_in_a_row < 5 then return null; end if;
  else
    v_length := least(2 * (v_pause.until - v_pause.paused_at), ops.longest_break());
  end if;
  insert into ops.pauses as p (flag, by_breaker, brand_id, connection_id, reason, paused_by, until)
  values (v_flag, true, p_run.brand_id, p_run.connection_id,
    format('its runs end with %s, one after the other', p_code), 'breaker', now() + v_length)
  on conflict (flag, by_breaker) do update
  set reason = excluded.reason, paused_at = now(), until = greatest(p.until, excluded.until)
  returning p.until into v_pause.until;
  return v_pause.until;
end $$;

-- Jobs that wait for a pause to end may be claimed: it has ended, or ends at another time. Those that wait for longer
-- than that rest, or their provider told them to, and go on waiting.
create function ops.wake_jobs(p_flag text, p_until timestamptz) returns void language sql as $$
  update graphile_worker._private_jobs set run_at = now(), updated_at = now()
  where locked_by is null and flags ? p_flag and run_at > now() and run_at = coalesce(p_until, ops.no_end())
$$;

-- The same, by the next sweep: of the transaction of some work, which must not wait for the rows of jobs.
create table ops.wakes (
  id bigint generated always as identity primary key,
  flag text not null,
  until timestamptz not null
);
comment on table ops.wakes is 'breakers that have closed before their time, until the jobs that wait for them are woken';

-- A job that is being changed at this moment wakes by itself at the end that the pause had.
create function ops.wake_closed(p_max integer) returns void language plpgsql as $$
declare v_wake record;
begin
  for v_wake in delete from ops.wakes where id in (select id from ops.wakes order by id limit p_max) returning flag, until loop
    continue when v_wake.until <= now();
    update graphile_worker._private_jobs set run_at = now(), updated_at = now() where id in (
      select id from graphile_worker._private_jobs
      where is_available and flags ? v_wake.flag and run_at = v_wake.until for update skip locked);
  end loop;
end $$;

-- The last transaction of a run: its record, and what becomes of the job. Gives the outcome; 'lost', with
-- no job touched, if the claim was. A run that has no record yet (no p_run) gets it here. Asked again after an answer
-- that never came, it answers the same. A job that was to be cancelled is, unless it had done its work by then.
-- A success does not wait for the disk. All that the run committed is there already; if the server crashes
-- in the next moments and forgets the end alone, the job runs again and finds its work done. A worker
-- that stops in order closes itself with a commit that does wait, and with it everything before. One that ends in the
-- transaction of its work (p_with_work) waits as the work does.
create function ops.end_run(
  p_job bigint, p_pool text, p_claimed_at timestamptz, p_run bigint, p_outcome text, p_attempts integer,
  p_delay_seconds double precision, p_error jsonb, p_tally jsonb, p_progress jsonb, p_attempt integer, p_key text,
  p_with_work boolean, out ended text, out run bigint
) language plpgsql as $$
declare
  v_run ops.job_runs;
  v_outcome text := p_outcome;
  v_attempts integer := p_attempts;
  v_failure text;
  v_open_until timestamptz;
  v_delay interval := make_interval(secs => p_delay_seconds);
  v_as ops.job_runs;
  v_error text := nullif(concat_ws(': ', p_error ->> 'code', p_error ->> 'message'), '');
begin
  if p_outcome in ('succeeded', 'partial') and not p_with_work then perform set_config('synchronous_commit', 'off', true); end if;
  if not ops.hold_claim(p_job, p_pool, p_claimed_at) then
    ended := ops.end_of_lost_run(p_job, p_pool, p_claimed_at, p_run);
    return;
  end if;
  v_as.outcome := v_outcome;
  v_as.finished_at := clock_timestamp();
  v_as.tally := p_tally;
  v_as.progress := p_progress;
  v_as.error_code := p_error ->> 'code';
  v_as.error_message := p_error ->> 'message';
  v_as.error_hint := p_error ->> 'hint';
  v_as.error_stack := p_error ->> 'stack';
  run := coalesce(p_run, ops.record_run(p_job, p_attempt, p_key, v_as));
  select * into v_run from ops.job_runs where id = run and finished_at = v_as.finished_at; -- its beginning is its end
  if not found then
    update ops.job_runs r set outcome = v_as.outcome, finished_at = v_as.finished_at, tally = v_as.tally,
      progress = coalesce(v_as.progress, progress), error_code = v_as.error_code, error_message = v_as.error_message,
      error_hint = v_as.error_hint, error_stack = v_as.error_stack
    where id = run and ops.is_of_claim(r, p_job, p_pool, p_claimed_at) returning * into v_run;
  end if;
  if v_run.id is null then -- a crash of the server took the record; the job and its claim are older
    select e.ended, e.run into ended, run from ops.end_run(p_job, p_pool, p_claimed_at, null, p_outcome, p_attempts,
      p_delay_seconds, p_error, p_tally, p_progress, p_attempt, p_key, p_with_work) e;
    return;
  end if;
  if v_outcome = 'released' and ops.is_conflict(p_error ->> 'code') and ops.conflicts_in_a_row(p_job) > 5 then
    v_outcome := case when p_attempt < (
      select max_attempts from graphile_worker._private_jobs where id = p_job) then 'retrying' else 'dead' end;
    v_attempts := p_attempt;
    v_delay := ops.pause(p_attempt, '1 hour');
    update ops.job_runs set outcome = v_outcome where id = run returning * into v_run;
  end if;
  -- With an error that the breaker counts it has failed, whether or not the provider says how long to wait.
  if v_outcome in ('retrying', 'held', 'dead') or v_outcome = 'snoozed' and ops.is_overload(p_error ->> 'code') then
    v_failure := ops.note_failure(v_run, p_error);
  end if;
  if v_outcome = 'held' then
    update app.connections set held_by_failure = case when held_at is null then v_failure else held_by_failure end,
      held_at = coalesce(held_at, now()), held_code = coalesce(held_code, p_error ->> 'code'),
      held_reason = coalesce(held_reason, p_error ->> 'message')
    where (brand_id, id) = (v_run.brand_id, v_run.connection_id)
      and secret_changed_at is not distinct from v_run.secret_changed_at;
    if not found then -- it has another key by now, to be tried at once; or nobody could ever release it
      perform from app.connections where (brand_id, id) = (v_run.brand_id, v_run.connection_id);
      v_outcome := case when found then 'retrying' else 'dead' end;
      update ops.job_runs set outcome = v_outcome where id = run;
    end if;
  end if;

  if v_run.connection_id is null then
    null; -- no provider answers for it
  elsif ops.was_answered(v_outcome, p_tally) then
    delete from ops.pauses
    where flag = ops.pause_flag(null, null, v_run.brand_id, v_run.connection_id) and by_breaker
    returning until into v_open_until;
    insert into ops.wakes (flag, until)
    select ops.pause_flag(null, null, v_run.brand_id, v_run.connection_id), v_open_until where v_open_until > now();
  elsif ops.is_overload(p_error ->> 'code') and v_outcome in ('retrying', 'snoozed', 'dead') then
    v_open_until := ops.feed_breaker(v_run, p_error ->> 'code');
    if v_open_until is not null and (
      v_outcome = 'retrying' or v_outcome = 'dead' and p_attempt >= (
        select max_attempts from graphile_worker._private_jobs where id = p_job))
    then -- it waits for the provider, which is not its fault
      v_outcome := 'snoozed';
      v_attempts := greatest(p_attempt - 1, 0);
      update ops.job_runs set outcome = v_outcome where id = run;
    end if;
  end if;

  if v_outcome in ('succeeded', 'partial') then
    delete from graphile_worker._private_jobs where id = p_job;
    if v_run.lane is not null then
      update graphile_worker._private_job_queues set locked_by = null, locked_at = null
      where queue_name = v_run.lane and locked_by = p_pool;
    end if;
    ended := v_outcome;
    return;
  elsif v_outcome = 'dead' then
    perform ops.unlock_job(p_job, p_pool, j.max_attempts, j.run_at, null, v_error)
    from graphile_worker._private_jobs j where j.id = p_job;
  elsif v_outcome = 'held' then
    perform ops.unlock_job(p_job, p_pool, v_attempts, 'infinity', v_run.job_key, v_error);
  elsif v_outcome = 'released' and p_error is not null then
    perform ops.unlock_job(p_job, p_pool, v_attempts, now() + ops.rest(p_job, v_outcome), v_run.job_key, v_error);
  elsif v_outcome = 'released' and p_tally is null then -- its worker stops: it has its turn still
    perform ops.unlock_job(p_job, p_pool, v_attempts, least(j.run_at, now()), v_run.job_key, v_error)
    from graphile_worker._private_jobs j where j.id = p_job;
  else
    perform ops.unlock_job(p_job, p_pool, v_attempts,
      now() + greatest(v_delay, v_open_until - now(), case when v_outcome = 'snoozed' then ops.rest(p_job, v_outcome) end),
      v_run.job_key, v_error);
  end if;
  select r.outcome into ended from ops.job_runs r where r.id = run; -- cancelled, where somebody wanted it
end $$;

-- Hands back one job that the caller has locked. A crash is counted, but does not spend the last attempt by
-- itself: the job would be dead although nothing says that it was at fault. If it was the third in a row or
-- more, without a commit between, the job is likely to be what ends the processes that run it, and is dead.
create function ops.hand_back(p_job bigint, p_pool text, p_outcome text, p_error jsonb) returns void
language plpgsql as $$
declare
  v_job record;
  v_run ops.job_runs;
  v_run_id bigint;
  v_last integer;
  v_crashes integer := 0;
  v_delay interval;
begin
  select j.attempts, j.max_attempts, j.key, j.run_at into v_job from graphile_worker._private_jobs j where j.id = p_job;
  -- Newer work with its key sets the attempts of a job that runs to the maximum: they are one more than the
  -- last record says, at most. Apart, so that the next statement sees the record.
  select r.attempt into v_last from ops.job_runs r where r.job_id = p_job order by r.id desc limit 1;
  v_run_id := ops.record_run(p_job, least(v_job.attempts, coalesce(v_last, 0) + 1), v_job.key);
  select * into v_run from ops.job_runs where id = v_run_id;
  update ops.job_runs set outcome = p_outcome, finished_at = clock_timestamp(),
    error_code = p_error ->> 'code', error_message = p_error ->> 'message', error_hint = p_error ->> 'hint'
  where id = v_run.id;
  if p_outcome <> 'crashed' then
    perform ops.unlock_job(p_job, p_pool, greatest(v_run.attempt - 1, 0), least(v_job.run_at, now()),
      coalesce(v_job.key, v_run.job_key), p_error ->> 'message');
    return;
  end if;
  perform ops.note_failure(v_run, p_error);
  v_crashes := ops.runs_in_vain(p_job, 'crashed');
  if v_run.attempt >= v_job.max_attempts and v_crashes >= 3 then
    update ops.job_runs set outcome = 'dead',
      error_message = format('%s So did those of the %s runs before.', p_error ->> 'message', v_crashes - 1),
      error_hint = format('It may be what ends them: their logs tell. Then put it back: npx nightshift jobs retry %s', p_job)
    where id = v_run.id returning * into v_run;
    perform ops.unlock_job(p_job, p_pool, v_job.max_attempts, v_job.run_at, null, v_run.error_message);
    return;
  end if;
  v_delay := ops.crash_delay(p_job);
  perform ops.unlock_job(p_job, p_pool, least(v_run.attempt, v_job.max_attempts - 1),
    case when v_delay > interval '0 s' then now() + v_delay else least(v_job.run_at, now()) end,
    coalesce(v_job.key, v_run.job_key), p_error ->> 'message');
end $$;

-- Hands back what a pool has locked since before an instant, but for the jobs named; a row that a
-- session still holds (a killed client's backend lives on for a moment) waits for the next call.
create function ops.hand_back_pool(
  p_pool text, p_outcome text, p_error jsonb, p_before timestamptz default 'infinity', p_except bigint[] default '{}'
) returns integer language plpgsql as $$
declare
  v_job bigint;
  v_jobs integer := 0;
begin
  for v_job in
    select id from graphile_worker._private_jobs
    where locked_by = p_pool and locked_at < p_before and id <> all (p_except)
    order by id for update skip locked
  loop
    perform ops.hand_back(v_job, p_pool, p_outcome, p_error);
    v_jobs := v_jobs + 1;
  end loop;
  update graphile_worker._private_job_queues q set locked_by = null, locked_at = null
  where q.locked_by = p_pool and q.locked_at < p_before and not exists (
    select from graphile_worker._private_jobs j where j.job_queue_id = q.id and j.locked_by = p_pool);
  return v_jobs;
end $$;

-- Marks a worker as ended once nothing is left in its name.
create function ops.close_worker(p_worker uuid, p_pool text, p_error jsonb) returns void language plpgsql as $$
begin
  perform from graphile_worker._private_jobs where locked_by = p_pool;
  if found then return; end if;
  update ops.job_runs set outcome = 'crashed', finished_at = clock_timestamp(),
    error_code = p_error ->> 'code', error_message = p_error ->> 'message', error_hint = p_error ->> 'hint'
  where pool_id = p_pool and outcome = 'running';
  update ops.workers set handed_back_at = now() where id = p_worker;
end $$;

-- Jobs whose own time has come get their turn: those that rested after a failure, were put back, or had a time set. Those
-- of a brand that queues jobs at this moment are left to the next sweep.
create function ops.give_turns(p_priority smallint, p_max integer) returns void language plpgsql as $$
declare
  v_job record;
begin
  for v_job in
    select id, run_at, ops.uuid_in(ops.payload_of(payload), 'brandId') as brand_id from graphile_worker._private_jobs
    where is_available and priority = p_priority and run_at <= now() and run_at >= timestamptz '2000-01-01 00:00:00+00'
    order by run_at limit p_max for update skip locked
  loop
    perform from ops.turns
    where (brand_id, priority) = (coalesce(v_job.brand_id, '00000000-0000-0000-0000-000000000000'), p_priority)
    for update skip locked;
    if not found then
      perform from ops.turns
      where (brand_id, priority) = (coalesce(v_job.brand_id, '00000000-0000-0000-0000-000000000000'), p_priority);
      continue when found;
    end if;
    update graphile_worker._private_jobs
    set run_at = ops.next_turn(v_job.brand_id, p_priority), updated_at = v_job.run_at where id = v_job.id;
  end loop;
end $$;

-- Takes paused jobs out of the way: every claim reads past those that come first. They come back when the pause is to
-- end, or when somebody ends it (`wake_jobs`), and get a turn anew: one kept from before would put the whole brand first.
-- A pause or a job that is being changed at this moment is left to the next sweep.
create function ops.park_paused(p_priority smallint, p_max integer) returns void language plpgsql as $$
declare
  v_job record;
  v_until timestamptz;
begin
  for v_job in
    select id, flags from graphile_worker._private_jobs
    where is_available and priority = p_priority and run_at <= now() order by run_at limit p_max
  loop
    select coalesce(until, ops.no_end()) into v_until from ops.pauses
    where flag = any (array(select jsonb_object_keys(v_job.flags))) and (until is null or until > now())
    order by until desc nulls first limit 1 for share skip locked;
    continue when not found;
    perform from graphile_worker._private_jobs
    where id = v_job.id and is_available and run_at <= now() for update skip locked;
    continue when not found;
    update graphile_worker._private_jobs set run_at = v_until, updated_at = now() where id = v_job.id;
  end loop;
end $$;

-- A priority is served before all that comes behind it. So that bulk work is not kept waiting for ever, one job of it
-- that has waited for ten minutes goes over to the normal ones, and the next when that one does not wait for a worker any
-- more: so the normal jobs are not flooded.
create sequence ops.lifted;
create function ops.lift_bulk(p_max integer) returns void language plpgsql as $$
declare
  v_bulk smallint;
  v_normal smallint;
  v_job record;
begin
  select priority into v_bulk from ops.priorities where name = 'bulk';
  select priority into v_normal from ops.priorities where name = 'normal';
  perform from graphile_worker._private_jobs j
  where j.id = pg_sequence_last_value('ops.lifted') and j.is_available and j.priority = v_normal and j.run_at <= now()
    and not exists (
      select from graphile_worker._private_job_queues q where q.id = j.job_queue_id and q.locked_at is not null);
  if found then return; end if;
  select j.id, ops.uuid_in(ops.payload_of(j.payload), 'brandId') as brand_id into v_job
  from (
    select id from graphile_worker._private_jobs
    where is_available and priority = v_bulk and run_at <= now() order by run_at limit p_max) first
  join graphile_worker._private_jobs j using (id)
  where j.is_available and ops.is_turn(j.run_at) and j.updated_at < now() - interval '10 minutes' and not exists (
    select from graphile_worker._private_job_queues q where q.id = j.job_queue_id and q.locked_at is not null)
  order by j.run_at limit 1 for update of j skip locked;
  if not found then return; end if;
  update graphile_worker._private_jobs
  set priority = v_normal, run_at = ops.next_turn(v_job.brand_id, v_normal) where id = v_job.id;
  perform setval('ops.lifted', v_job.id);
end $$;

-- Whether a job that could run finds no worker while this one runs: one of another brand, or of a more urgent priority.
-- It looks at those of each priority that come first, of the tasks that the worker knows, and only at what has waited for
-- longer than a free worker takes to claim it. One priority at a time, because jobs of the future stand between them.
create function ops.others_wait(p_job bigint, p_tasks text[]) returns boolean language sql stable as $$
  select exists (
    select from graphile_worker._private_jobs ours
    join ops.priorities n on n.priority <= ours.priority
    cross join lateral (
      select * from graphile_worker._private_jobs
      where is_available and priority = n.priority and run_at <= now()
        and task_id = any (array(select id from graphile_worker._private_tasks where identifier = any (p_tasks)))
        and (job_queue_id is null or job_queue_id not in (
          select id from graphile_worker._private_job_queues where locked_at is not null))
        and not exists (select from ops.current_pauses p where flags ? p.flag)
      order by run_at limit 100) j
    where ours.id = p_job
      and (j.priority < ours.priority
        or ops.uuid_in(ops.payload_of(j.payload), 'brandId') is distinct from ops.uuid_in(ops.payload_of(ours.payload), 'brandId'))
      and case when ops.is_turn(j.run_at) then j.updated_at else j.run_at end < now() - interval '3 s')
$$;

-- What some worker does each second for the order of the queue; one at a time, because the others would find its rows
-- locked. The limit bounds how long it holds them.
create function ops.sweep_turns(p_max integer) returns void language plpgsql as $$
declare
  v_priority smallint;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('sweep of turns', 0)) then return; end if;
  perform ops.wake_closed(p_max);
  for v_priority in select priority from ops.priorities order by priority loop
    perform ops.give_turns(v_priority, p_max);
    if exists (select from ops.current_pauses) then perform ops.park_paused(v_priority, p_max); end if;
  end loop;
  perform ops.lift_bulk(p_max);
end $$;

-- What every worker does each second. A worker whose advisory lock is free is dead. Taking the lock
-- keeps a second sweeper out, and the owner too, until its jobs are handed back. Whoever asks is alive: one
-- that has just lost its lock is about to take it again, and must not hand back what it is running.
create function ops.sweep_workers(p_error jsonb, p_self uuid default null) returns integer language plpgsql as $$
declare
  v_worker ops.workers;
  v_jobs integer := 0;
begin
  for v_worker in
    select * from ops.workers where handed_back_at is null and id is distinct from p_self order by started_at
  loop
    continue when not pg_try_advisory_xact_lock(v_worker.lock_key);
    update ops.workers set ended_at = now(), ended_how = 'crashed' where id = v_worker.id and ended_at is null;
    v_jobs := v_jobs + ops.hand_back_pool(v_worker.pool_id, 'crashed', p_error);
    perform ops.close_worker(v_worker.id, v_worker.pool_id, p_error);
  end loop;
  perform ops.sweep_cancel_requests();
  return v_jobs;
end $$;

-- Jobs locked in a name that no living worker bears: claimed by a worker that never registered, or
-- after it was given up. It reads every waiting job, so it is asked less often than the sweep.
create function ops.sweep_strangers(p_grace interval, p_error jsonb) returns integer language plpgsql as $$
declare
  v_pool text;
  v_jobs integer := 0;
begin
  for v_pool in
    select distinct j.locked_by from graphile_worker._private_jobs j
    where j.locked_by is not null and j.locked_at < now() - p_grace and not exists (
      select from ops.workers w where w.pool_id = j.locked_by and w.ended_at is null)
  loop
    v_jobs := v_jobs + ops.hand_back_pool(v_pool, 'crashed', p_error, now() - p_grace);
  end loop;
  return v_jobs;
end $$;

-- Cancels a job, or only if it is dead: at once if it does not run, else by a request, which must commit to be
-- heard. A run in the midst of a long transaction has the row of its job, so nobody waits for that. Gives
-- 'cancelled'; 'asked', or 'asking' where the request was there already; 'busy' if the row is being changed at this
-- moment; 'other' if it is not dead; nothing if the job is gone.
create function ops.cancel_job(p_job bigint, p_error jsonb, p_only_dead boolean default false) returns text
language plpgsql as $$
declare
  v_flag boolean;
begin
  select locked_by is not null into v_flag from graphile_worker._private_jobs where id = p_job;
  if not found then return null; end if;
  if v_flag then
    if p_only_dead then return 'other'; end if;
    insert into ops.cancel_requests (job_id, error) values (p_job, p_error) on conflict do nothing;
    return case when found then 'asked' else 'asking' end;
  end if;
  select attempts >= max_attempts into v_flag from graphile_worker._private_jobs
  where id = p_job and locked_by is null for update skip locked;
  if not found then return 'busy'; end if;
  if p_only_dead and not v_flag then return 'other'; end if;
  perform ops.take_off(p_job, p_error);
  return 'cancelled';
end $$;

-- Puts those of the jobs back that are dead, each with all its attempts. Gives them.
create function ops.retry_jobs(p_jobs bigint[]) returns setof bigint language plpgsql as $$
begin
  return query
    with dead as (
      select j.id from graphile_worker._private_jobs j
      where j.id = any (p_jobs) and j.locked_by is null and j.attempts >= j.max_attempts
      order by j.id for update skip locked)
    update graphile_worker._private_jobs j set run_at = now(), attempts = 0, updated_at = now()
    from dead where j.id = dead.id returning j.id;
  perform pg_notify('jobs:insert', json_build_object('r', random()::text, 'count', cardinality(p_jobs))::text);
end $$;

-- Requests that no run has answered: the job was handed back before the request was there, or it had ended.
create function ops.sweep_cancel_requests() returns void language plpgsql as $$
declare
  v_job bigint;
begin
  delete from ops.cancel_requests c
  where not exists (select from graphile_worker._private_jobs j where j.id = c.job_id);
  for v_job in
    select j.id from graphile_worker._private_jobs j
    where j.id in (select job_id from ops.cancel_requests) and j.locked_by is null
    order by j.id for update skip locked
  loop
    perform ops.cancel_if_asked(v_job);
  end loop;
end $$;

-- Which of the claims, by their place, do not stand any more: the job was handed back, or is to be cancelled.
create function ops.lost_claims(p_jobs bigint[], p_pools text[], p_claimed_at timestamptz[])
returns setof integer language sql stable as $$
  select c.number::integer from unnest(p_jobs, p_pools, p_claimed_at) with ordinality as c (job, pool, claimed_at, number)
  where exists (select from ops.cancel_requests r where r.job_id = c.job) or not exists (
    select from graphile_worker._private_jobs j
    where j.id = c.job and j.locked_by = c.pool and date_trunc('milliseconds', j.locked_at) = c.claimed_at)
$$;

-- Puts the parked jobs of a connection back. Called after the connection was released, in that transaction.
create function ops.release_jobs(p_brand uuid, p_connection uuid) returns integer language plpgsql as $$
declare v_jobs integer;
begin
  update graphile_worker._private_jobs set run_at = now(), attempts = 0, updated_at = now()
  where run_at = 'infinity' and locked_by is null
    and (ops.uuid_in(ops.payload_of(payload), 'brandId'), ops.uuid_in(ops.payload_of(payload), 'connectionId'))
      = (p_brand, p_connection);
  get diagnostics v_jobs = row_count;
  perform pg_notify('jobs:insert', json_build_object('r', random()::text, 'count', v_jobs)::text) where v_jobs > 0;
  return v_jobs;
end $$;

-- Makes a job, or gives the work to the one that waits under its key; gives its id. Nothing if add_job gave none: see
-- tasks/enqueue.ts. Without a time the job is to run at once, and gets its turn.
-- A job that waits for its turn keeps it, and of two priorities it takes the one that is served first. `preserve_run_at`
-- keeps a time of its own as well, and the attempts of a job that rests after a failure: add_job would give them all
-- back, and a job that always fails would never be dead.
create function ops.queue_job(
  p_task text, p_payload jsonb, p_lane text, p_run_at timestamptz, p_attempts integer, p_key text, p_priority text,
  p_key_mode text
) returns bigint language plpgsql as $$
declare
  v_flags text[] := ops.job_flags(p_task, p_payload);
  v_brand uuid := ops.uuid_in(p_payload, 'brandId');
  v_priority smallint;
  v_waits graphile_worker._private_jobs;
begin
  select priority into strict v_priority from ops.priorities where name = p_priority;
  if p_key is not null then
    select * into v_waits from graphile_worker._private_jobs
    where key = p_key and locked_at is null and attempts < max_attempts for update;
    v_priority := least(v_priority, v_waits.priority);
  end if;
  if v_waits.attempts > 0 and p_key_mode = 'preserve_run_at' then
    update graphile_worker._private_jobs set payload = p_payload::json where id = v_waits.id;
    return v_waits.id;
  elsif v_waits.attempts = 0 and (p_key_mode = 'preserve_run_at' or p_run_at is null and ops.is_turn(v_waits.run_at)) then
    update graphile_worker._private_jobs set payload = p_payload::json, priority = v_priority,
      flags = (select jsonb_object_agg(flag, true) from unnest(v_flags) flag),
      run_at = case when v_priority < priority and ops.is_turn(run_at) then ops.next_turn(v_brand, v_priority) else run_at end
    where id = v_waits.id;
    return v_waits.id;
  end if;
  return (graphile_worker.add_job(
    identifier => p_task, payload => p_payload::json, queue_name => p_lane,
    run_at => coalesce(p_run_at, ops.next_turn(v_brand, v_priority)), max_attempts => p_attempts, job_key => p_key,
    priority => v_priority, job_key_mode => p_key_mode, flags => v_flags)).id;
end $$;

-- Jobs for a connection, a retailer or a brand, by its id in their payload.
create function ops.jobs_naming(p_id uuid) returns setof bigint language sql stable as $$
  select j.id from graphile_worker._private_jobs j
  cross join lateral (select ops.payload_of(j.payload) as payload) p
  where p_id in (ops.uuid_in(p.payload, 'brandId'), ops.uuid_in(p.payload, 'retailerId'), ops.uuid_in(p.payload, 'connectionId'))
$$;

-- Takes them off the queue, with the lanes that are named after it. One that runs finds its fence broken; one
-- that is in the midst of a transaction is waited for.
create function ops.remove_jobs(p_id uuid) returns integer language plpgsql as $$
declare
  v_ids bigint[];
begin
  select array_agg(id) into v_ids from (
    select j.id from graphile_worker._private_jobs j
    where j.id in (select ops.jobs_naming(p_id)) order by j.id for update) locked;
  delete from graphile_worker._private_jobs where id = any (v_ids);
  delete from graphile_worker._private_job_queues q
  where position(p_id::text in q.queue_name) > 0
    and not exists (select from graphile_worker._private_jobs j where j.job_queue_id = q.id);
  return coalesce(cardinality(v_ids), 0);
end $$;

-- The group of failures that a job bears: that of its last run that ended by itself. One that was given back, or waits
-- for its time, says nothing of how the work goes.
create function ops.failure_of_job(p_job bigint) returns text language sql stable as $$
  select failure_group from ops.job_runs
  where job_id = p_job and finished_at is not null
    and (failure_group is not null or outcome not in ('released', 'snoozed'))
  order by id desc limit 1
$$;

-- What is on the queue: the only place that says how a job stands and why.
create view ops.jobs as
select j.id as job_id, t.identifier as task, q.queue_name as lane, j.key, p.payload,
       ops.uuid_in(p.payload, 'brandId') as brand_id, ops.uuid_in(p.payload, 'connectionId') as connection_id,
       ops.uuid_in(p.payload, 'retailerId') as retailer_id,
       s.state,
       case s.state
         when 'dead' then j.last_error
         when 'retrying' then j.last_error
         when 'held' then 'its connection waits for a person'
         when 'paused' then (
           select p.why from ops.current_pauses p where j.flags ? p.flag order by p.by_breaker, p.until desc nulls first limit 1)
         when 'running' then (select 'it is being cancelled' from ops.cancel_requests c where c.job_id = j.id)
         when 'waiting' then case
           when j.run_at > now() then 'its time has not come'
           when q.locked_at is not null then 'another job of its lane runs'
           else 'no worker has taken it yet' end
       end as why,
       j.attempts, j.max_attempts,
       case when ops.is_turn(j.run_at) then j.updated_at when j.run_at < ops.no_end() then j.run_at end as run_at,
       j.created_at, n.name as priority, j.priority as priority_number, j.run_at as turn, j.last_error,
       case when j.last_error is not null or j.run_at = 'infinity' then ops.failure_of_job(j.id) end as failure_group
from graphile_worker._private_jobs j
join graphile_worker._private_tasks t on t.id = j.task_id
left join graphile_worker._private_job_queues q on q.id = j.job_queue_id
left join ops.priorities n on n.priority = j.priority
cross join lateral (select ops.payload_of(j.payload) as payload) p
cross join lateral (
  select case when j.locked_at is not null then 'running'
              when j.attempts >= j.max_attempts then 'dead'
              when j.run_at = 'infinity' then 'held'
              when exists (select from ops.current_pauses p where j.flags ? p.flag) then 'paused'
              when j.attempts > 0 then 'retrying'
              else 'waiting' end as state) s;
comment on view ops.jobs is 'jobs on the queue, each with its state: waiting, running, retrying, held, paused or dead, and why';
comment on column ops.jobs.run_at is
  'when it may run next, or since when it might; null while it is held, or paused without an end';
comment on column ops.jobs.priority_number is 'priority as a number: lower first';
comment on column ops.jobs.turn is 'its place among the jobs of its priority: lower first; a time of its own follows all turns';
comment on column ops.jobs.failure_group is 'how its last run that ended by itself failed, or what holds its connection; null if it did not fail';

-- Jobs and lanes that are locked by nobody who lives. A worker hands such jobs back within a minute, so what
-- stands here for longer waits for one.
create view ops.stale_locks as
with live as (
  select w.pool_id from ops.workers w
  where w.ended_at is null and exists (
    select from pg_locks l
    join pg_database d on d.oid = l.database and d.datname = current_database()
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and (l.classid::bigint << 32) | l.objid::bigint = w.lock_key)
)
select j.locked_by, j.locked_at, j.id as job_id, null::text as lane
from graphile_worker._private_jobs j
where j.locked_by not in (select pool_id from live) and j.locked_at < now() - interval '2 minutes'
union all
select q.locked_by, q.locked_at, null, q.queue_name
from graphile_worker._private_job_queues q
where q.locked_by is not null and q.locked_at < now() - interval '2 minutes' and not exists (
  select from graphile_worker._private_jobs j where j.job_queue_id = q.id and j.locked_by = q.locked_by);
comment on view ops.stale_locks is 'jobs locked by a worker that does not live, and lanes locked for no job, for more than two minutes';
