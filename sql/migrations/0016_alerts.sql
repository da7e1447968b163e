-- Promises that are broken: one alert for each, and one more when it is kept after all.
create table ops.alerts (
  id bigint generated always as identity primary key,
  brand_id uuid references app.brands (id),
  connection_id uuid,
  kind text not null check (kind in ('night', 'breaker')),
  promise text not null check (length(promise) <= 200),
  cause text not null,
  hint text not null,
  raised_at timestamptz not null,
  resolved_at timestamptz
);
create unique index alert_of_promise on ops.alerts (brand_id, promise) nulls not distinct where resolved_at is null;
create index alerts_of_connection on ops.alerts (brand_id, connection_id) where connection_id is not null;
create index alerts_by_age on ops.alerts (raised_at);
comment on table ops.alerts is 'broken promises; one is open until it is resolved, and is raised once';
comment on column ops.alerts.kind is 'night: its figures are not final by the deadline; breaker: a provider keeps refusing a connection';
comment on column ops.alerts.promise is 'what should hold, such as: figures of 2026-11-29 by 06:00';
comment on column ops.alerts.cause is 'why it does not';
comment on column ops.alerts.hint is 'the command that mends it, or shows more';

-- An outside watch raises an alarm when nobody says any more that all is well: the one thing that we cannot say ourselves.
create table app.pings (
  brand_id uuid primary key references app.brands (id),
  address bytea not null,
  address_key_id text not null,
  set_at timestamptz not null default now()
);
comment on table app.pings is 'sealed addresses that are told when the night of a brand is complete';
