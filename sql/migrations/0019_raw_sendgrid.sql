-- What SendGrid knows. An e-mail address is stored nowhere: email_hash is its digest, keyed by app.brands.person_secret, the
-- same for one person in all tables of a brand. What may name a person otherwise (IP addresses, answers of mailboxes,
-- the rest of a link) is not stored either.

create table raw.sendgrid_statistics (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  scope text not null,
  name text not null,
  day date not null,
  part text,
  time_zone text not null,
  requests integer not null,
  processed integer not null,
  delivered integer not null,
  deferred integer not null,
  bounces integer not null,
  blocks integer not null,
  bounce_drops integer not null,
  invalid_emails integer not null,
  spam_report_drops integer not null,
  unsubscribe_drops integer not null,
  opens integer not null,
  unique_opens integer not null,
  clicks integer not null,
  unique_clicks integer not null,
  spam_reports integer not null,
  unsubscribes integer not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, scope, name, day)
);
comment on table raw.sendgrid_statistics is 'counts by calendar day of the account''s zone: of the account, of each category, of each subuser';
comment on column raw.sendgrid_statistics.scope is 'account, category or subuser';
comment on column raw.sendgrid_statistics.name is 'the category or subuser; account for the account';
comment on column raw.sendgrid_statistics.day is 'the date that SendGrid gives, never shifted: a day of time_zone, not of the brand''s';
comment on column raw.sendgrid_statistics.part is 'the part of app.connection_parts that the row is of; null for the account';
comment on column raw.sendgrid_statistics.time_zone is 'the zone of the day, as a person named it for the account';
comment on column raw.sendgrid_statistics.unique_opens is 'persons who opened on this day; a person is remembered for about 7 days, so the sum over days is not a number of persons, and may exceed delivered of the day';
comment on column raw.sendgrid_statistics.unique_clicks is 'as unique_opens';
create index sendgrid_statistics_by_day on raw.sendgrid_statistics (brand_id, connection_id, day);
create index sendgrid_statistics_of_root on raw.sendgrid_statistics (brand_id, connection_id, id);

create table raw.sendgrid_events (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  event text not null,
  happened_at timestamptz not null,
  email_hash text,
  message_id text,
  send_id text,
  categories text[] not null,
  parts text[] not null,
  single_send_id text,
  single_send text,
  phase text,
  legacy_campaign_id text,
  legacy_campaign text,
  template_id text,
  group_id text,
  bounce_type text,
  bounce_class text,
  status text,
  attempt text,
  is_machine boolean not null,
  url text,
  source text not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_events is 'what happened to letters, one row per event however often it came; never changed';
comment on column raw.sendgrid_events.id is 'sg_event_id; where SendGrid gives none, a digest of what the event says';
comment on column raw.sendgrid_events.happened_at is 'when it happened, not when it came: events come in any order, a week late too';
comment on column raw.sendgrid_events.send_id is 'the part of message_id that the answer to the sending request had in X-Message-Id';
comment on column raw.sendgrid_events.parts is 'parts of app.connection_parts that it may be of, in the order of its categories';
comment on column raw.sendgrid_events.single_send_id is 'the campaign of Marketing Campaigns; its lists are in raw.sendgrid_single_sends';
comment on column raw.sendgrid_events.bounce_type is 'of a bounce: bounce (for good) or blocked (this time)';
comment on column raw.sendgrid_events.is_machine is 'of an open: a mail program fetched the letter, maybe nobody saw it';
comment on column raw.sendgrid_events.url is 'of a click: the link without parameters, but for those that begin with utm_';
comment on column raw.sendgrid_events.source is 'webhook, or logs: lost on its way and repaired from Email Logs';
comment on column raw.sendgrid_events.payload is 'arguments that the sender gave the letter, scrubbed; null if there are none';
create index sendgrid_events_by_time on raw.sendgrid_events (brand_id, connection_id, happened_at);
create index sendgrid_events_of_message on raw.sendgrid_events (brand_id, connection_id, message_id);
create index sendgrid_events_of_person on raw.sendgrid_events (brand_id, connection_id, email_hash) where email_hash is not null;

create table raw.sendgrid_single_sends (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text not null,
  status text not null,
  categories text[] not null,
  list_ids text[] not null,
  parts text[] not null,
  subject text,
  send_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_single_sends is 'campaigns of Marketing Campaigns';
comment on column raw.sendgrid_single_sends.parts is 'parts of app.connection_parts that it may be of: its lists, then its categories';
create index sendgrid_single_sends_by_time on raw.sendgrid_single_sends (brand_id, connection_id, send_at);

create table raw.sendgrid_single_send_totals (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  single_send_id text not null,
  ab_variation text not null,
  ab_phase text not null,
  requests integer not null,
  delivered integer not null,
  bounces integer not null,
  bounce_drops integer not null,
  invalid_emails integer not null,
  spam_report_drops integer not null,
  opens integer not null,
  unique_opens integer not null,
  clicks integer not null,
  unique_clicks integer not null,
  spam_reports integer not null,
  unsubscribes integer not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_single_send_totals is 'counts of each campaign so far, by variation and phase of its A/B test; all where it has none';
create index sendgrid_single_send_totals_of_send on raw.sendgrid_single_send_totals (brand_id, connection_id, single_send_id);

create table raw.sendgrid_single_send_days (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  single_send_id text not null,
  ab_variation text not null,
  ab_phase text not null,
  day date not null,
  time_zone text not null,
  requests integer not null,
  delivered integer not null,
  bounces integer not null,
  bounce_drops integer not null,
  invalid_emails integer not null,
  spam_report_drops integer not null,
  opens integer not null,
  unique_opens integer not null,
  clicks integer not null,
  unique_clicks integer not null,
  spam_reports integer not null,
  unsubscribes integer not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, single_send_id, ab_variation, ab_phase, day)
);
comment on table raw.sendgrid_single_send_days is 'counts of each campaign by day of the brand''s zone';
comment on column raw.sendgrid_single_send_days.time_zone is 'the zone that SendGrid was asked to count the day in';
create index sendgrid_single_send_days_by_day on raw.sendgrid_single_send_days (brand_id, connection_id, day);
create index sendgrid_single_send_days_of_root on raw.sendgrid_single_send_days (brand_id, connection_id, id);

create table raw.sendgrid_bounces (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  email_hash text not null,
  group_id text,
  status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_bounces is 'addresses that bounced for good';
create index sendgrid_bounces_of_person on raw.sendgrid_bounces (brand_id, connection_id, email_hash);

create table raw.sendgrid_blocks (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  email_hash text not null,
  group_id text,
  status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_blocks is 'addresses whose servers refused a letter; later ones are still tried';
create index sendgrid_blocks_of_person on raw.sendgrid_blocks (brand_id, connection_id, email_hash);

create table raw.sendgrid_invalid_emails (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  email_hash text not null,
  group_id text,
  status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_invalid_emails is 'addresses that are none';
create index sendgrid_invalid_emails_of_person on raw.sendgrid_invalid_emails (brand_id, connection_id, email_hash);

create table raw.sendgrid_spam_reports (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  email_hash text not null,
  group_id text,
  status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_spam_reports is 'addresses that reported spam';
create index sendgrid_spam_reports_of_person on raw.sendgrid_spam_reports (brand_id, connection_id, email_hash);

create table raw.sendgrid_unsubscribes (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  email_hash text not null,
  group_id text,
  status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_unsubscribes is 'addresses that unsubscribed from everything';
create index sendgrid_unsubscribes_of_person on raw.sendgrid_unsubscribes (brand_id, connection_id, email_hash);

create table raw.sendgrid_group_unsubscribes (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  email_hash text not null,
  group_id text,
  status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_group_unsubscribes is 'addresses that unsubscribed from a group';
create index sendgrid_group_unsubscribes_of_person on raw.sendgrid_group_unsubscribes (brand_id, connection_id, email_hash);

create table raw.sendgrid_unsubscribe_groups (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text not null,
  is_default boolean not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_unsubscribe_groups is 'groups of mail that a person can unsubscribe from';

create table raw.sendgrid_templates (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text not null,
  generation text not null,
  updated_at timestamptz,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.sendgrid_templates is 'templates of letters';

insert into ops.streams (stream, provider, late_after, feeds, rows_in, dated_by)
select 'sendgrid.' || stream, 'sendgrid', interval '3 hours', feeds, rows_in, dated_by
from (values
  ('statistics', array['email'], 'raw.sendgrid_statistics', 'day'),
  ('bounces', '{}', null, null),
  ('blocks', '{}', null, null),
  ('invalid_emails', '{}', null, null),
  ('spam_reports', '{}', null, null),
  ('unsubscribes', '{}', null, null),
  ('group_unsubscribes', '{}', null, null),
  ('unsubscribe_groups', '{}', null, null),
  ('templates', '{}', null, null),
  ('category_statistics', array['email'], null, null),
  ('subuser_statistics', array['email'], null, null),
  ('single_sends', '{}', null, null),
  ('single_send_totals', '{}', null, null),
  ('single_send_days', '{}', null, null),
  ('events', array['email'], 'raw.sendgrid_events', 'happened_at')
) as s (stream, feeds, rows_in, dated_by);
