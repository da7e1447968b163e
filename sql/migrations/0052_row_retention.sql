-- Rules of rows: for how long a brand keeps records of its work, its history and its events. Months of events are made ahead.

insert into ops.retention_rules (rule, position, unit, usual, least, most, keeps) values
  ('job_runs', 11, 'days', 365, 30, 3650, 'runs of jobs and of snapshots, since their end'),
  ('restatements', 12, 'days', 365, 365, 3650, 'the log of final figures that have changed'),
  ('stock_history', 13, 'days', 365, 90, 3650, 'each reading of stock; of months before, the last one of each variant'),
  ('webhook_bodies', 14, 'days', 7, 4, 30, 'what providers delivered, once it is loaded'),
  ('events', 15, 'days', 400, 1, 3650, 'events of senders; their figures stay, and older ones are refused');

insert into app.retention (brand_id, rule, kept)
select id, 'events', events_days from app.brands where events_days <> 400;
alter table app.brands drop column events_days;

create index snapshot_runs_by_age on ops.snapshot_runs (brand_id, finished_at);

create or replace function ops.drop_event_month(p_now timestamptz) returns boolean
language plpgsql as $$
declare v_name text; v_empty boolean;
begin
  perform set_config('lock_timeout', '200ms', true);
  for v_name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'raw.events'::regclass
      and to_date(substr(c.relname, 8), 'YYYY_MM') + interval '32 days' < p_now - (
        select coalesce(max(kept), 0) from ops.retention where rule = 'events') * interval '1 day'
    order by 1
  loop
    execute format('select not exists (select from raw.%I)', v_name) into v_empty;
    continue when not v_empty;
    lock table only raw.events in access exclusive mode;
    execute format('select not exists (select from raw.%I)', v_name) into v_empty;
    if v_empty then execute format('drop table raw.%I', v_name); end if;
    return v_empty;
  end loop;
  return false;
exception when lock_not_available then return false;
end $$;

comment on view bi.restatements is 'Figures of days that were final and have changed since, one row for each column of a row: the first final value and all differences add up to the present one. A day is final once bi.completeness said so and nothing of it waited to be computed. Kept for a year, or as long as the brand says.';
