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
  accepted_cause text,
  primary key (brand_id, connection_id, stream, check_name)
);
comment on table ops.completeness is 'the newest result of each check of a stream against what the provider says';
comment on column ops.completeness.expected is 'what the provider says';
comment on column ops.completeness.found is 'what is stored';
comment on column ops.completeness.result_since is 'since when it passes, or fails by the same difference';
comment on column ops.completeness.ok_at is 'when it passed last';
comment on column ops.completeness.accepted_cause is 'a cause that a person accepted: a failure for it counts as passed';

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
  feeds text[] not null default '{}',
  rows_in text,
  dated_by text,
  held_against text,
  check ((rows_in is null) = (dated_by is null))
);
comment on table ops.streams is 'which streams each provider has, and how soon each must be read to its end again; the same for all brands';
comment on column ops.streams.late_after is 'a stream whose last complete reading is older than this is late';
comment on column ops.streams.feeds is 'figures that rest on it: a day of them is final when each of their streams is read past its end';
comment on column ops.streams.rows_in is 'table with the rows that these figures are made of; null if another stream of the figures has them';
comment on column ops.streams.dated_by is 'column of that table, a date or an instant, by which a row falls on its day: the figures begin with the first one';
comment on column ops.streams.held_against is 'the first word of checks without which nothing proves that the stream is complete';
insert into ops.streams
select stream, split_part(stream, '.', 1), interval '3 hours', -- syncs are meant to run each hour: two may fail
       feeds, rows_in, dated_by, held_against
from (values
  ('shopify.shop', array[]::text[], null, null, null),
  ('shopify.products', array['product_sales'], null, null, null),
  ('shopify.customers', '{}', null, null, null),
  ('shopify.orders', array['sales', 'product_sales'], 'raw.shopify_sales', 'booked_at', null),
  ('shopify.deletions', array['sales', 'product_sales'], null, null, null),
  ('stripe.products', '{}', null, null, null),
  ('stripe.prices', '{}', null, null, null),
  ('stripe.coupons', '{}', null, null, null),
  ('stripe.promotion_codes', '{}', null, null, null),
  ('stripe.customers', '{}', null, null, null),
  ('stripe.subscriptions', array['mrr'], 'raw.stripe_subscriptions', 'created_at', null),
  ('stripe.invoices', array['mrr'], null, null, null),
  ('stripe.charges', array['payments'], null, null, null),
  ('stripe.payment_intents', '{}', null, null, null),
  ('stripe.refunds', array['payments'], null, null, null),
  ('stripe.disputes', '{}', null, null, null),
  ('stripe.payouts', array['payments'], null, null, null),
  ('stripe.balance_transactions', array['payments'], 'raw.stripe_balance_transactions', 'created_at', 'balance')
) as s (stream, feeds, rows_in, dated_by, held_against);

-- What the rollups of each figure follow. The descriptors hold the same; a test compares the two.
create table ops.rollups (
  rollup text primary key,
  figures text not null,
  changes_with text[] not null,
  keeps_rates boolean not null default false
);
comment on table ops.rollups is 'which rollups make which figures, and what makes them compute a day again; the same for all brands';
comment on column ops.rollups.figures is 'the figures that it makes, as ops.streams.feeds calls them';
comment on column ops.rollups.changes_with is 'subjects of the marks that it follows';
comment on column ops.rollups.keeps_rates is 'whether its rows keep exchange rates, so that a change of rates may move them';
insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values
  ('daily_sales', 'sales', '{sales,fx}', true),
  ('daily_country_sales', 'sales', '{sales}', false),
  ('daily_product_sales', 'product_sales', '{sales,costs}', false),
  ('daily_payments', 'payments', '{payments}', false),
  ('subscription_states', 'mrr', '{subscriptions}', false),
  ('daily_mrr', 'mrr', '{subscription_states,calendar}', false);

-- A view cannot name a table that a row names. It runs as its owner, so that whoever may read the view needs no right
-- to `raw`, and looks the first row up in the order of the index on the column (sql/db/planner.ts).
create function ops.first_day(p_stream ops.streams, p_brand uuid, p_connection uuid, p_zone text) returns date
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_sort = off as $$
declare
  v_first text;
begin
  if p_stream.rows_in is null then return null; end if;
  -- Both kinds of column as text: a date stays as it is, an instant has its offset and falls on a day of the zone.
  execute format(
    'select to_jsonb(%1$I) #>> ''{}'' from %2$s where brand_id = $1 and connection_id = $2 and %1$I is not null order by %1$I limit 1',
    p_stream.dated_by, p_stream.rows_in::regclass)
  into v_first using p_brand, p_connection;
  return case when length(v_first) = 10 then v_first::date else (v_first::timestamptz at time zone p_zone)::date end;
end $$;
comment on function ops.first_day is 'the first day, in a zone, of the rows of a stream that a connection has stored';

create view bi.completeness as
with feeds as not materialized (
  select c.brand_id, f.source, c.retailer_id, c.name as connection, s.stream, p.complete_to,
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
), judged as (
  select d.*, case
           when d.ends_at > now() then 'the day is not over'
           when d.going is not null then format('retailer %s is being removed', d.going)
           when d.fault is not null then d.fault
           when d.carried_to < d.ends_at then 'what subscriptions are worth was not carried on to the day yet'
           when d.as_of < d.ends_at then format('%s is read up to %s only', d.behind,
             to_char(d.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
           when m.day is not null or d.waits_for_objects or d.keeps_rates and exists (
             select from ops.fx_noticed n join ops.fx_changes x on x.id > n.change_id
             where n.brand_id = d.brand_id and d.day between x.from_day and x.to_day) then 'figures of the day wait to be computed again'
         end as cause
  from days d
  left join (
    select distinct k.brand_id, r.figures, k.day from ops.marks k join ops.rollups r on k.subject = any (r.changes_with)
  ) m on m.brand_id = d.brand_id and m.figures = d.source and m.day = d.day
)
select brand_id, brand, day, source,
       case when cause is null then 'final' when now() > ends_at + interval '12 hours' then 'late' else 'provisional' end as state,
       cause, as_of
from judged;

comment on view bi.completeness is 'Whether the figures of a day are final: every stream that feeds them was read past the end of the day without a fault, no check against the provider fails, and no change of what they are made of waits to be computed. It says what is known as of as_of: an edit or a correction that the provider makes later changes a day all the same. From the first day with data, or from yesterday, to today.';
comment on column bi.completeness.brand_id is 'id of the brand';
comment on column bi.completeness.brand is 'short name of the brand';
comment on column bi.completeness.day is 'day in the brand''s time zone';
comment on column bi.completeness.source is 'which figures: sales (daily_sales, daily_country_sales), product_sales (daily_product_sales), payments (daily_payments), mrr (daily_mrr), social (daily_social, social_posts) or email (daily_email)';
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
  -- a run of all streams says of each what it read, and of those that it names not that they were quiet
  select case j.task when 'sync_stream' then j.tally
                     else case when j.tally is not null then coalesce(j.tally -> 'streams' -> s.stream, '{"read": 0}') end
         end as tally,
         j.error_message
  from ops.job_runs j
  where j.brand_id = c.brand_id and j.connection_id = c.id and j.task in ('sync_stream', 'sync_connection')
    and p.last_run_at is not null and coalesce(j.payload ->> 'stream', s.stream) = s.stream and j.finished_at is not null
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
comment on view bi.sync_status is 'How far each stream of each connection has been read.';
comment on column bi.sync_status.brand_id is 'id of the brand';
comment on column bi.sync_status.brand is 'short name of the brand';
comment on column bi.sync_status.retailer_id is 'id of the retailer; null if the connection belongs to the whole brand';
comment on column bi.sync_status.retailer is 'short name of the retailer';
comment on column bi.sync_status.connection_id is 'id of the connection';
comment on column bi.sync_status.connection is 'name of the connection, unique within its brand';
comment on column bi.sync_status.provider is 'shopify, stripe, sendgrid or ayrshare';
comment on column bi.sync_status.stream is 'what is read, such as shopify.orders';
comment on column bi.sync_status.state is 'ok; late: last completed longer ago than late_after_seconds; partial: read, but incomplete; failing; never: not completed yet; held: waits until a person acts';
comment on column bi.sync_status.position is 'where the next run resumes';
comment on column bi.sync_status.last_run_at is 'when it last ran';
comment on column bi.sync_status.last_success_at is 'when it last ran to completion';
comment on column bi.sync_status.lag_seconds is 'seconds since last_success_at; 0 if that is ahead of the clock, null if there is none';
comment on column bi.sync_status.rows is 'records read by the last finished run';
comment on column bi.sync_status.error is 'why the state is not ok; null if it is';
comment on column bi.sync_status.complete_to is 'watermark: every change up to here was stored when the stream last completed; null if it never did, or has no such instant';
comment on column bi.sync_status.reconciled_at is 'when the stored data of the last weeks was last compared with a fresh list of the provider; null if the stream is not reconciled';
comment on column bi.sync_status.checks is 'number of checks against the provider''s own figures';
comment on column bi.sync_status.checks_failed is 'how many of these checks fail by their newest result';
comment on column bi.sync_status.late_after_seconds is 'maximum time between two completions; a stream that exceeds it is late';
comment on column bi.sync_status.late_by_seconds is 'by how many seconds late_after_seconds is exceeded now, by the clock; null unless the state is late';
