-- What providers deliver. A verified *delivery* is kept for some days, so that a repetition is known. What it says is a
-- *hint* (this object of this stream changed: ask for it), or rows that a stream loads.

create index connections_by_id on app.connections (id);

create table app.webhook_secrets (
  brand_id uuid not null,
  connection_id uuid not null,
  id uuid not null default gen_random_uuid(),
  secret bytea not null,
  secret_key_id text not null,
  added_at timestamptz not null default now(),
  primary key (brand_id, connection_id, id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table app.webhook_secrets is 'sealed secrets that verify deliveries; while one is replaced, each of several does';

create table app.webhook_relays (
  brand_id uuid not null,
  connection_id uuid not null,
  url text not null check (length(url) <= 2000),
  added_at timestamptz not null default now(),
  primary key (brand_id, connection_id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table app.webhook_relays is 'consumers of the customer, to whom verified deliveries are forwarded as they came';

create table ops.webhook_deliveries (
  brand_id uuid not null,
  connection_id uuid not null,
  delivery_id text not null check (length(delivery_id) between 1 and 255),
  number bigint generated always as identity,
  topic text not null check (length(topic) <= 255),
  headers jsonb not null,
  body bytea not null,
  received_at timestamptz not null default now(),
  rows_of text,
  loaded_at timestamptz,
  relay text check (relay in ('waiting', 'done', 'refused')),
  relay_tries integer not null default 0,
  relay_error text,
  primary key (brand_id, connection_id, delivery_id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
create index deliveries_to_load on ops.webhook_deliveries (brand_id, connection_id, number)
  where rows_of is not null and loaded_at is null;
create index deliveries_to_relay on ops.webhook_deliveries (brand_id, connection_id, number) where relay = 'waiting';
create index deliveries_by_age on ops.webhook_deliveries (received_at);
comment on table ops.webhook_deliveries is 'verified deliveries of providers, each once; kept for as long as a provider repeats them';
comment on column ops.webhook_deliveries.delivery_id is 'the same for each repetition: of the provider, else a digest of the body';
comment on column ops.webhook_deliveries.headers is 'its signature and what belongs to it, for the relay';
comment on column ops.webhook_deliveries.body is 'empty once it is loaded and relayed, and from the start if it is neither: it names persons';
comment on column ops.webhook_deliveries.rows_of is 'the stream whose rows it contains; null for a hint, or for what no stream wants';
comment on column ops.webhook_deliveries.loaded_at is 'when its rows were loaded';
comment on column ops.webhook_deliveries.relay is 'refused: the consumer does not want it, however often it is sent';

-- Append-only like ops.marks: whoever has followed hints deletes those that he has seen, and no others.
create table ops.webhook_hints (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  number bigint generated always as identity,
  object_id text check (length(object_id) between 1 and 255),
  hinted_at timestamptz not null default now(),
  primary key (brand_id, connection_id, stream, number),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table ops.webhook_hints is 'objects that deliveries call changed and that are not read yet';
comment on column ops.webhook_hints.object_id is 'what the stream fetches it by; null: the stream reads its changes';

-- What a provider passes on of the law: a person wants to see or to be rid of what is stored, or an account is closed.
create table ops.privacy_requests (
  brand_id uuid not null,
  connection_id uuid not null,
  id bigint generated always as identity,
  kind text not null check (kind in ('export', 'erase_person', 'erase_account')),
  subject jsonb not null,
  requested_at timestamptz not null default now(),
  due_at timestamptz not null,
  done_at timestamptz,
  done_by text,
  primary key (brand_id, connection_id, id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
create index privacy_requests_open on ops.privacy_requests (due_at) where done_at is null;
comment on table ops.privacy_requests is 'requests of persons and of closed accounts that a provider passes on; open until somebody says that one is done';
comment on column ops.privacy_requests.subject is 'whom it concerns, by ids of the provider: no name and no address';
comment on column ops.privacy_requests.due_at is 'until when the provider wants it done';
