-- One row per day, owner and campaign of a connection: made of events, or of the provider's counts of those of its days
-- of which its webhook brought nothing. The account's days divide all time, so each letter is in one of the two.
with account_days as materialized (
  -- Days of the account that meet those of the brand.
  select d.connection_id, d.day, d.starts_at, d.ends_at, (
    select true from fact.email_events
    where brand_id = $1 and connection_id = d.connection_id and happened_at >= d.starts_at and happened_at < d.ends_at
      and is_pushed
    order by happened_at limit 1
  ) is not null as has_events
  from (
    select distinct p.connection_id, d.day, fact.day_start(d.day, a.time_zone) as starts_at,
           fact.day_start(d.day + 1, a.time_zone) as ends_at
    from spans p
    join fact.email_accounts a on a.brand_id = $1 and a.connection_id = p.connection_id
    cross join lateral (select p.day + n as day from generate_series(-1, 1) n) d
  ) d
), happened as (
  select p.day, p.connection_id, p.time_zone, coalesce(f.retailer_id, $1::uuid) as owner_id, f.campaign, f.kind,
         f.event_id, f.happened_at, concat_ws(' ', f.message_id, f.email_hash) as letter,
         coalesce(f.email_hash, f.event_id) as person
  from spans p
  cross join lateral (
    select * from fact.email_events
    where brand_id = $1 and connection_id = p.connection_id and happened_at >= p.starts_at and happened_at < p.ends_at
    order by happened_at
  ) f
  -- What is repaired from logs completes a day of events, and is in the counts of any other one.
  where f.is_pushed or exists (
    select from account_days a
    where a.connection_id = p.connection_id and f.happened_at >= a.starts_at and f.happened_at < a.ends_at and a.has_events
  )
), counted as (
  select p.day, p.connection_id, f.time_zone, o.owner_id, o.campaign, o.sign, f.campaign as counted_as, f.requests, f.delivered, f.bounces,
         f.blocks, f.opens, f.unique_opens, f.clicks, f.unique_clicks, f.spam_reports, f.unsubscribes
  from spans p
  cross join lateral (
    select * from fact.email_counts
    where brand_id = $1 and connection_id = p.connection_id and day >= p.day and day <= p.day
    order by day
  ) f
  -- What a retailer has is taken off the total, so that all owners together have what the account has; not what a
  -- subuser sent, because nobody says that it is in there.
  cross join lateral (
    select f.retailer_id as owner_id, f.campaign, 1 as sign where f.retailer_id is not null
    union all
    select $1, 'unallocated', case when f.is_total then 1 else -1 end
    where f.is_total or f.retailer_id is not null and not f.is_apart
  ) o
  where f.is_apart or not exists (
    select from account_days a where a.connection_id = p.connection_id and a.day = p.day and a.has_events
  )
), made as (
  select day, owner_id, connection_id, campaign, 'events' as counted_from, time_zone,
         count(*) filter (where kind in ('processed', 'dropped')) as requests,
         count(*) filter (where kind = 'delivered') as delivered,
         count(*) filter (where kind = 'bounce') as bounces,
         count(*) filter (where kind = 'block') as blocks,
         count(*) filter (where kind = 'open') as opens,
         count(distinct letter) filter (where kind = 'open') as unique_opens,
         count(*) filter (where kind = 'machine_open') as machine_opens,
         count(*) filter (where kind = 'click') as clicks,
         count(distinct letter) filter (where kind = 'click') as unique_clicks,
         count(*) filter (where kind = 'spam_report') as spam_reports,
         count(distinct person) filter (where kind = 'unsubscribe') as unsubscribes
  from happened
  group by day, owner_id, connection_id, campaign, time_zone
  union all
  -- Mail in categories of two retailers is taken off twice: the rest is never less than nothing.
  select day, owner_id, connection_id, campaign, 'counts', max(time_zone),
         greatest(sum(sign * requests), 0), greatest(sum(sign * delivered), 0), greatest(sum(sign * bounces), 0),
         greatest(sum(sign * blocks), 0), greatest(sum(sign * opens), 0), greatest(sum(sign * unique_opens), 0), null,
         greatest(sum(sign * clicks), 0), greatest(sum(sign * unique_clicks), 0),
         greatest(sum(sign * spam_reports), 0), greatest(sum(sign * unsubscribes), 0)
  from counted
  group by day, owner_id, connection_id, campaign
)
select * from made
where requests + delivered + bounces + blocks + opens + coalesce(machine_opens, 0) + clicks + spam_reports + unsubscribes > 0
