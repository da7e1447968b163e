-- What Ayrshare knows. A connection is one of its profiles, and a profile has one account per network at most: so a
-- network's name is the id of an account here, and "<network>/<id there>" that of a post.

create table raw.ayrshare_profiles (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  title text,
  status text,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.ayrshare_profiles is 'the profile of a connection, by its refId; the primary profile of an account is in no list of Ayrshare';

create table raw.ayrshare_accounts (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text,
  username text,
  kind text,
  refresh_days_remaining integer,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.ayrshare_accounts is 'accounts that are linked to the profile, by network';
comment on column raw.ayrshare_accounts.kind is 'LinkedIn: corporate or personal';
comment on column raw.ayrshare_accounts.refresh_days_remaining is 'days until the link expires, where the network lets it expire';

create table raw.ayrshare_posts (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  platform text not null,
  published_at timestamptz not null,
  kind text,
  url text,
  text text,
  campaign text,
  lacks_metrics boolean not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.ayrshare_posts is 'posts on the networks, whoever sent them, without their numbers; of networks that give no list of posts, those that were sent through Ayrshare';
comment on column raw.ayrshare_posts.campaign is 'utm_campaign of the first link in the text that names one';
comment on column raw.ayrshare_posts.lacks_metrics is 'whether the list of posts leaves out numbers that the network gives for single posts';
create index ayrshare_posts_by_time on raw.ayrshare_posts (brand_id, connection_id, published_at);

create table raw.ayrshare_sent_posts (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  created_at timestamptz not null,
  scheduled_at timestamptz,
  platforms text[] not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.ayrshare_sent_posts is 'posts that were sent through Ayrshare, or failed, by its own ids';

-- One row per number, so that a number that one answer lacks interrupts no series of it.
create table raw.ayrshare_post_readings (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  metric text not null,
  read_at timestamptz not null,
  value numeric not null,
  platform text not null,
  published_at timestamptz not null,
  field text not null,
  mapping_version integer not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id, metric, read_at)
);
comment on table raw.ayrshare_post_readings is 'lifetime numbers of posts as they were read; a reading that says nothing new is not stored';
comment on column raw.ayrshare_post_readings.read_at is 'as of when Ayrshare gives the number, else when it was requested';
comment on column raw.ayrshare_post_readings.field is 'the fields of the network that the number was read from';
comment on column raw.ayrshare_post_readings.mapping_version is 'version of the map from fields to metrics';
create index ayrshare_post_readings_by_time on raw.ayrshare_post_readings (brand_id, connection_id, read_at);
create index ayrshare_post_readings_by_post_time on raw.ayrshare_post_readings (brand_id, connection_id, published_at);

create table raw.ayrshare_account_readings (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  metric text not null,
  read_at timestamptz not null,
  value numeric not null,
  read_on date not null,
  field text not null,
  mapping_version integer not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id, metric, read_at)
);
comment on table raw.ayrshare_account_readings is 'numbers of accounts as they were read, at least one row per day of a reading, so that a day without one is a gap';
comment on column raw.ayrshare_account_readings.metric is 'the number; "read <metric>" says that the posts of the network were read and give this one';
comment on column raw.ayrshare_account_readings.read_on is 'day of the reading in the zone that the brand then had';
create index ayrshare_account_readings_by_time on raw.ayrshare_account_readings (brand_id, connection_id, read_at);

create table raw.ayrshare_snapshots (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  source text not null,
  read_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id, source, read_at)
);
comment on table raw.ayrshare_snapshots is 'numbers of posts and accounts in the network''s own words, for every answer that differs from the one before: its fields change, and a new map must find the old ones';
comment on column raw.ayrshare_snapshots.source is 'history, analytics or account: the request that gave it';

insert into ops.streams (stream, provider, late_after, feeds, rows_in, dated_by)
values
  ('ayrshare.user', 'ayrshare', '3 hours', '{}', null, null),
  ('ayrshare.profiles', 'ayrshare', '3 hours', '{}', null, null),
  ('ayrshare.sent_posts', 'ayrshare', '3 hours', '{}', null, null),
  ('ayrshare.posts', 'ayrshare', '3 hours', '{social}', 'raw.ayrshare_posts', 'published_at'),
  ('ayrshare.post_metrics', 'ayrshare', '3 hours', '{social}', null, null),
  ('ayrshare.account_metrics', 'ayrshare', '3 hours', '{social}', null, null);
