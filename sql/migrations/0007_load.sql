-- What the loader must remember besides the rows themselves.

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
