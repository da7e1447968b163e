-- Deliveries that do not get on: each waits by itself for its next try, work that fails rests, and somebody hears of it.

alter table ops.webhook_deliveries add column relay_due_at timestamptz not null default now();
alter table ops.webhook_deliveries add column relay_refused_since timestamptz;
alter table ops.webhook_deliveries drop constraint webhook_deliveries_relay_check;
alter table ops.webhook_deliveries add constraint webhook_deliveries_relay_check
  check (relay in ('waiting', 'done', 'refused', 'expired'));
drop index ops.deliveries_to_relay;
create index deliveries_to_relay on ops.webhook_deliveries (brand_id, connection_id, relay_due_at, number)
  where relay = 'waiting';
comment on column ops.webhook_deliveries.relay is
  'refused: the consumer has refused it for days; expired: it could not be forwarded for so long that it is given up';
comment on column ops.webhook_deliveries.relay_due_at is 'when it is forwarded next, while it waits';
comment on column ops.webhook_deliveries.relay_refused_since is
  'when the consumer first refused it; an answer of 5xx or none is no refusal';

-- One row while a kind of work fails. The job of the work ends all the same, and the next one is queued for retry_after:
-- a job that failed would come back beside the one that newer deliveries have made.
create table ops.webhook_trouble (
  brand_id uuid not null,
  connection_id uuid not null,
  work text not null check (length(work) <= 200),
  failures integer not null default 1,
  failing_since timestamptz not null default now(),
  retry_after timestamptz not null,
  error text not null,
  alert_id bigint,
  primary key (brand_id, connection_id, work),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table ops.webhook_trouble is 'work for deliveries that fails at present; a row goes when the work succeeds';
comment on column ops.webhook_trouble.work is 'relay; else the stream that is to be read, or, with `rows`, to load what was delivered';
comment on column ops.webhook_trouble.retry_after is 'nothing of it is tried before';
comment on column ops.webhook_trouble.alert_id is 'the alert that was raised because it failed for so long';

alter table ops.alerts drop constraint alerts_kind_check;
alter table ops.alerts add constraint alerts_kind_check
  check (kind in ('night', 'breaker', 'mail', 'privacy', 'webhooks'));
comment on column ops.alerts.kind is 'night: its figures are not final by the deadline; breaker: a provider keeps refusing a connection; mail: of a letter nobody can say whether it was sent; privacy: a request of a person is due soon; webhooks: deliveries of a connection are not followed, loaded or forwarded for an hour';

-- The secret of before goes on to verify while the provider changes over.
alter table app.webhook_secrets add column ends_at timestamptz;
comment on column app.webhook_secrets.ends_at is 'it verifies nothing from then on; null: until somebody drops it';

-- What a provider sends for all accounts of an app to one address is told apart by the account that it names.
create index connections_by_account on app.connections (provider, lower(account));

-- Where the id of a delivery is not signed, anyone who has one could send it again under others.
alter table ops.webhook_deliveries add column body_digest text check (length(body_digest) <= 64);
create index deliveries_of_body on ops.webhook_deliveries (brand_id, connection_id, body_digest)
  where body_digest is not null;
comment on column ops.webhook_deliveries.body_digest is 'what is signed of it, where that is not its id: some of a day are stored';
create index deliveries_not_understood on ops.webhook_deliveries (brand_id, connection_id)
  where topic = 'unreadable';
comment on column ops.webhook_deliveries.topic is
  'as the provider calls it; unreadable: its body is not what the provider sends';

-- A provider lists some changes only later: such a hint is kept until then.
alter table ops.webhook_hints add column due_at timestamptz not null default now();
comment on column ops.webhook_hints.due_at is 'before it the provider does not list the change yet';

-- Reading all changes of a stream costs more than an object: on a busy account each delivery would begin it anew.
create table ops.webhook_reads (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  next_at timestamptz not null,
  primary key (brand_id, connection_id, stream),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table ops.webhook_reads is 'when the changes of a stream may be read again because of a delivery: the longer that took, the later';

-- A job that asks no provider (p_asks_provider) bears no flag of its connection and provider alone: neither a breaker nor
-- a pause of the connection concerns it. It may be paused by its task, also within the connection, and with its brand.
drop function ops.job_flags(text, jsonb);
create function ops.job_flags(p_task text, p_payload jsonb, p_asks_provider boolean default true) returns text[]
language plpgsql stable as $$
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
  v_flags := v_flags || ops.pause_flag(p_task, null, v_brand, v_connection);
  if v_provider is not null then v_flags := v_flags || ops.pause_flag(p_task, v_provider, null, null); end if;
  if not p_asks_provider then return v_flags; end if;
  v_flags := v_flags || ops.pause_flag(null, null, v_brand, v_connection);
  return case when v_provider is null then v_flags else v_flags || ops.pause_flag(null, v_provider, null, null) end;
end $$;

-- As before, and with `earliest` a job that waits takes the earlier of two times. One that is parked stays so.
drop function ops.queue_job(text, jsonb, text, timestamptz, integer, text, text, text);
create function ops.queue_job(
  p_task text, p_payload jsonb, p_lane text, p_run_at timestamptz, p_attempts integer, p_key text, p_priority text,
  p_key_mode text, p_asks_provider boolean default true
) returns bigint language plpgsql as $$
declare
  v_flags text[] := ops.job_flags(p_task, p_payload, p_asks_provider);
  v_brand uuid := ops.uuid_in(p_payload, 'brandId');
  v_mode text := p_key_mode;
  v_priority smallint;
  v_waits graphile_worker._private_jobs;
begin
  select priority into strict v_priority from ops.priorities where name = p_priority;
  if p_key is not null then
    select * into v_waits from graphile_worker._private_jobs
    where key = p_key and locked_at is null and attempts < max_attempts for update;
    v_priority := least(v_priority, v_waits.priority);
  end if;
  if v_mode = 'earliest' then
    v_mode := case when v_waits.attempts > 0 or v_waits.run_at >= ops.no_end() or v_waits.run_at <= p_run_at
      then 'preserve_run_at' else 'replace' end;
  end if;
  if v_waits.attempts > 0 and v_mode = 'preserve_run_at' then
    update graphile_worker._private_jobs set payload = p_payload::json where id = v_waits.id;
    return v_waits.id;
  elsif v_waits.attempts = 0 and (v_mode = 'preserve_run_at' or p_run_at is null and ops.is_turn(v_waits.run_at)) then
    update graphile_worker._private_jobs set payload = p_payload::json, priority = v_priority,
      flags = (select jsonb_object_agg(flag, true) from unnest(v_flags) flag),
      run_at = case when v_priority < priority and ops.is_turn(run_at) then ops.next_turn(v_brand, v_priority) else run_at end
    where id = v_waits.id;
    return v_waits.id;
  end if;
  return (graphile_worker.add_job(
    identifier => p_task, payload => p_payload::json, queue_name => p_lane,
    run_at => coalesce(p_run_at, ops.next_turn(v_brand, v_priority)), max_attempts => p_attempts, job_key => p_key,
    priority => v_priority, job_key_mode => v_mode, flags => v_flags)).id;
end $$;

-- As before, but what holds a connection parks only the jobs that bear its flag.
create or replace function ops.begin_run(
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
  perform from graphile_worker._private_jobs j
  where j.id = p_job and (j.flags is null or j.flags ? ops.pause_flag(null, null, v_held.brand_id, v_held.id));
  if v_held.id is not null and found then
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

-- As before, but a success without a request says nothing of the provider, so it is not one of the five.
create or replace function ops.feed_breaker(p_run ops.job_runs, p_code text) returns timestamptz language plpgsql as $$
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
        and (outcome in ('retrying', 'snoozed', 'held', 'dead') or ops.was_answered(outcome, tally))
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
