-- Mail that goes out once. A *letter* is one mail to one recipient. It is recorded as on its way before it is handed to
-- the provider, with a token that travels with it: what an interrupted attempt came to is looked up by that token.

create table app.mail_senders (
  brand_id uuid not null,
  connection_id uuid not null,
  address text not null check (length(address) between 3 and 254),
  name text check (length(name) between 1 and 200),
  group_id text check (length(group_id) <= 40),
  set_at timestamptz not null default now(),
  primary key (brand_id, connection_id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table app.mail_senders is 'as whom letters of a connection are sent';
comment on column app.mail_senders.group_id is 'the unsubscribe group of its letters, as the provider numbers it; null for none';

create table ops.mail (
  brand_id uuid not null,
  connection_id uuid not null,
  id uuid not null default gen_random_uuid(),
  state text not null default 'queued'
    check (state in ('queued', 'sending', 'sent', 'failed', 'suppressed', 'uncertain', 'discarded')),
  template text not null check (length(template) between 1 and 100),
  language text check (length(language) <= 20),
  campaign text check (length(campaign) between 1 and 100),
  recipient_hash text not null check (length(recipient_hash) <= 64),
  once_key text check (length(once_key) between 1 and 400),
  content bytea,
  content_key_id text,
  attempts integer not null default 0,
  message_id text check (length(message_id) <= 200),
  told_by text check (told_by in ('answer', 'log', 'event')),
  reason text check (length(reason) <= 2000),
  queued_at timestamptz not null default now(),
  sending_at timestamptz,
  ended_at timestamptz,
  primary key (brand_id, connection_id, id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id),
  check ((content is null) = (content_key_id is null))
);
create unique index mail_once on ops.mail (brand_id, connection_id, once_key) where once_key is not null;
create index mail_of_person on ops.mail (brand_id, recipient_hash);
create index mail_by_time on ops.mail (brand_id, queued_at desc, id);
create index mail_open on ops.mail (brand_id, connection_id, state) where state in ('queued', 'sending', 'uncertain', 'failed');
create index mail_by_age on ops.mail (ended_at) where ended_at is not null;
comment on table ops.mail is 'letters: what is to be sent, and what became of it';
comment on column ops.mail.id is 'the token that travels with the letter (ns_mail)';
comment on column ops.mail.state is 'queued: nothing was handed over; sending: it may have been; sent: the provider has it; failed: the provider refused it; suppressed: the recipient wants none, or cannot be reached; uncertain: nobody can say whether it was sent, so an operator decides; discarded: an operator did not want it any more';
comment on column ops.mail.recipient_hash is 'keyed digest of the address, the same as in rows of providers';
comment on column ops.mail.once_key is 'of letters with an equal one only the first is queued: a campaign reaches a recipient once, a night is told once';
comment on column ops.mail.content is 'address and variables, sealed; empty as soon as it is not needed any more';
comment on column ops.mail.attempts is 'how often it was handed over, or may have been';
comment on column ops.mail.message_id is 'what the provider calls it';
comment on column ops.mail.told_by is 'who said that it was sent: the answer to the request, the log of the provider, or an event';
comment on column ops.mail.sending_at is 'when the last attempt began';
comment on column ops.mail.ended_at is 'since when it is in a state that it stays in by itself; null while it is queued, sending or uncertain';

create table app.mail_digests (
  brand_id uuid not null,
  connection_id uuid not null,
  recipient_hash text not null check (length(recipient_hash) <= 64),
  address bytea not null,
  address_key_id text not null,
  added_at timestamptz not null default now(),
  primary key (brand_id, connection_id, recipient_hash),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table app.mail_digests is 'who gets the digest of each night of a brand, by which connection; addresses are sealed';

alter table ops.nights add column digest_at timestamptz;
comment on column ops.nights.digest_at is 'when its digest was handed to the mail: once, however often the day is judged';

alter table ops.alerts drop constraint alerts_kind_check;
alter table ops.alerts add constraint alerts_kind_check check (kind in ('night', 'breaker', 'mail', 'privacy', 'webhooks'));
-- An event bears the token of our own letters. Only what has the length of one is looked at: others may put anything there.
create index sendgrid_events_of_mail on raw.sendgrid_events (brand_id, connection_id, (payload ->> 'ns_mail'))
  where length(payload ->> 'ns_mail') = 36;

create view fact.mail_events as
select e.brand_id, e.connection_id, e.payload ->> 'ns_mail' as mail_id, e.id as event_id, e.happened_at, e.send_id,
       case
         when e.event = 'open' and e.is_machine then 'machine_open'
         when e.event = 'bounce' and e.bounce_type = 'blocked' then 'block'
         when e.event = 'spamreport' then 'spam_report'
         when e.event in ('unsubscribe', 'group_unsubscribe') then 'unsubscribe'
         else e.event end as kind
from raw.sendgrid_events e
where e.deleted_at is null and length(e.payload ->> 'ns_mail') = 36;

-- Blocks are no suppression: later mail is still tried.
create view fact.mail_suppressions as
select s.brand_id, s.connection_id, s.email_hash, s.reason, s.group_id
from (
  select brand_id, connection_id, email_hash, 'it bounced' as reason, null::text as group_id, deleted_at
  from raw.sendgrid_bounces
  union all
  select brand_id, connection_id, email_hash, 'it is no valid address', null, deleted_at
  from raw.sendgrid_invalid_emails
  union all
  select brand_id, connection_id, email_hash, 'its owner reported spam', null, deleted_at
  from raw.sendgrid_spam_reports
  union all
  select brand_id, connection_id, email_hash, 'its owner unsubscribed from everything', null, deleted_at
  from raw.sendgrid_unsubscribes
  union all
  select brand_id, connection_id, email_hash, 'its owner unsubscribed from the group', group_id, deleted_at
  from raw.sendgrid_group_unsubscribes
) s
where s.deleted_at is null;
