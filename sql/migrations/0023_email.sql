-- Mail: who was reached, by campaign. Events say it to the second and are dated in the brand's zone. An account whose
-- events do not come has only the counts that its provider makes, for calendar days of a zone of the provider's.

create index sendgrid_events_of_single_send on raw.sendgrid_events (brand_id, connection_id, single_send_id)
  where single_send_id is not null;

-- One row per event. Its retailer is that of its first part that has one: the lists that its campaign went to come
-- before categories, because they say who was meant.
create view fact.email_events as
select e.brand_id, e.connection_id, e.id as event_id, e.happened_at, m.retailer_id, e.message_id, e.email_hash,
       case
         when e.single_send_id is not null then 'single_send:' || e.single_send_id
         when e.legacy_campaign_id is not null then 'campaign:' || e.legacy_campaign_id
         else coalesce('category:' || e.categories[1], 'unallocated') end as campaign,
       case
         when e.event = 'open' and e.is_machine then 'machine_open'
         when e.event = 'bounce' and e.bounce_type = 'blocked' then 'block'
         when e.event = 'spamreport' then 'spam_report'
         when e.event in ('unsubscribe', 'group_unsubscribe') then 'unsubscribe'
         else e.event end as kind
from raw.sendgrid_events e
left join lateral (
  select p.retailer_id
  from (
    select 1 as source, l.part, l.place
    from (
      select s.parts from raw.sendgrid_single_sends s
      where s.brand_id = e.brand_id and s.connection_id = e.connection_id
        and s.id >= e.single_send_id and s.id <= e.single_send_id and s.deleted_at is null
      order by s.id
    ) s
    cross join lateral unnest(s.parts) with ordinality as l (part, place)
    union all
    select 2, c.part, c.place from unnest(e.parts) with ordinality as c (part, place)
  ) o
  join app.connection_parts p on p.brand_id = e.brand_id and p.connection_id = e.connection_id and p.part = o.part
  order by o.source, o.place
  limit 1
) m on true
where e.deleted_at is null;

-- One row per day of the provider's and account, category or subuser. What is in several categories is in several rows,
-- so only the account's are a total.
create view fact.email_counts as
select s.brand_id, s.connection_id, s.day, s.time_zone, s.scope = 'account' as is_total, p.retailer_id,
       coalesce(s.part, 'unallocated') as campaign,
       s.requests, s.delivered, s.bounces, s.blocks, s.opens, s.unique_opens, s.clicks, s.unique_clicks, s.spam_reports,
       s.unsubscribes
from raw.sendgrid_statistics s
left join app.connection_parts p on p.brand_id = s.brand_id and p.connection_id = s.connection_id and p.part = s.part
where s.deleted_at is null;

create view fact.email_campaigns as
select brand_id, connection_id, 'single_send:' || id as campaign, id as campaign_id, name
from raw.sendgrid_single_sends;

create table agg.daily_email (
  brand_id uuid not null,
  day date not null,
  owner_id uuid not null,
  connection_id uuid not null,
  campaign text not null,
  counted_from text not null check (counted_from in ('events', 'counts')),
  time_zone text not null,
  requests bigint not null,
  delivered bigint not null,
  bounces bigint not null,
  blocks bigint not null,
  opens bigint not null,
  unique_opens bigint not null,
  machine_opens bigint,
  clicks bigint not null,
  unique_clicks bigint not null,
  spam_reports bigint not null,
  unsubscribes bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, owner_id, connection_id, campaign)
);
comment on table agg.daily_email is 'mail by day and campaign, of all retailers of a brand: one event may move between them';
comment on column agg.daily_email.owner_id is 'the retailer whose part of the connection it is; the brand where no retailer has it';

create view bi.daily_email as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.day, a.campaign,
       coalesce(n.name, nullif(substr(a.campaign, strpos(a.campaign, ':') + 1), 'unallocated')) as campaign_name,
       c.name as connection, a.counted_from, a.time_zone,
       a.requests, a.delivered, a.bounces, a.blocks, a.opens, a.unique_opens, a.machine_opens, a.clicks, a.unique_clicks,
       a.spam_reports, a.unsubscribes,
       round(a.delivered::numeric / nullif(a.requests, 0), 4) as delivery_rate,
       round(a.unique_opens::numeric / nullif(a.delivered, 0), 4) as open_rate,
       round(a.unique_clicks::numeric / nullif(a.delivered, 0), 4) as click_rate,
       round(a.bounces::numeric / nullif(a.requests, 0), 4) as bounce_rate,
       a.computed_at
from agg.daily_email a
join app.brands b on b.id = a.brand_id
join app.connections c on c.brand_id = a.brand_id and c.id = a.connection_id and c.removing_at is null
left join app.retailers r on r.brand_id = a.brand_id and r.id = a.owner_id
left join fact.email_campaigns n on n.brand_id = a.brand_id and n.connection_id = a.connection_id
 and a.campaign like 'single_send:%' and n.campaign_id = substr(a.campaign, length('single_send:') + 1)
where a.owner_id = a.brand_id or r.id is not null; -- a retailer that is gone has its mail given back by the next rollup

comment on view bi.daily_email is 'Mail per retailer, day and campaign: what was sent, arrived, was opened and clicked on that day, each event once however often it came. A letter may be opened on a later day than it arrives: rates of a campaign are those of its sums over days. Unique counts add up over campaigns, not over days.';
comment on column bi.daily_email.brand_id is 'id of the brand';
comment on column bi.daily_email.brand is 'short name of the brand';
comment on column bi.daily_email.retailer_id is 'id of the retailer to whose part of the account (list, category, subuser) it belongs; null if no retailer has it: it is the brand''s';
comment on column bi.daily_email.retailer is 'short name of the retailer, unique within its brand; null as retailer_id';
comment on column bi.daily_email.day is 'day of the event, in the zone of time_zone';
comment on column bi.daily_email.campaign is 'single_send:ID, campaign:ID, else category:NAME of the first category; subuser:NAME where only counts of it are known; unallocated for mail without any of these, and for counts of the account that no retailer has';
comment on column bi.daily_email.campaign_name is 'name of the campaign; null if unallocated';
comment on column bi.daily_email.connection is 'name of the connection';
comment on column bi.daily_email.counted_from is 'events: made from single events; counts: no event of this day came, so these are the provider''s own counts of its calendar day. There opens include those of machines, mail in several categories is in each of their rows, and what retailers have is taken off the account''s total';
comment on column bi.daily_email.time_zone is 'zone of the day: the brand''s for events, that of the account for counts';
comment on column bi.daily_email.requests is 'letters that were to be sent: processed, or dropped because the address is suppressed or invalid';
comment on column bi.daily_email.delivered is 'letters that the receiving server took';
comment on column bi.daily_email.bounces is 'letters refused for good';
comment on column bi.daily_email.blocks is 'letters refused this time';
comment on column bi.daily_email.opens is 'times that letters were opened, repeated ones included, without those of machine_opens';
comment on column bi.daily_email.unique_opens is 'letters opened by their reader on this day. NOT ADDITIVE over days: a letter opened on two days counts on both';
comment on column bi.daily_email.machine_opens is 'opens by a mail program that fetches letters unasked, maybe unseen; null where counted_from is counts: the provider does not tell them apart, they are in opens and unique_opens';
comment on column bi.daily_email.clicks is 'clicks on links, repeated ones included';
comment on column bi.daily_email.unique_clicks is 'letters with a click on this day. NOT ADDITIVE over days: a letter clicked on two days counts on both';
comment on column bi.daily_email.spam_reports is 'reports as spam';
comment on column bi.daily_email.unsubscribes is 'persons who unsubscribed, from everything or from a group';
comment on column bi.daily_email.delivery_rate is 'delivered / requests; null without requests';
comment on column bi.daily_email.open_rate is 'unique_opens / delivered, of this day; may exceed 1, null without deliveries. NOT ADDITIVE: divide the sums';
comment on column bi.daily_email.click_rate is 'unique_clicks / delivered, of this day; as open_rate';
comment on column bi.daily_email.bounce_rate is 'bounces / requests; null without requests';
comment on column bi.daily_email.computed_at is 'when the figures of this row last changed';

insert into ops.rollups (rollup, figures, changes_with) values ('daily_email', 'email', '{email}');
