-- When the records of the platform are next rid of what is too old: sql/queue/retention.ts says what that is. Whoever
-- finds it due moves it on and queues the job in one transaction, so it is queued once, however many look.
create table ops.retention (
  is_only_row boolean primary key default true check (is_only_row),
  due_at timestamptz not null
);
comment on table ops.retention is 'when old records are next deleted: one row';
insert into ops.retention (due_at) values (now() + interval '1 day');
