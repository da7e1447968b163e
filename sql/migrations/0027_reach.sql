-- Mail and social networks: which days are made of what, and which readings make one series.

-- Whether an event came by the webhook. Those that are repaired from the provider's logs are some of a day, never all.
create or replace view fact.email_events as
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
         else e.event end as kind,
       e.source = 'webhook' as is_pushed
from raw.sendgrid_events e
left join lateral (
  select p.retailer_id
  from (
    select 1 as source, l.part, l.place
    from (
      -- Also of a campaign that was deleted since: it went to its lists all the same.
      select s.parts from raw.sendgrid_single_sends s
      where s.brand_id = e.brand_id and s.connection_id = e.connection_id
        and s.id >= e.single_send_id and s.id <= e.single_send_id
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

-- `is_apart`: of a subuser, whose mail is in no event of the account; whether it is in the account's counts is not told.
create or replace view fact.email_counts as
select s.brand_id, s.connection_id, s.day, s.time_zone, s.scope = 'account' as is_total, p.retailer_id,
       coalesce(s.part, 'unallocated') as campaign,
       s.requests, s.delivered, s.bounces, s.blocks, s.opens, s.unique_opens, s.clicks, s.unique_clicks, s.spam_reports,
       s.unsubscribes, s.scope = 'subuser' as is_apart
from raw.sendgrid_statistics s
left join app.connection_parts p on p.brand_id = s.brand_id and p.connection_id = s.connection_id and p.part = s.part
where s.deleted_at is null;

-- The zone in which each account counts its days.
create view fact.email_accounts as
select c.brand_id, c.id as connection_id, coalesce(c.account_zone, b.time_zone) as time_zone
from app.connections c
join app.brands b on b.id = c.brand_id
where c.provider = 'sendgrid';

-- Where the account's days are not the brand's, a day of the brand may have hours of a counted day and hours of events.
alter table agg.daily_email drop constraint daily_email_pkey;
alter table agg.daily_email add primary key (brand_id, day, owner_id, connection_id, campaign, counted_from);

comment on column bi.daily_email.campaign is 'single_send:ID, campaign:ID, else category:NAME of the first category; subuser:NAME of a subuser, of which only counts are known; unallocated for mail without any of these, and for counts of the account that no retailer has';
comment on column bi.daily_email.counted_from is 'events: made from single events; counts: no event of this day of the account came by webhook, so these are the provider''s own counts of its calendar day. There opens include those of machines, mail in several categories is in each of their rows, and what retailers have by category is taken off the account''s total. Each letter is in one of the two: add both up where a day has both';
