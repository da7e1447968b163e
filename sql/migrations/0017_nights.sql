-- The nightly run of a brand: everything is read, figures are computed, and the day before is judged. A *night* is
-- named by the day whose figures it completes. What it waits for stands in rows, so nothing has to wait for it.

create table ops.nights (
  brand_id uuid not null references app.brands (id),
  day date not null,
  state text not null check (state in ('syncing', 'computing', 'provisional', 'complete')),
  begun_at timestamptz not null,
  patience_until timestamptz not null,
  deadline_at timestamptz not null,
  look_at timestamptz,
  step_job bigint,
  synced_at timestamptz,
  computed_at timestamptz,
  judged_at timestamptz,
  completed_at timestamptz,
  digest jsonb,
  primary key (brand_id, day)
);
create index nights_to_look_at on ops.nights (look_at) where look_at is not null;
comment on table ops.nights is 'nightly runs of brands, each named by the day whose figures it completes';
comment on column ops.nights.state is 'syncing or computing: it waits for its jobs; provisional: the day is not final yet; complete: it is';
comment on column ops.nights.patience_until is 'from then on it waits for nothing';
comment on column ops.nights.step_job is 'the job that takes it a step on, or did last';
comment on column ops.nights.look_at is 'when somebody looks at it next though none of its jobs has ended; null once nothing is expected any more';

create table ops.night_jobs (
  brand_id uuid not null,
  day date not null,
  step text not null check (step in ('sync', 'rollup')),
  position integer generated always as identity,
  connection_id uuid,
  retailer_id uuid,
  job_id bigint,
  note text,
  primary key (brand_id, day, step, position),
  foreign key (brand_id, day) references ops.nights (brand_id, day) on delete cascade
);
create unique index job_of_night on ops.night_jobs (brand_id, day, job_id) where job_id is not null;
create index night_jobs_of_connection on ops.night_jobs (brand_id, connection_id);
create index night_jobs_of_retailer on ops.night_jobs (brand_id, retailer_id);
comment on table ops.night_jobs is 'what a night waits for: jobs of connections, then of retailers and the brand';
comment on column ops.night_jobs.job_id is 'null where there is no job to wait for: note says why';
