-- Snapshots: what stands in a store of files, as one knows it without asking the store. The store is the truth:
-- `snapshots sync` makes these rows again from the manifests in it.

create table ops.snapshots (
  brand_id uuid not null,
  id uuid not null,
  brand_slug text not null,
  scope text not null check (scope in ('aggregates', 'all')),
  state text not null check (state in ('creating', 'complete', 'damaged')),
  store text not null,
  created_at timestamptz not null,
  completed_at timestamptz,
  lsn text,
  server_version integer,
  schema_version text,
  previous_id uuid,
  manifest_sha256 text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  rows bigint not null default 0,
  bytes bigint not null default 0,
  stored_bytes bigint not null default 0,
  parts integer not null default 0,
  new_parts integer not null default 0,
  new_bytes bigint not null default 0,
  verified_level smallint check (verified_level between 0 and 5),
  verified_at timestamptz,
  damage text,
  expires_at timestamptz,
  primary key (brand_id, id),
  check ((state = 'creating') = (manifest_sha256 is null)),
  check ((verified_level is null) = (verified_at is null))
);
create index snapshots_latest on ops.snapshots (brand_id, created_at desc) where state <> 'creating';
comment on table ops.snapshots is 'snapshots of a brand in a store; one that is being made, or was left half made, is of state creating. A brand that is gone may still have some';
comment on column ops.snapshots.created_at is 'the instant whose data it holds';
comment on column ops.snapshots.brand_slug is 'slug of the brand at that instant';
comment on column ops.snapshots.lsn is 'place in the write-ahead log of the server at that instant';
comment on column ops.snapshots.schema_version is 'last migration that was applied';
comment on column ops.snapshots.previous_id is 'the one before; its hash stands in the manifest';
comment on column ops.snapshots.manifest_sha256 is 'hash of the file of the manifest';
comment on column ops.snapshots.bytes is 'bytes of its rows as text, not compressed';
comment on column ops.snapshots.stored_bytes is 'bytes of all its parts in the store, those that other snapshots share with it included';
comment on column ops.snapshots.new_bytes is 'stored bytes of the parts that it wrote itself';
comment on column ops.snapshots.verified_level is 'highest level of the last verification: 0 files present, 1 hashes of the files, 2 decrypted and parsed, 3 restored, 4 recomputed, 5 restored on another version; null until the first, and once damage was found';
comment on column ops.snapshots.damage is 'what the last verification found';

create table ops.snapshot_parts (
  brand_id uuid not null,
  snapshot_id uuid not null,
  table_name text not null,
  part text not null,
  name text not null,
  key_id uuid not null,
  header_sha256 text not null,
  rows bigint not null,
  row_hash numeric not null,
  bytes bigint not null,
  stored_bytes bigint not null,
  stored_sha256 text not null,
  is_new boolean not null,
  primary key (brand_id, snapshot_id, table_name, part),
  foreign key (brand_id, snapshot_id) references ops.snapshots on delete cascade
);
create index snapshot_parts_of_name on ops.snapshot_parts (brand_id, name);
comment on table ops.snapshot_parts is 'files that a snapshot is made of. Several snapshots have one in common as long as nothing in it changes';
comment on column ops.snapshot_parts.part is 'month, bucket, or all';
comment on column ops.snapshot_parts.name is 'hash of the content before it is compressed and encrypted';
comment on column ops.snapshot_parts.key_id is 'the snapshot that wrote the file: its data key opens it';
comment on column ops.snapshot_parts.header_sha256 is 'hash of the first line, which names brand, table, part and columns';
comment on column ops.snapshot_parts.row_hash is 'sum of the hashes of its rows, in any order';
comment on column ops.snapshot_parts.is_new is 'whether this snapshot wrote it';

create table ops.snapshot_runs (
  brand_id uuid not null,
  id bigint generated always as identity,
  kind text not null check (kind ~ '^[a-z_]{1,40}$'),
  snapshot_id uuid,
  job_id bigint,
  level smallint,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  outcome text check (outcome in ('succeeded', 'failed', 'broken_off')),
  error_code text,
  error_message text,
  tally jsonb,
  primary key (brand_id, id),
  check ((finished_at is null) = (outcome is null))
);
create index snapshot_runs_of_time on ops.snapshot_runs (brand_id, started_at desc);
comment on table ops.snapshot_runs is 'each run that made, verified or used a snapshot, those that failed included';
comment on column ops.snapshot_runs.kind is 'create, verify …';
comment on column ops.snapshot_runs.outcome is 'null while it runs; broken_off if its process ended before it';

create view bi.snapshots as
select s.brand_id, coalesce(b.slug, s.brand_slug) as brand, s.id as snapshot, s.scope, s.state, s.created_at, s.completed_at,
       s.rows, s.bytes, s.stored_bytes, s.new_bytes, s.parts, s.new_parts, s.verified_level, s.verified_at, s.expires_at
from ops.snapshots s
left join app.brands b on b.id = s.brand_id
where s.state <> 'creating';
comment on view bi.snapshots is 'snapshots from which the data of a brand can be restored';
comment on column bi.snapshots.brand_id is 'id of the brand';
comment on column bi.snapshots.brand is 'slug of the brand; of one that is gone, as it was';
comment on column bi.snapshots.snapshot is 'id of the snapshot';
comment on column bi.snapshots.scope is 'aggregates: configuration and figures; all: also the rows of providers and the state of the platform';
comment on column bi.snapshots.state is 'complete, or damaged if the last verification found that files are missing or changed';
comment on column bi.snapshots.created_at is 'the instant whose data it holds';
comment on column bi.snapshots.completed_at is 'when its last file was in place';
comment on column bi.snapshots.rows is 'rows of all tables';
comment on column bi.snapshots.bytes is 'bytes of the rows as text';
comment on column bi.snapshots.stored_bytes is 'bytes in the store, files that it shares with other snapshots included';
comment on column bi.snapshots.new_bytes is 'bytes in the store that this snapshot added';
comment on column bi.snapshots.parts is 'files that it is made of';
comment on column bi.snapshots.new_parts is 'files that this snapshot added';
comment on column bi.snapshots.verified_level is 'highest level of the last verification: 0 present, 1 hashes, 2 parsed, 3 restored, 4 recomputed, 5 restored on another version';
comment on column bi.snapshots.verified_at is 'when that was';
comment on column bi.snapshots.expires_at is 'when it may be deleted; null until that is decided';
