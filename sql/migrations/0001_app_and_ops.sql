-- Who we work for (app) and what the platform itself must remember (ops).
-- Every key that holds tenant data begins with brand_id and no constraint crosses brands.

create schema app;
create schema raw;
create schema fact;
create schema agg;
create schema bi;
create schema if not exists ops; -- the migration runner keeps its table here and may have made it

create table app.brands (
  id uuid primary key default gen_random_uuid(),
  slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null check (length(name) between 1 and 200),
  time_zone text not null,
  reporting_currency text not null check (reporting_currency ~ '^[A-Z]{3}$'),
  complete_by time not null default '06:00',
  person_secret bytea, -- sealed like the secrets of connections
  person_secret_key_id text,
  removing_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table app.brands is 'the tenants: who sells';
comment on column app.brands.time_zone is 'IANA zone; the days of every figure are days of this zone';
comment on column app.brands.complete_by is 'time of the brand''s day by which the figures of the day before should be final';
comment on column app.brands.person_secret is
  'key of the digests by which rows name persons: without it nobody can tell whose e-mail address a digest is of; made when first needed';
comment on column app.brands.removing_at is 'when its removal began; since then nothing can be added to it';

create table app.retailers (
  brand_id uuid not null references app.brands (id),
  id uuid not null default gen_random_uuid(),
  slug text not null check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null check (length(name) between 1 and 200),
  removing_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (brand_id, id),
  unique (brand_id, slug)
);
comment on table app.retailers is 'those through whom a brand sells';
comment on column app.retailers.removing_at is 'when its removal began; since then nothing can be added to it';

create table app.connections (
  brand_id uuid not null references app.brands (id),
  id uuid not null default gen_random_uuid(),
  retailer_id uuid,
  name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  provider text not null,
  level text not null default 'retailer' check (level in ('retailer', 'brand')),
  account text not null,
  base_url text not null,
  auth text not null,
  secret bytea not null,
  secret_key_id text not null,
  secret_changed_at timestamptz,
  token bytea, -- a short-lived access token, sealed like the secret
  token_key_id text,
  token_expires_at timestamptz,
  requests_per_second integer check (requests_per_second between 1 and 10000),
  account_zone text,
  granted_scopes text[],
  account_asked_at timestamptz,
  checked_at timestamptz,
  held_at timestamptz,
  held_code text,
  held_reason text,
  held_by_failure text,
  removing_at timestamptz,
  removed_from uuid,
  created_at timestamptz not null default now(),
  primary key (brand_id, id),
  unique (brand_id, name),
  constraint account_once unique (brand_id, provider, account), -- a second one would count every sale twice
  foreign key (brand_id, retailer_id) references app.retailers (brand_id, id),
  foreign key (brand_id, removed_from) references app.retailers (brand_id, id),
  constraint belongs_to_a_retailer_by_level
    check (retailer_id is not null or removing_at is not null or level = 'brand'),
  constraint removed_is_held check (removing_at is null or held_at is not null and retailer_id is null),
  constraint only_what_is_removed_had_another check (removed_from is null or removing_at is not null)
);
comment on table app.connections is 'accounts at providers, with their sealed keys';
comment on column app.connections.level is 'who owns a connection to this provider: one retailer, or the whole brand';
comment on column app.connections.secret_changed_at is 'when its key was last replaced; null while it has its first one';
comment on column app.connections.requests_per_second is
  'requests per second that the provider allows this account; null for its standard limit';
comment on column app.connections.account_zone is
  'IANA zone of the account''s own calendar days, for a provider that gives figures by day and does not say in which zone; null for that of the brand';
comment on column app.connections.account_asked_at is
  'when the provider was asked whose key this is; null after a new key or address, so that it is asked again';
comment on column app.connections.held_at is 'set while a person must act; no job of a held connection runs';
comment on column app.connections.held_by_failure is 'the group of failures (ops.failure_groups) that held it; null if a person did';
comment on column app.connections.removing_at is 'when its removal began; since then it belongs to nobody, loads nothing, and loses its rows';
comment on column app.connections.removed_from is 'retailer that it belonged to when its removal began';

-- Assigns each part of a brand's connection (a list, an audience …) to the retailer that owns its rows.
create table app.connection_parts (
  brand_id uuid not null,
  connection_id uuid not null,
  part text not null check (length(part) between 1 and 200),
  retailer_id uuid not null,
  primary key (brand_id, connection_id, part),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id),
  foreign key (brand_id, retailer_id) references app.retailers (brand_id, id)
);
create index connection_parts_of_retailer on app.connection_parts (brand_id, retailer_id);
comment on table app.connection_parts is 'parts of a brand''s connection whose rows belong to one retailer; the rows of all other parts belong to the brand alone';

create table app.fx_rates (
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  day date not null,
  units_per_euro numeric not null check (units_per_euro > 0),
  source text not null,
  seen_at timestamptz not null,
  doubts text[] not null default '{}',
  primary key (currency, day)
);
comment on table app.fx_rates is
  'Euro reference rates as published, never filled in for other days (Source: ECB statistics)';
comment on column app.fx_rates.units_per_euro is 'units of currency for one euro';
comment on column app.fx_rates.doubts is
  'why a person should look at the rate, which is used all the same: jump (more than 20 % from its last '
  'publication), few_currencies (its day had fewer than 25, or no USD or GBP), closed_day (the ECB does '
  'not publish on such days)';

create table ops.positions (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  position jsonb not null,
  state text not null default 'never' check (state in ('never', 'ok', 'partial', 'failing')),
  cause text,
  last_run_at timestamptz,
  last_success_at timestamptz,
  whole_by_clock_at timestamptz,
  complete_to timestamptz,
  reconciled_at timestamptz,
  updated_at timestamptz not null,
  first_load_job bigint,
  primary key (brand_id, connection_id, stream),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table ops.positions is 'sync state: where the next run of each stream resumes; committed together with the rows that were read up to there';
comment on column ops.positions.whole_by_clock_at is
  'when, by the clock, it last completed; last_success_at is the instant as of which it was read, which a scenario may set';
comment on column ops.positions.complete_to is
  'watermark: every change up to here was stored when the stream last completed; null if it never did, or has no such instant';
comment on column ops.positions.reconciled_at is
  'when the stored data of the last weeks was last compared with a fresh list of the provider';
comment on column ops.positions.first_load_job is 'the job that was queued to read the stream for the first time; only while that job runs or may run does anything wait for it';

-- Append-only and without a unique key on purpose: an upserted mark gets lost when a load keeps the
-- old one, a rollup deletes it and only then the load commits.
create table ops.marks (
  brand_id uuid not null,
  subject text not null,
  retailer_id uuid,
  day date,
  object text,
  marked_at timestamptz not null,
  constraint one_partition check (num_nonnulls(day, object) = 1)
);
create index marks_of_partition on ops.marks (brand_id, retailer_id, day);
create index marks_of_object on ops.marks (brand_id, retailer_id, object) where object is not null;
comment on table ops.marks is 'what has changed since its figures were computed; a rollup takes the marks of what it reads';
comment on column ops.marks.subject is 'what changed: sales, payments, subscriptions, fx, calendar …, or a table of figures that others are made from';
comment on column ops.marks.retailer_id is 'whose figures; null for the brand''s';
comment on column ops.marks.day is 'day in the brand''s time zone; null where one object is marked';
comment on column ops.marks.object is 'one object of a connection, such as a subscription: id of the connection, a blank and the provider''s id; null where a day is marked';

create table ops.rejected_rows (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  row_key text not null,
  reason text not null,
  payload jsonb not null,
  rejected_at timestamptz not null,
  primary key (brand_id, connection_id, stream, row_key)
);
comment on table ops.rejected_rows is 'quarantine: records that a stream could not understand; a row leaves when its record loads, is deleted or is dismissed';

-- A deletion can be read before the version that it ends: a bulk result is fetched hours after it was
-- made. It waits here, so that the late version does not bring a deleted object back.
create table ops.early_deletions (
  brand_id uuid not null,
  connection_id uuid not null,
  table_name text not null,
  id text not null,
  deleted_at timestamptz not null,
  seen_at timestamptz not null,
  primary key (brand_id, connection_id, table_name, id)
);
comment on table ops.early_deletions is
  'deletions of objects that were never stored; one leaves when a newer version of its object loads';

create table ops.rate_budgets (
  provider text not null,
  account text not null,
  available numeric not null,
  maximum numeric not null,
  restore_per_second numeric not null,
  seen_at timestamptz not null,
  blocked_until timestamptz,
  primary key (provider, account)
);
comment on table ops.rate_budgets is 'token buckets of provider accounts, which all workers share';

create table ops.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  brand_id uuid,
  target text not null,
  before jsonb,
  after jsonb,
  details jsonb not null default '{}'
);
create index audit_log_by_age on ops.audit_log (at, id);
create index audit_log_by_brand on ops.audit_log (brand_id, at, id);
create index audit_log_removed_brands on ops.audit_log (target) where action = 'brands.remove';
comment on table ops.audit_log is 'what operators did, written in the transaction that did it';
comment on column ops.audit_log.action is 'noun.verb';
comment on column ops.audit_log.before is 'the values that the action changed; null where nothing was there before';
comment on column ops.audit_log.after is 'the same values as the action left them; null where nothing is left';
comment on column ops.audit_log.details is 'what else the action was told';
