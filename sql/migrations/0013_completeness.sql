-- What proves that nothing is missing. A check holds a figure of the provider's own against ours; the newest
-- result of each check counts, and what it said before stays for a while.

create table ops.completeness (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  check_name text not null,
  expected numeric,
  found numeric,
  ok boolean not null,
  cause text,
  checked_at timestamptz not null,
  result_since timestamptz not null,
  ok_at timestamptz,
  primary key (brand_id, connection_id, stream, check_name)
);
comment on table ops.completeness is 'the newest result of each check of a stream against what the provider says';
comment on column ops.completeness.expected is 'what the provider says';
comment on column ops.completeness.found is 'what is stored';
comment on column ops.completeness.result_since is 'since when it passes, or fails by the same difference';
comment on column ops.completeness.ok_at is 'when it passed last';

create table ops.completeness_history (
  id bigint generated always as identity primary key,
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  check_name text not null,
  expected numeric,
  found numeric,
  ok boolean not null,
  cause text,
  checked_at timestamptz not null
);
create index completeness_history_of_stream
  on ops.completeness_history (brand_id, connection_id, stream, checked_at);
create index completeness_history_of_check
  on ops.completeness_history (brand_id, connection_id, stream, check_name, id);
comment on table ops.completeness_history is
  'earlier results of checks, one each time a result changed, the newest few of each; checked_at is when it was last so';

-- What is expected of each stream. The connectors hold the same names; a test compares the two.
create table ops.streams (
  stream text primary key,
  provider text not null,
  late_after interval not null check (late_after > interval '0'),
  feeds text[] not null default '{}'
);
comment on table ops.streams is 'which streams each provider has, and how soon each must be read to its end again; the same for all brands';
comment on column ops.streams.late_after is 'a stream whose last complete reading is older than this is late';
comment on column ops.streams.feeds is 'figures that rest on it: a day of them is final when each of their streams is read past its end';
insert into ops.streams
select stream, split_part(stream, '.', 1), interval '3 hours', feeds -- syncs are meant to run each hour: two may fail
from (values
  ('shopify.shop', array[]::text[]),
  ('shopify.products', array['product_sales']),
  ('shopify.customers', '{}'),
  ('shopify.orders', array['sales', 'product_sales']),
  ('shopify.deletions', array['sales', 'product_sales']),
  ('stripe.products', '{}'),
  ('stripe.prices', '{}'),
  ('stripe.coupons', '{}'),
  ('stripe.promotion_codes', '{}'),
  ('stripe.customers', '{}'),
  ('stripe.subscriptions', array['mrr']),
  ('stripe.invoices', array['mrr']),
  ('stripe.charges', array['payments']),
  ('stripe.payment_intents', '{}'),
  ('stripe.refunds', array['payments']),
  ('stripe.disputes', '{}'),
  ('stripe.payouts', array['payments']),
  ('stripe.balance_transactions', array['payments'])
) as s (stream, feeds);

create view fact.feeds as
select source, provider, stream from ops.streams cross join unnest(feeds) as f (source);

create view bi.completeness as
with feeds as (
  select c.brand_id, f.source, c.retailer_id, c.name as connection, f.stream, p.complete_to,
         case f.source
           when 'mrr' then (select min(s.created_at) from raw.stripe_subscriptions s
                            where s.brand_id = c.brand_id and s.connection_id = c.id)
           when 'payments' then (select min(t.created_at) from raw.stripe_balance_transactions t
                                 where t.brand_id = c.brand_id and t.connection_id = c.id)
           else (select min(s.booked_at) from raw.shopify_sales s
                 where s.brand_id = c.brand_id and s.connection_id = c.id)
         end as begins_at,
         case
           when p.complete_to is null then format('%s of %s was never read to its end', f.stream, c.name)
           when k.check_name is not null then
             format('%s of %s fails its check %s: %s', f.stream, c.name, k.check_name, coalesce(k.cause, 'it differs'))
           when f.stream = 'stripe.balance_transactions' and not exists (
               select from ops.completeness b
               where b.brand_id = c.brand_id and b.connection_id = c.id and b.stream = f.stream
                 and starts_with(b.check_name, 'balance ')) then
             format('%s of %s is not held against the balance: the key may not read it', f.stream, c.name)
           when r.row_key is not null then
             format('%s of %s has records that could not be understood', f.stream, c.name)
           when p.state = 'partial' then format('%s of %s is not whole: %s', f.stream, c.name, coalesce(p.cause, 'no cause'))
         end as fault
  from fact.feeds f
  join app.connections c on c.provider = f.provider and c.removing_at is null
  left join ops.positions p on p.brand_id = c.brand_id and p.connection_id = c.id and p.stream = f.stream
  left join lateral (
    select k.check_name, k.cause from ops.completeness k
    where k.brand_id = c.brand_id and k.connection_id = c.id and k.stream = f.stream and not k.ok
    order by k.result_since, k.check_name limit 1
  ) k on true
  left join lateral (
    select r.row_key from ops.rejected_rows r
    where r.brand_id = c.brand_id and r.connection_id = c.id and r.stream = f.stream limit 1
  ) r on true
), carried as (
  -- What a subscription is worth holds for a day only once its state was carried on to the day's end.
  select 'mrr' as source, d.brand_id, min(d.carried_to) as carried_to from ops.days_carried d
  join feeds f on f.source = 'mrr' and f.brand_id = d.brand_id and f.retailer_id = d.retailer_id
  where exists (
    select from agg.subscription_states s
    where s.brand_id = d.brand_id and s.retailer_id = d.retailer_id and s.valid_until > d.carried_to)
  group by d.brand_id
), sources as (
  select f.brand_id, f.source, min(f.begins_at) as begins_at,
         case when count(*) = count(f.complete_to) then least(min(f.complete_to), min(c.carried_to)) end as as_of,
         min(c.carried_to) as carried_to,
         min(f.fault) as fault,
         (array_agg(format('%s of %s', f.stream, f.connection) order by f.complete_to nulls first))[1] as behind
  from feeds f
  left join carried c on c.source = f.source and c.brand_id = f.brand_id
  group by f.brand_id, f.source
), days as (
  select s.*, b.slug as brand, day::date as day, fact.day_start(day::date + 1, b.time_zone) as ends_at, g.going
  from sources s
  join app.brands b on b.id = s.brand_id
  cross join lateral (
    select min(r.slug) as going from app.retailers r where r.brand_id = s.brand_id and r.removing_at is not null
  ) g
  cross join lateral (select (now() at time zone b.time_zone)::date as today) t
  cross join lateral generate_series(
    least(coalesce((s.begins_at at time zone b.time_zone)::date, t.today), t.today)::timestamp,
    t.today::timestamp, interval '1 day') as day
), judged as (
  select d.*, case
           when d.ends_at > now() then 'the day is not over'
           when d.going is not null then format('retailer %s is being removed', d.going)
           when d.fault is not null then d.fault
           when d.carried_to < d.ends_at then 'what subscriptions are worth was not carried on to the day yet'
           when d.as_of < d.ends_at then format('%s is read up to %s only', d.behind,
             to_char(d.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
           when m.day is not null or exists (
             select from ops.fx_noticed n join ops.fx_changes x on x.id > n.change_id
             where n.brand_id = d.brand_id and d.day between x.from_day and x.to_day) then 'figures of the day wait to be computed again'
         end as cause
  from days d
  left join (select distinct brand_id, day from ops.marks) m on m.brand_id = d.brand_id and m.day = d.day
)
select brand_id, brand, day, source,
       case when cause is null then 'final' when now() > ends_at + interval '12 hours' then 'late' else 'provisional' end as state,
       cause, as_of
from judged;

comment on view bi.completeness is 'Whether the figures of a day are final: every stream that feeds them was read past the end of the day without a fault, no check against the provider fails, and nothing waits to be computed again. It says what is known as of as_of: an edit or a correction that the provider makes later changes a day all the same. From the first day with data to today.';
comment on column bi.completeness.brand_id is 'id of the brand';
comment on column bi.completeness.brand is 'short name of the brand';
comment on column bi.completeness.day is 'day in the brand''s time zone';
comment on column bi.completeness.source is 'which figures: sales (daily_sales, daily_country_sales), product_sales (daily_product_sales), payments (daily_payments) or mrr (daily_mrr)';
comment on column bi.completeness.state is 'final; provisional: not proven yet, and not late; late: not proven although the day has been over for 12 hours. Of a fault nobody knows which day it is in: then none is final';
comment on column bi.completeness.cause is 'why it is not final; null where it is';
comment on column bi.completeness.as_of is 'up to when every change is in, of the stream that is furthest behind; null where one was never read to its end';

-- A check that fails makes its stream partial also where the last run did not repeat it. A stream that was
-- whole is late once nobody has read it for too long.
create view bi.sync_status as
select c.brand_id, b.slug as brand, c.retailer_id, r.slug as retailer, c.id as connection_id,
       c.name as connection, c.provider, s.stream, judged.state,
       p.position, p.last_run_at, p.last_success_at,
       case when p.last_success_at > now() then 0 else extract(epoch from now() - p.last_success_at) end::bigint as lag_seconds,
       (run.tally ->> 'read')::bigint as rows,
       case judged.state
         when 'ok' then null
         when 'late' then format('it was to be read to its end again within %s h',
                                 trim_scale(round(extract(epoch from s.late_after) / 3600, 1)))
         else coalesce(c.held_reason, p.cause, run.error_message, k.cause) end as error,
       p.complete_to, p.reconciled_at, k.checks, k.failed as checks_failed,
       extract(epoch from s.late_after)::bigint as late_after_seconds,
       case judged.state when 'late' then extract(epoch from now() - s.late_after - read.at) end::bigint as late_by_seconds
from app.connections c
join app.brands b on b.id = c.brand_id
left join app.retailers r on r.brand_id = c.brand_id and r.id = c.retailer_id
left join ops.streams s on s.provider = c.provider
left join ops.positions p on p.brand_id = c.brand_id and p.connection_id = c.id and p.stream = s.stream
left join lateral (
  select j.tally, j.error_message from ops.job_runs j
  where j.brand_id = c.brand_id and j.connection_id = c.id and j.task = 'sync_stream'
    and p.last_run_at is not null and j.payload ->> 'stream' = s.stream and j.finished_at is not null
  order by j.id desc limit 1
) run on true
left join lateral (
  select count(*) as checks, count(*) filter (where not n.ok) as failed, min(n.cause) filter (where not n.ok) as cause
  from ops.completeness n
  where n.brand_id = c.brand_id and n.connection_id = c.id and n.stream = s.stream
) k on true
cross join lateral (select coalesce(p.whole_by_clock_at, p.last_success_at) as at) read -- by the clock
cross join lateral (
  select case when c.held_at is not null then 'held'
              when p.state is null then 'never'
              when p.state <> 'ok' then p.state
              when k.failed > 0 then 'partial'
              when read.at < now() - s.late_after then 'late'
              else 'ok' end as state
) judged;
comment on view bi.sync_status is 'How far each stream of each connection is.';
comment on column bi.sync_status.brand_id is 'id of the brand';
comment on column bi.sync_status.brand is 'short name of the brand';
comment on column bi.sync_status.retailer_id is 'id of the retailer; null where the connection serves several';
comment on column bi.sync_status.retailer is 'short name of the retailer';
comment on column bi.sync_status.connection_id is 'id of the connection';
comment on column bi.sync_status.connection is 'name of the connection, unique within its brand';
comment on column bi.sync_status.provider is 'shopify, stripe, sendgrid or ayrshare';
comment on column bi.sync_status.stream is 'what is read, for instance shopify.orders';
comment on column bi.sync_status.state is 'ok; late: read to its end, but longer ago than late_after_seconds; partial: read, but not whole; failing; never: not read to its end yet; held: waits until a person acts';
comment on column bi.sync_status.position is 'where the next run goes on from';
comment on column bi.sync_status.last_run_at is 'when it was last tried';
comment on column bi.sync_status.last_success_at is 'when it was last read to its end';
comment on column bi.sync_status.lag_seconds is 'seconds since last_success_at, 0 where that is ahead of the clock; null if there was none';
comment on column bi.sync_status.rows is 'records that the last finished run read';
comment on column bi.sync_status.error is 'why the state is not ok; null where it is';
comment on column bi.sync_status.complete_to is 'every change up to here was stored when the stream last ended whole; null where that never was, or where it tells no instant';
comment on column bi.sync_status.reconciled_at is 'when what is stored of the last weeks was last held against a fresh list; null where that is not done';
comment on column bi.sync_status.checks is 'checks against the provider''s own figures, each by its newest result';
comment on column bi.sync_status.checks_failed is 'how many of them fail';
comment on column bi.sync_status.late_after_seconds is 'how soon it must be read to its end again; later than this it is late';
comment on column bi.sync_status.late_by_seconds is 'how much later than late_after_seconds it is by now, by the clock; null unless the state is late';
