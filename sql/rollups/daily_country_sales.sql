-- One row per retailer, brand-local day, currency and country of the order. Rebuilds exactly the pairs
-- given in $2 uuid[] (retailers) and $3 date[] (days) of brand $1 as of $4; what is already right is
-- not touched.
with wanted as (
  select r.id as retailer_id, pair.day,
         fact.day_start(pair.day, b.time_zone) as starts_at, fact.day_start(pair.day + 1, b.time_zone) as ends_at
  from (select distinct * from unnest($2::uuid[], $3::date[]) as p (retailer_id, day)) pair
  join app.brands b on b.id = $1
  join app.retailers r on r.brand_id = $1 and r.id = pair.retailer_id
), sold as (
  -- Summed up by order first, so that each order is looked up once for its country.
  select w.retailer_id, w.day, s.*
  from wanted w
  cross join lateral (
    select l.currency, o.country, sum(l.units) as units, sum(l.units_returned) as units_returned,
           sum(l.gross_sales) as gross_sales, sum(l.discounts) as discounts, sum(l.returns) as returns
    from (
      select f.connection_id, f.order_id, f.currency,
             sum(f.units) as units, sum(f.units_returned) as units_returned,
             sum(f.gross_sales) as gross_sales, sum(f.discounts) as discounts, sum(f.returns) as returns
      from fact.ledger f
      where f.brand_id = $1 and f.retailer_id = w.retailer_id
        and f.booked_at >= w.starts_at and f.booked_at < w.ends_at
      group by f.connection_id, f.order_id, f.currency
    ) l
    cross join lateral (
      select country from fact.real_orders
      where brand_id = $1 and connection_id = l.connection_id and order_id = l.order_id
      offset 0
    ) o
    group by l.currency, o.country
  ) s
), ordered as (
  select w.retailer_id, w.day, o.*
  from wanted w
  cross join lateral (
    select f.currency, f.country, count(*) as orders,
           count(distinct (f.connection_id, f.customer_id)) filter (where f.customer_id is not null) as customers
    from fact.orders f
    where f.brand_id = $1 and f.retailer_id = w.retailer_id
      and f.processed_at >= w.starts_at and f.processed_at < w.ends_at
    group by f.currency, f.country
  ) o
), fresh as (
  select retailer_id, day, currency, country,
         coalesce(o.orders, 0) as orders, coalesce(o.customers, 0) as customers,
         coalesce(s.units, 0) as units, coalesce(s.units_returned, 0) as units_returned,
         trim_scale(coalesce(s.gross_sales, 0)) as gross_sales,
         trim_scale(coalesce(s.discounts, 0)) as discounts,
         trim_scale(coalesce(s.returns, 0)) as returns
  from sold s full join ordered o using (retailer_id, day, currency, country)
  -- What is in other columns of daily_sales alone (gift cards, shipping, tips) is nothing here, and makes no row.
  where o.orders > 0 or s.units <> 0 or s.units_returned <> 0
     or s.gross_sales <> 0 or s.discounts <> 0 or s.returns <> 0
), gone as (
  delete from agg.daily_country_sales a using wanted w
  where a.brand_id = $1 and (a.retailer_id, a.day) = (w.retailer_id, w.day) and not exists (
    select from fresh f
    where (f.retailer_id, f.day, f.currency, f.country) = (a.retailer_id, a.day, a.currency, a.country))
  returning 1
), written as (
  insert into agg.daily_country_sales as a
    (brand_id, retailer_id, day, currency, country, orders, customers, units, units_returned,
     gross_sales, discounts, returns, computed_at)
  select $1, f.*, $4::timestamptz from fresh f
  where not exists (
    select from agg.daily_country_sales a
    where a.brand_id = $1
      and (a.retailer_id, a.day, a.currency, a.country) = (f.retailer_id, f.day, f.currency, f.country)
      and (a.orders, a.customers, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns)
          is not distinct from
          (f.orders, f.customers, f.units, f.units_returned, f.gross_sales, f.discounts, f.returns))
  on conflict (brand_id, retailer_id, day, currency, country) do update
  set orders = excluded.orders, customers = excluded.customers, units = excluded.units,
      units_returned = excluded.units_returned, gross_sales = excluded.gross_sales,
      discounts = excluded.discounts, returns = excluded.returns, computed_at = excluded.computed_at
  returning 1
)
select (select count(*) from written) as written, (select count(*) from gone) as deleted;
