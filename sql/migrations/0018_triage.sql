-- Triage: failures that are alike are one group, which somebody owns, notes something about, or has seen.
-- Alike are failures of one task of one brand (or of the platform) with the same code, the same message but for ids,
-- numbers, instants and quoted values, and the same place in our code.

-- Any number of hosts may fail alike at the same moment, and none may wait for another. So a group has as many
-- counters as runs of it ever ended at once: whoever finds all of them locked makes another. Their sum is exact.
create table ops.failures (
  id bigint generated always as identity primary key,
  brand_id uuid,
  failure_group text not null,
  connection_id uuid,
  task text not null,
  error_code text not null,
  message text not null,
  frame text not null,
  failures bigint not null default 1,
  first_at timestamptz not null,
  last_at timestamptz not null,
  last_run bigint not null
);
create index failures_of_brand on ops.failures (brand_id, connection_id);
create index failures_of_group on ops.failures (failure_group, connection_id);
comment on table ops.failures is 'counters of failed runs, by group and connection; a group has several where runs of it ended at once';
comment on column ops.failures.failure_group is 'which failures are alike: a digest of brand, task, code, message and frame';
comment on column ops.failures.message is 'the error message without what differs from run to run';
comment on column ops.failures.frame is 'where in our code the error arose: function and file of the first frame of the stack that is ours';
comment on column ops.failures.last_run is 'record of the last run that the counter counted: an example';

create table ops.failure_triage (
  brand_id uuid,
  failure_group text not null,
  owner text,
  note text,
  acknowledged_by text,
  acknowledged_at timestamptz,
  until timestamptz,
  more_than bigint,
  failures_then bigint,
  connections_then uuid[],
  unique nulls not distinct (brand_id, failure_group),
  constraint whole_acknowledgement check (
    num_nulls(acknowledged_by, acknowledged_at, until, failures_then, connections_then) in (0, 5)
    and (acknowledged_at is not null or more_than is null))
);
comment on table ops.failure_triage is 'what people said of groups of failures: who sees to one, what is known, and that it has been seen';
comment on column ops.failure_triage.until is 'the acknowledgement ends then';
comment on column ops.failure_triage.more_than is 'or after more further failures than this; null: however many';
comment on column ops.failure_triage.failures_then is 'how often it had failed when it was acknowledged';
comment on column ops.failure_triage.connections_then is 'the connections that it concerned then; another one ends the acknowledgement';

-- The message without what differs from run to run: quoted values, ids, numbers, instants.
create function ops.normalised_message(p_message text) returns text language sql immutable as $$
  select left(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(p_message,
    '"[^"\n]*"|“[^”\n]*”|`[^`\n]*`|(?<!\w)''[^''\n]*''(?!\w)', '"…"', 'g'),
    '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', '<id>', 'g'),
    '\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?', '<time>', 'g'),
    '[\w-]*\d[\w-]*', '<n>', 'g'),
    '<n>(?:[.,:/]<n>)+', '<n>', 'g'), 500)
$$;

-- The message without the names of the connection of a run, which its counters have. Its own name may be any word, such as
-- that of its provider, so it is taken out where the message says that it is one.
create function ops.without_connection(p_message text, p_brand uuid, p_connection uuid) returns text language sql stable as $$
  select coalesce((
    select regexp_replace(regexp_replace(p_message,
      '(?<![\w-])' || regexp_replace(c.account, '(\W)', '\\\1', 'g') || '(?![\w-])', '<account>', 'g'),
      '(?<=\m[Cc]onnection )' || c.name || '(?![\w-])', '<connection>', 'g')
    from app.connections c where (c.brand_id, c.id) = (p_brand, p_connection)), p_message)
$$;

-- Function and file of the first frame that is ours. Lines are left out: each release moves them.
create function ops.top_frame(p_stack text) returns text language sql immutable as $$
  select coalesce((
    select concat_ws(' ', frame[1], frame[2])
    from string_to_table(p_stack, E'\n') with ordinality as l (line, number)
    cross join lateral regexp_match(line,
      '^\s*at (?:async )?(?:([^(]*) \()?[^()]*/((?:runtime|sql|connectors|tasks|workers|bin)/[\w/.-]+)\.[jt]s:\d+') as frame
    where frame is not null and line !~ 'node_modules/(?!nightshift/)'
    order by number limit 1), '')
$$;

-- Counts a run that failed, in the transaction that ends it, and gives its group. Waits for nobody.
create function ops.note_failure(p_run ops.job_runs, p_error jsonb) returns text language plpgsql as $$
declare
  v_code text := coalesce(p_error ->> 'code', 'unknown');
  v_message text := ops.normalised_message(
    ops.without_connection(coalesce(p_error ->> 'message', ''), p_run.brand_id, p_run.connection_id));
  v_frame text := ops.top_frame(p_error ->> 'stack');
  v_group text := left(encode(sha256(convert_to(
    concat_ws(E'\x1f', p_run.brand_id, p_run.task, v_code, v_message, v_frame), 'UTF8')), 'hex'), 12);
begin
  update ops.job_runs set failure_group = v_group where id = p_run.id;
  update ops.failures set failures = failures + 1, last_at = clock_timestamp(), last_run = p_run.id
  where id = (
    select f.id from ops.failures f
    where f.failure_group = v_group and f.brand_id is not distinct from p_run.brand_id
      and f.connection_id is not distinct from p_run.connection_id
    order by f.id limit 1 for update skip locked);
  if not found then
    insert into ops.failures
      (brand_id, failure_group, connection_id, task, error_code, message, frame, first_at, last_at, last_run)
    values (p_run.brand_id, v_group, p_run.connection_id, p_run.task, v_code, v_message, v_frame,
      clock_timestamp(), clock_timestamp(), p_run.id);
  end if;
  return v_group;
end $$;

-- An acknowledgement ends by what it says, without anybody to end it.
create view ops.failure_groups as
select f.*, t.owner, t.note, t.acknowledged_by, t.acknowledged_at, t.until, t.more_than,
       r.reopened_because, t.acknowledged_at is not null and r.reopened_because is null as is_acknowledged
from (
  select f.brand_id, f.failure_group as id, min(f.task) as task, min(f.error_code) as error_code,
         min(f.message) as message, min(f.frame) as frame, sum(f.failures)::bigint as failures,
         min(f.first_at) as first_at, max(f.last_at) as last_at, max(f.last_run) as last_run,
         coalesce(array_agg(distinct f.connection_id) filter (where f.connection_id is not null), '{}') as connections
  from ops.failures f group by f.brand_id, f.failure_group) f
left join ops.failure_triage t on t.failure_group = f.id and t.brand_id is not distinct from f.brand_id
cross join lateral (
  select case
    when t.until <= now() then 'the acknowledgement has ended'
    when f.failures - t.failures_then > t.more_than
      then format('it failed %s times since, more than %s', f.failures - t.failures_then, t.more_than)
    when not f.connections <@ t.connections_then then 'it concerns another connection' end as reopened_because) r;
comment on view ops.failure_groups is 'failures that are alike: how often, since when, where, and what people said of them';
