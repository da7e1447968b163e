-- Promises that are broken: one alert for each, and one more when it is kept after all.
create table ops.alerts (
  id bigint generated always as identity primary key,
  brand_id uuid references app.brands (id),
  promise text not null check (length(promise) <= 200),
  cause text not null,
  hint text not null,
  raised_at timestamptz not null,
  resolved_at timestamptz
);
create unique index alert_of_promise on ops.alerts (brand_id, promise) nulls not distinct where resolved_at is null;
create index alerts_by_age on ops.alerts (raised_at);
comment on table ops.alerts is 'broken promises; one is open until it is resolved, and is raised once';
comment on column ops.alerts.promise is 'what should hold, such as: figures of 2026-11-29 by 06:00';
comment on column ops.alerts.cause is 'why it does not';
comment on column ops.alerts.hint is 'the command that mends it, or shows more';
