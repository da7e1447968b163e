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

alter table ops.streams add column settles_after interval not null default '0' check (settles_after >= interval '0');
comment on column ops.streams.settles_after is 'how long after its end a day may still move by the nature of what is read, without anything being wrong';
-- Counts of mail move for a week, which is as far as an account without a webhook has nothing else; with one, a day is
-- closed after 26 hours.
update ops.streams set settles_after = interval '9 days' where stream = 'sendgrid.events';

create or replace view bi.completeness as
with feeds as not materialized (
  select c.brand_id, f.source, c.retailer_id, c.name as connection, s.stream, s.settles_after, p.complete_to,
         ops.first_day(s, c.brand_id, c.id, b.time_zone) as begins_on,
         case
           when p.complete_to is null then format('%s of %s was never read to its end', s.stream, c.name)
           when k.check_name is not null then
             format('%s of %s fails its check %s: %s', s.stream, c.name, k.check_name, coalesce(k.cause, 'it differs'))
           when s.held_against is not null and not exists (
               select from ops.completeness k
               where k.brand_id = c.brand_id and k.connection_id = c.id and k.stream = s.stream
                 and split_part(k.check_name, ' ', 1) = s.held_against) then
             format('%s of %s is not held against the %s: the key may not read it', s.stream, c.name, s.held_against)
           when r.row_key is not null then
             format('%s of %s has records that could not be understood', s.stream, c.name)
           when p.state = 'partial' then format('%s of %s is not whole: %s', s.stream, c.name, coalesce(p.cause, 'no cause'))
         end as fault
  from ops.streams s
  cross join unnest(s.feeds) as f (source)
  join app.connections c on c.provider = s.provider and c.removing_at is null
  join app.brands b on b.id = c.brand_id
  left join ops.positions p on p.brand_id = c.brand_id and p.connection_id = c.id and p.stream = s.stream
  left join lateral (
    select k.check_name, k.cause from ops.completeness k
    where k.brand_id = c.brand_id and k.connection_id = c.id and k.stream = s.stream and not k.ok
    order by k.result_since, k.check_name limit 1
  ) k on true
  left join lateral (
    select r.row_key from ops.rejected_rows r
    where r.brand_id = c.brand_id and r.connection_id = c.id and r.stream = s.stream limit 1
  ) r on true
  -- What the key is not to read, as a person has accepted: figures are complete without it.
  where not exists (
    select from ops.completeness k
    where k.brand_id = c.brand_id and k.connection_id = c.id and k.stream = s.stream and k.check_name = 'permission'
      and k.ok and k.accepted_cause = k.cause)
), carried as (
  -- What a subscription is worth holds for a day only once its state was carried on to the day's end.
  select 'mrr' as source, d.brand_id, min(d.carried_to) as carried_to from ops.days_carried d
  join feeds f on f.source = 'mrr' and f.brand_id = d.brand_id and f.retailer_id = d.retailer_id
  where exists (
    select from agg.subscription_states s
    where s.brand_id = d.brand_id and s.retailer_id = d.retailer_id and s.valid_until > d.carried_to)
  group by d.brand_id
), sources as (
  select f.brand_id, f.source, min(f.begins_on) as begins_on,
         case when count(*) = count(f.complete_to) then least(min(f.complete_to), min(c.carried_to)) end as as_of,
         min(c.carried_to) as carried_to,
         max(f.settles_after) as settles_after,
         min(f.fault) as fault,
         (array_agg(format('%s of %s', f.stream, f.connection) order by f.complete_to nulls first))[1] as behind
  from feeds f
  left join carried c on c.source = f.source and c.brand_id = f.brand_id
  group by f.brand_id, f.source
), days as (
  select s.*, b.slug as brand, day::date as day,
         exists (select from ops.rollups r where r.figures = s.source and r.keeps_rates) as keeps_rates,
         -- Which days an object moves is known once it is made anew.
         exists (select from ops.marks k join ops.rollups r on k.subject = any (r.changes_with)
                 where k.brand_id = s.brand_id and k.object is not null and r.figures = s.source) as waits_for_objects,
         fact.day_start(day::date + 1, b.time_zone) as ends_at, g.going
  from sources s
  join app.brands b on b.id = s.brand_id
  cross join lateral (
    select min(r.slug) as going from app.retailers r where r.brand_id = s.brand_id and r.removing_at is not null
  ) g
  cross join lateral (select (now() at time zone b.time_zone)::date as today) t
  cross join lateral generate_series(
    least(coalesce(s.begins_on, t.today), t.today - 1)::timestamp, -- what has no rows may lack them for a reason
    t.today::timestamp, interval '1 day') as day
), waited as (
  select d.*, coalesce(m.day is not null or d.waits_for_objects or d.keeps_rates and exists (
           select from ops.fx_noticed n join ops.fx_changes x on x.id > n.change_id
           where n.brand_id = d.brand_id and d.day between x.from_day and x.to_day), false) as waits
  from days d
  left join (
    select distinct k.brand_id, r.figures, k.day from ops.marks k join ops.rollups r on k.subject = any (r.changes_with)
  ) m on m.brand_id = d.brand_id and m.figures = d.source and m.day = d.day
), judged as (
  select d.*, case
           when d.ends_at > now() then 'the day is not over'
           when d.going is not null then format('retailer %s is being removed', d.going)
           when d.fault is not null then d.fault
           when d.carried_to < d.ends_at then 'what subscriptions are worth was not carried on to the day yet'
           when d.as_of < d.ends_at then format('%s is read up to %s only', d.behind,
             to_char(d.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
           when d.waits then 'figures of the day wait to be computed again'
         end as cause,
         d.ends_at <= now() and d.going is null and d.fault is null and (d.carried_to < d.ends_at) is not true
           and d.as_of < d.ends_at and d.as_of + d.settles_after >= d.ends_at and not d.waits as is_settling
  from waited d
)
select brand_id, brand, day, source,
       case when cause is null then 'final' when is_settling then 'settling' when now() > ends_at + interval '12 hours' then 'late' else 'provisional' end as state,
       cause, as_of
from judged;

comment on column bi.completeness.state is 'final; settling: nothing is wrong, but its nature is to move for some days; provisional: not proven yet, and not late; late: not proven although the day has been over for 12 hours. Of a fault nobody knows which day it is in: then none is final';

comment on column raw.ayrshare_post_readings.field is 'the fields of the network that the number was read from; no difference is taken between two';

-- A number that is read from another field is another series, whatever version of the map says so.
create or replace view fact.social_readings as
select r.brand_id, r.connection_id, r.id as post_id, r.platform, r.published_at, r.read_at, r.metric, r.value,
       e.read_at is null as is_first, (e.mapping_version, e.field) <> (r.mapping_version, r.field) as is_break,
       case when (e.mapping_version, e.field) = (r.mapping_version, r.field) then r.value - e.value end as gained
from raw.ayrshare_post_readings r
left join lateral (
  select * from raw.ayrshare_post_readings o
  where o.brand_id = r.brand_id and o.connection_id = r.connection_id
    and (o.id, o.metric, o.read_at) < (r.id, r.metric, r.read_at)
  order by o.id desc, o.metric desc, o.read_at desc limit 1
) e on (e.id, e.metric) = (r.id, r.metric);

create or replace view fact.social_account_readings as
select r.brand_id, r.connection_id, r.id as platform, r.read_at, r.metric, r.value, e.read_at as read_before_at,
       case when (e.mapping_version, e.field) = (r.mapping_version, r.field) then r.value - e.value end as gained
from raw.ayrshare_account_readings r
left join lateral (
  select * from raw.ayrshare_account_readings o
  where o.brand_id = r.brand_id and o.connection_id = r.connection_id
    and (o.id, o.metric, o.read_at) < (r.id, r.metric, r.read_at)
  order by o.id desc, o.metric desc, o.read_at desc limit 1
) e on (e.id, e.metric) = (r.id, r.metric);
