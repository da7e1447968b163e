-- What all brands come to together, and who may read what.

-- A view cannot read the environment: processes that are given NIGHTSHIFT_PLATFORM_CURRENCY keep it here.
create table ops.platform_settings (
  is_only_row boolean primary key default true check (is_only_row),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  set_at timestamptz not null
);
comment on table ops.platform_settings is 'settings that views read: one row, written by whoever is given NIGHTSHIFT_PLATFORM_CURRENCY';
comment on column ops.platform_settings.currency is 'currency of bi.platform_metrics';
insert into ops.platform_settings (currency, set_at) values ('EUR', now());

-- Adds up agg over all brands, which nothing else does. A day is each brand's own day of that date.
create view bi.platform_metrics as
with sales as (
  select day, currency, sum(orders) as orders, sum(new_customers) as new_customers, sum(gross_sales) as gross_sales,
         count(*) filter (where gross_sales <> 0) as sales_rows
  from agg.daily_sales group by day, currency
), recurring as (
  select day, currency, sum(mrr) as mrr, count(*) filter (where mrr <> 0) as mrr_rows,
         count(*) filter (where mrr is null) as unknown_rows
  from agg.daily_mrr group by day, currency
), money as (
  select m.day, m.currency, m.orders, m.new_customers, x.fx_day, k.is_unconverted,
         case when m.gross_sales = 0 then 0 else fact.round_to_currency(m.gross_sales * x.fx_rate, p.currency) end as gmv,
         case when m.mrr = 0 then 0 else fact.round_to_currency(m.mrr * x.fx_rate, p.currency) end as mrr,
         case when k.is_unconverted then m.sales_rows + m.mrr_rows else 0 end as unconverted_rows,
         m.unknown_rows
  from ops.platform_settings p
  cross join (
    select day, currency, coalesce(orders, 0) as orders, coalesce(new_customers, 0) as new_customers,
           coalesce(gross_sales, 0) as gross_sales, coalesce(sales_rows, 0) as sales_rows,
           coalesce(mrr, 0) as mrr, coalesce(mrr_rows, 0) as mrr_rows, coalesce(unknown_rows, 0) as unknown_rows
    from sales full join recurring using (day, currency)
  ) m
  cross join lateral fact.exchange_rate(m.currency, p.currency, m.day) x
  cross join lateral (
    select x.fx_rate is null and (m.gross_sales <> 0 or m.mrr <> 0) as is_unconverted
  ) k
), figures as (
  select day, sum(gmv) as gmv, sum(mrr) as mrr, sum(orders)::bigint as orders,
         sum(new_customers)::bigint as new_customers, min(fx_day) as oldest_fx_day,
         sum(unconverted_rows)::bigint as unconverted_rows, sum(unknown_rows)::bigint as unknown_mrr_rows,
         coalesce(array_agg(currency order by currency) filter (where is_unconverted), '{}') as unconverted_currencies
  from money group by day
), days as (
  -- Also those between the first and the last on which nothing happened.
  select span.first_day + n as day
  from (select min(day) as first_day, max(day) as last_day from figures) span
  cross join lateral generate_series(0, span.last_day - span.first_day) n
), subscriptions as (
  -- A customer is a subscriber on the days at whose end their subscriptions are worth something.
  select s.brand_id, s.connection_id, s.customer_id, (s.valid_from at time zone b.time_zone)::date as from_day,
         (s.valid_until at time zone b.time_zone)::date as until_day
  from agg.subscription_states s join app.brands b on b.id = s.brand_id
  where s.monthly > 0 or s.cause is not null
), subscribers as (
  select unnest(range_agg(daterange(from_day, until_day))) as span
  from subscriptions where from_day < until_day
  group by brand_id, connection_id, customer_id
), events (day, brands, retailers, connections, came, went, uncarried) as (
  select (created_at at time zone time_zone)::date, 1, 0, 0, 0, 0, 0 from app.brands
  union all
  select (r.created_at at time zone b.time_zone)::date, 0, 1, 0, 0, 0, 0
  from app.retailers r join app.brands b on b.id = r.brand_id
  union all
  select (c.created_at at time zone b.time_zone)::date, 0, 0, 1, 0, 0, 0
  from app.connections c join app.brands b on b.id = c.brand_id
  union all
  select lower(span), 0, 0, 0, 1, 0, 0 from subscribers
  union all
  select upper(span), 0, 0, 0, 0, 1, 0 from subscribers where upper(span) < 'infinity'
  union all
  -- Retailers whose subscriptions go on, from the first day to which nobody has carried them.
  select (c.carried_to at time zone b.time_zone)::date + 1, 0, 0, 0, 0, 0, 1
  from ops.days_carried c join app.brands b on b.id = c.brand_id
  where exists (
    select from agg.subscription_states s
    where s.brand_id = c.brand_id and s.retailer_id = c.retailer_id and s.valid_until > c.carried_to)
  union all
  select day, 0, 0, 0, 0, 0, 0 from days
), standing as (
  select day, sum(sum(brands)) over until_then as brands, sum(sum(retailers)) over until_then as retailers,
         sum(sum(connections)) over until_then as connections, sum(sum(came) - sum(went)) over until_then as subscribers,
         sum(sum(went)) over (order by day range between interval '29 days' preceding and current row) as churned,
         sum(sum(uncarried)) over until_then as uncarried
  from events group by day
  window until_then as (order by day)
)
select d.day, p.currency,
       case when f.day is null then 0 else trim_scale(f.gmv) end as gmv,
       case when f.day is null then 0 else trim_scale(f.mrr) end as mrr,
       s.brands::bigint as brands, s.retailers::bigint as retailers, s.connections::bigint as connections,
       coalesce(f.orders, 0) as orders, coalesce(f.new_customers, 0) as new_customers,
       round(s.churned / nullif(s.subscribers + s.churned, 0), 4) as churn_rate,
       s.subscribers::bigint as subscribers, s.churned::bigint as churned_subscribers,
       coalesce(f.unconverted_rows, 0) = 0 and coalesce(f.unknown_mrr_rows, 0) = 0 and s.uncarried = 0 as is_complete,
       coalesce(f.unconverted_currencies, '{}') as unconverted_currencies,
       coalesce(f.unconverted_rows, 0) as unconverted_rows, s.uncarried::bigint as retailers_without_mrr,
       coalesce(f.unknown_mrr_rows, 0) as unknown_mrr_rows, f.oldest_fx_day
from days d
cross join ops.platform_settings p
join standing s using (day)
left join figures f using (day);

comment on view bi.platform_metrics is 'All brands together per day, for the operator of the platform only. A day is that date in each brand''s own time zone. Covers every day from the first to the last one with a figure. Amounts are converted at the rate of their day and rounded once per currency; amounts without a rate are left out and flagged (Source: ECB statistics).';
comment on column bi.platform_metrics.day is 'date, in each brand''s own time zone';
comment on column bi.platform_metrics.currency is 'currency of gmv and mrr (NIGHTSHIFT_PLATFORM_CURRENCY)';
comment on column bi.platform_metrics.gmv is 'gross merchandise volume: gross_sales of bi.daily_sales. Stripe payments are never in it, because they pay for these sales; null if no amount of the day can be converted';
comment on column bi.platform_metrics.mrr is 'monthly recurring revenue at the end of the day: mrr of bi.daily_mrr; null if none of it can be converted';
comment on column bi.platform_metrics.brands is 'brands that had been added by the end of the day; sales of earlier days come from history that was loaded later';
comment on column bi.platform_metrics.retailers is 'retailers that had been added by the end of the day';
comment on column bi.platform_metrics.connections is 'connections that had been added by the end of the day, including held ones';
comment on column bi.platform_metrics.orders is 'counted orders of bi.daily_sales, including those in currencies without a rate';
comment on column bi.platform_metrics.new_customers is 'new customers of bi.daily_sales, including those in currencies without a rate';
comment on column bi.platform_metrics.churn_rate is 'churned_subscribers / (subscribers 30 days before + customers who came or came back within these 30 days), 4 decimal places; null if the denominator is 0. A customer who came and left within the 30 days counts on both sides, so the rate never exceeds 1';
comment on column bi.platform_metrics.subscribers is 'customers whose subscriptions are worth something at the end of the day, as Stripe counts subscribers: without trials; a customer of several retailers counts once in each';
comment on column bi.platform_metrics.churned_subscribers is 'how often a customer''s worth fell to nothing in the 30 days up to this one; a customer who left twice counts twice, one who kept another subscription does not count';
comment on column bi.platform_metrics.is_complete is 'true if gmv and mrr are complete: no amount without a rate, no unknown mrr, and all subscriptions rolled forward to this day';
comment on column bi.platform_metrics.unconverted_currencies is 'currencies whose amounts gmv or mrr leaves out because they have no rate; bi.daily_sales and bi.daily_mrr have the amounts';
comment on column bi.platform_metrics.unconverted_rows is 'number of rows of bi.daily_sales and bi.daily_mrr with an amount that is left out for this reason';
comment on column bi.platform_metrics.retailers_without_mrr is 'retailers with running subscriptions whose mrr has not been rolled forward to this day';
comment on column bi.platform_metrics.unknown_mrr_rows is 'number of rows of bi.daily_mrr that mrr leaves out because Stripe cannot tell their amount; their mrr_cause says why';
comment on column bi.platform_metrics.oldest_fx_day is 'oldest day of publication among the rates used';

-- Who may read what. Roles belong to the whole server: they may be there already, another database may be
-- making them at this moment, or we may not be allowed to. So nothing of this can fail, and it may be
-- asked for again at any time: after an administrator has made the roles, or other views.
create function ops.grant_readers() returns text[] language plpgsql as $$
declare
  wanted text;
  missing text[] := '{}';
begin
  -- Rights of one schema that two sessions give at the same moment make one of them fail.
  perform pg_advisory_xact_lock(hashtextextended('grant readers', 0));
  foreach wanted in array array['nightshift_operator', 'nightshift_reader'] loop
    begin
      if to_regrole(wanted) is null then
        execute format('create role %I nologin', wanted);
      end if;
    exception
      when duplicate_object or unique_violation then null; -- another database was quicker
      when insufficient_privilege then
        raise notice 'Role % is missing, and this account may not make it.', wanted;
        missing := missing || wanted;
        continue;
    end;
    -- A function in a view runs as whoever asks: it must find what it calls, and may so read the rates only.
    -- Functions without tables, as those that round, are looked up in fact; its views stay closed.
    execute format('grant usage on schema bi, app, fact to %I', wanted);
    execute format('grant select on app.fx_rates to %I', wanted);
    execute format('grant select on all tables in schema bi to %I', wanted);
    execute format('alter default privileges in schema bi grant select on tables to %I', wanted);
  end loop;
  if to_regrole('nightshift_reader') is not null then
    revoke all on bi.platform_metrics from nightshift_reader;
  end if;
  if to_regrole('nightshift_operator') is not null then
    grant usage on schema ops to nightshift_operator;
    grant select on all tables in schema ops to nightshift_operator;
    revoke all on ops.rejected_rows from nightshift_operator; -- its payload is what a provider sent
    grant select (brand_id, connection_id, stream, row_key, reason, rejected_at) on ops.rejected_rows
      to nightshift_operator;
    alter default privileges in schema ops grant select on tables to nightshift_operator;
  end if;
  return missing;
end $$;
comment on function ops.grant_readers is
  'makes the roles nightshift_operator and nightshift_reader where it may, and gives them what they may read; names those that are missing';
select ops.grant_readers();
