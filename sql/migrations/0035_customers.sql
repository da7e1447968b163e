-- Customers of retailers: what each has bought, by month and in all; cohorts of them; and growth by country.

alter table agg.order_days add column ordered_sales numeric not null default 0;
alter table agg.order_days alter column ordered_sales drop default;
comment on column agg.order_days.ordered_sales is 'gross sales less discounts of ORDER agreements alone: what the average order value is made of';

create table agg.customer_months (
  brand_id uuid not null,
  retailer_id uuid not null,
  connection_id uuid not null,
  customer_id text not null,
  month date not null,
  currency text not null,
  cohort_month date,
  is_new boolean not null,
  orders bigint not null,
  net_sales numeric not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, connection_id, customer_id, month, currency)
);
comment on table agg.customer_months is 'what a customer of a shop bought, by month and currency';
comment on column agg.customer_months.month is 'first day of the month';
comment on column agg.customer_months.cohort_month is 'the month of the first counted order of the customer; null without one';
comment on column agg.customer_months.is_new is 'whether that order is in this row';
create index customer_months_by_month on agg.customer_months (brand_id, retailer_id, month);

create table agg.customer_value (
  brand_id uuid not null,
  retailer_id uuid not null,
  connection_id uuid not null,
  customer_id text not null,
  currency text not null,
  country text not null,
  orders bigint not null,
  units bigint not null,
  units_returned bigint not null,
  net_sales numeric not null,
  ordered_sales numeric not null,
  first_order_day date,
  last_order_day date,
  all_orders bigint not null,
  first_day date,
  last_day date,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, connection_id, customer_id, currency)
);
comment on table agg.customer_value is 'what a customer of a shop has bought in all, by currency';
comment on column agg.customer_value.all_orders is 'counted orders of the customer in any currency; first_day and last_day are the days of the first and the last of them';
create index customer_value_by_sales on agg.customer_value (brand_id, retailer_id, currency, net_sales desc);
create index customer_value_by_first_day on agg.customer_value (brand_id, retailer_id, first_day);

create table agg.customer_cohorts (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  cohort_month date not null,
  currency text not null,
  customers bigint not null,
  new_customers bigint not null,
  orders bigint not null,
  net_sales numeric not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, cohort_month, currency)
);
comment on table agg.customer_cohorts is 'what the customers of a cohort bought in a month';
comment on column agg.customer_cohorts.day is 'first day of the month';

create table agg.monthly_country_sales (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  country text not null,
  orders bigint not null,
  units bigint not null,
  units_returned bigint not null,
  gross_sales numeric not null,
  discounts numeric not null,
  returns numeric not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency, country)
);
comment on table agg.monthly_country_sales is 'sales of a retailer, by month, currency and country of the order';
comment on column agg.monthly_country_sales.day is 'first day of the month';
create index monthly_country_sales_by_month on agg.monthly_country_sales (brand_id, day);

-- What is stored already is computed by the next rollup of each retailer.
insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
select distinct brand_id, retailer_id, 'sales', day, now() from agg.order_days
union all
select distinct brand_id, retailer_id, 'daily_country_sales', day, now() from agg.daily_country_sales;
insert into ops.marks (brand_id, retailer_id, subject, object, marked_at)
select distinct brand_id, retailer_id, 'customers', connection_id || ' ' || customer_id, now()
from agg.order_days where customer_id is not null;

update ops.streams set feeds = feeds || '{customers}' where stream in ('shopify.orders', 'shopify.deletions');
insert into ops.rollups (rollup, figures, changes_with)
values ('monthly_country_sales', 'sales', '{daily_country_sales}'),
       ('customer_months', 'customers', '{customers}'),
       ('customer_value', 'customers', '{customers}'),
       ('customer_cohorts', 'customers', '{customer_months}');

create function fact.customer_segment(orders bigint, first_day date, last_day date, as_of date) returns text
language sql immutable parallel safe as $$
  select case
    when orders = 0 then null
    when as_of - last_day > 365 then 'lost'
    when as_of - last_day > 180 then 'at_risk'
    when orders >= 4 then 'loyal'
    when as_of - first_day <= 90 then 'new'
    else 'active' end
$$;
comment on function fact.customer_segment is
  'by days since the last order: lost over 365, at_risk over 180; else loyal with 4 orders or more, new up to 90 days after the first one, else active';

-- Days pass for a customer as far as sales of the brand are known: a sync that stands still loses nobody.
create view bi.customer_value as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.connection_id, c.name as connection,
       a.customer_id, a.currency, a.country, a.orders, a.units, a.units_returned, a.net_sales,
       case when a.orders > 0 then round(a.ordered_sales / a.orders, 2) end as average_order_value,
       a.first_order_day, a.last_order_day, a.all_orders, d.as_of - a.last_day as days_since_last_order,
       fact.customer_segment(a.all_orders, a.first_day, a.last_day, d.as_of) as segment, d.as_of, a.computed_at
from app.brands b
left join lateral (
  select s.day as as_of from agg.daily_sales s
  where s.brand_id = b.id and s.day <= (now() at time zone b.time_zone)::date
  order by s.day desc limit 1
) d on true
join agg.customer_value a on a.brand_id = b.id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
join app.connections c on c.brand_id = a.brand_id and c.id = a.connection_id;

create function bi.customer_segments(brand uuid, as_of date)
returns table (retailer_id uuid, retailer text, connection_id uuid, customer_id text, orders bigint, first_order_day date,
               last_order_day date, segment text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select o.retailer_id, r.slug, o.connection_id, o.customer_id, o.orders, o.first_day, o.last_day,
         fact.customer_segment(o.orders, o.first_day, o.last_day, $2)
  from (
    select d.brand_id, d.retailer_id, d.connection_id, d.customer_id, count(*) as orders, min(d.day) as first_day,
           max(d.day) as last_day
    from agg.order_days d
    where d.brand_id = $1 and d.day <= $2 and d.is_placed and d.is_counted and d.customer_id is not null
    group by 1, 2, 3, 4
  ) o
  join app.retailers r on r.brand_id = o.brand_id and r.id = o.retailer_id
$$;
comment on function bi.customer_segments is
  'segments of the customers of a brand as of any day, of the orders up to it as they are known now; of today it says what bi.customer_value does';

-- A hundred a retailer and currency, each list read in the order of its index.
create view bi.top_customers as
select b.id as brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, k.currency,
       rank() over (partition by b.id, r.id, k.currency order by t.net_sales desc) as rank,
       t.connection_id, t.customer_id, t.country, t.orders, t.net_sales, t.first_order_day, t.last_order_day, t.computed_at
from app.brands b
join app.retailers r on r.brand_id = b.id
cross join lateral (
  with recursive next as (
    (select v.currency from agg.customer_value v where v.brand_id = b.id and v.retailer_id = r.id order by v.currency limit 1)
    union all
    select (select v.currency from agg.customer_value v
            where v.brand_id = b.id and v.retailer_id = r.id and v.currency > n.currency order by v.currency limit 1)
    from next n where n.currency is not null
  )
  select currency from next where currency is not null
) k
cross join lateral (
  select * from agg.customer_value v
  where v.brand_id = b.id and v.retailer_id = r.id and v.currency = k.currency and v.orders > 0
  order by v.net_sales desc, v.connection_id, v.customer_id limit 100
) t;

create view bi.customer_cohorts as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.cohort_month, a.day as month,
       ((extract(year from a.day) - extract(year from a.cohort_month)) * 12
         + extract(month from a.day) - extract(month from a.cohort_month))::integer as month_number,
       a.currency, a.customers, a.new_customers, a.orders, a.net_sales, z.cohort_customers,
       round(a.customers / nullif(z.cohort_customers, 0)::numeric, 4) as retention, a.computed_at
from agg.customer_cohorts a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
cross join lateral (
  select sum(c.new_customers)::bigint as cohort_customers from agg.customer_cohorts c
  where c.brand_id = a.brand_id and c.retailer_id = a.retailer_id and c.day = a.cohort_month and c.cohort_month = a.cohort_month
) z;

create view bi.country_growth as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.country, a.day as month, a.currency,
       a.orders, a.units, a.units_returned, n.net_sales, p.net_sales as previous_net_sales,
       round((n.net_sales - p.net_sales) / nullif(greatest(p.net_sales, 0), 0) * 100, 2) as growth_percentage, a.computed_at
from agg.monthly_country_sales a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
cross join lateral (select a.gross_sales - a.discounts - a.returns as net_sales) n
cross join lateral (
  select coalesce((
    select m.gross_sales - m.discounts - m.returns from agg.monthly_country_sales m
    where m.brand_id = a.brand_id and m.retailer_id = a.retailer_id and m.day = (a.day::timestamp - interval '1 month')::date
      and m.currency = a.currency and m.country = a.country), 0) as net_sales
) p;

comment on view bi.customer_value is 'What each customer of a shop has bought in all, per retailer and currency. Orders without a customer are in no row. Customers are known by their ids in the shop only; two shops have customers of their own.';
comment on column bi.customer_value.brand_id is 'id of the brand';
comment on column bi.customer_value.brand is 'short name of the brand';
comment on column bi.customer_value.retailer_id is 'id of the retailer';
comment on column bi.customer_value.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.customer_value.connection_id is 'id of the shop; customer ids are unique only within a shop';
comment on column bi.customer_value.connection is 'name of the shop, unique within its brand';
comment on column bi.customer_value.customer_id is 'id of the customer in the shop; of an erased person a pseudonym';
comment on column bi.customer_value.currency is 'ISO 4217 currency of the orders and amounts in the row';
comment on column bi.customer_value.country is 'ISO 3166 code of the newest counted order in any currency, as in bi.daily_country_sales';
comment on column bi.customer_value.orders is 'counted orders';
comment on column bi.customer_value.units is 'items sold';
comment on column bi.customer_value.units_returned is 'items returned or removed from orders';
comment on column bi.customer_value.net_sales is 'gross sales - discounts - returns of all orders of the customer, as in bi.daily_sales';
comment on column bi.customer_value.average_order_value is '(gross_sales - discounts of orders as placed) / orders, 2 decimal places; null without orders. NOT ADDITIVE';
comment on column bi.customer_value.first_order_day is 'day of the first counted order in the brand''s time zone; null without one';
comment on column bi.customer_value.last_order_day is 'day of the last counted order';
comment on column bi.customer_value.all_orders is 'counted orders in any currency: segment rests on them. NOT ADDITIVE: every row of a customer has all of them';
comment on column bi.customer_value.days_since_last_order is 'days from the last counted order in any currency to as_of';
comment on column bi.customer_value.segment is 'the first that holds of the counted orders in any currency: lost (the last one more than 365 days before as_of), at_risk (more than 180 days), loyal (4 orders or more), new (the first one at most 90 days before), active; null without an order';
comment on column bi.customer_value.as_of is 'the last day up to today with sales of the brand: where no sales come in, nobody gets lost';
comment on column bi.customer_value.computed_at is 'when the figures of this row last changed; segment follows as_of';
comment on view bi.top_customers is 'The hundred customers with the highest net sales of each retailer and currency.';
comment on column bi.top_customers.brand_id is 'id of the brand';
comment on column bi.top_customers.brand is 'short name of the brand';
comment on column bi.top_customers.retailer_id is 'id of the retailer';
comment on column bi.top_customers.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.top_customers.currency is 'ISO 4217 currency of net_sales';
comment on column bi.top_customers.rank is 'place by net_sales among the customers of the retailer in this currency; equal ones share a place, and the next ones follow as if they did not';
comment on column bi.top_customers.connection_id is 'id of the shop';
comment on column bi.top_customers.customer_id is 'id of the customer in the shop; of an erased person a pseudonym';
comment on column bi.top_customers.country is 'ISO 3166 code of the newest counted order';
comment on column bi.top_customers.orders is 'counted orders';
comment on column bi.top_customers.net_sales is 'net sales, as in bi.customer_value';
comment on column bi.top_customers.first_order_day is 'day of the first counted order';
comment on column bi.top_customers.last_order_day is 'day of the last counted order';
comment on column bi.top_customers.computed_at is 'when the figures of this row last changed';
comment on view bi.customer_cohorts is 'What the customers of a cohort bought in each month, per retailer and currency. A cohort is the customers of a shop whose first counted order is in the month; orders without a customer are in none.';
comment on column bi.customer_cohorts.brand_id is 'id of the brand';
comment on column bi.customer_cohorts.brand is 'short name of the brand';
comment on column bi.customer_cohorts.retailer_id is 'id of the retailer';
comment on column bi.customer_cohorts.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.customer_cohorts.cohort_month is 'first day of the month of the first counted order, in the brand''s time zone';
comment on column bi.customer_cohorts.month is 'first day of the month of the figures';
comment on column bi.customer_cohorts.month_number is 'months from cohort_month to month: 0 in the month of the first order; negative only for what was booked before it on orders that do not count';
comment on column bi.customer_cohorts.currency is 'ISO 4217 currency of the orders and amounts in the row';
comment on column bi.customer_cohorts.customers is 'customers of the cohort with a counted order in the month and currency. NOT ADDITIVE over months and currencies: a customer may be in several';
comment on column bi.customer_cohorts.new_customers is 'customers whose first counted order is in this row: over the cohorts of a month the sum of new_customers in bi.daily_sales';
comment on column bi.customer_cohorts.orders is 'counted orders of the cohort in the month';
comment on column bi.customer_cohorts.net_sales is 'net sales of the cohort in the month: returns count in the month in which they happened';
comment on column bi.customer_cohorts.cohort_customers is 'all customers of the cohort, whatever the currency of their first order. NOT ADDITIVE: every row of a cohort has all of them';
comment on column bi.customer_cohorts.retention is 'customers / cohort_customers, 4 decimal places. NOT ADDITIVE';
comment on column bi.customer_cohorts.computed_at is 'when the figures of this row last changed';
comment on view bi.country_growth is 'Sales per country of the order, retailer, month and currency, beside the month before. A month that is not over is compared with all of the month before; one without sales has no row.';
comment on column bi.country_growth.brand_id is 'id of the brand';
comment on column bi.country_growth.brand is 'short name of the brand';
comment on column bi.country_growth.retailer_id is 'id of the retailer';
comment on column bi.country_growth.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.country_growth.country is 'ISO 3166 code of the shipping address, else of the billing address, else ZZ';
comment on column bi.country_growth.month is 'first day of the month, in the brand''s time zone';
comment on column bi.country_growth.currency is 'ISO 4217 currency of the amounts';
comment on column bi.country_growth.orders is 'counted orders';
comment on column bi.country_growth.units is 'items sold';
comment on column bi.country_growth.units_returned is 'items returned or removed from orders';
comment on column bi.country_growth.net_sales is 'gross sales - discounts - returns, as in bi.daily_country_sales';
comment on column bi.country_growth.previous_net_sales is 'net sales of the month before; 0 if there were none';
comment on column bi.country_growth.growth_percentage is '(net_sales - previous_net_sales) / previous_net_sales * 100, 2 decimal places; null if there was nothing to grow from. NOT ADDITIVE: sum the two sides first';
comment on column bi.country_growth.computed_at is 'when the figures of this row last changed';
comment on column bi.completeness.source is 'which figures: sales (daily_sales, daily_country_sales, country_growth), product_sales (daily_product_sales), customers (customer_value, top_customers, customer_cohorts), payments (daily_payments), mrr (daily_mrr), social (daily_social, social_posts), email (daily_email) or campaigns (daily_campaigns, order_credits)';
