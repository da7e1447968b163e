-- One row per retailer, brand-local day, currency and country of the order.
with sold as (
  -- Summed up by order first, so that each order is looked up once for its country.
  select p.retailer_id, p.day, l.currency, o.country, sum(l.units) as units, sum(l.units_returned) as units_returned,
         sum(l.gross_sales) as gross_sales, sum(l.discounts) as discounts, sum(l.returns) as returns
  from spans p
  cross join lateral (
    select f.order_id, f.currency,
           sum(f.units) as units, sum(f.units_returned) as units_returned,
           sum(f.gross_sales) as gross_sales, sum(f.discounts) as discounts, sum(f.returns) as returns
    from (
      select * from fact.ledger
      where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
      order by booked_at
    ) f
    group by f.order_id, f.currency
  ) l
  cross join lateral (
    select country from fact.real_orders
    where brand_id = $1 and connection_id = p.connection_id and order_id >= l.order_id and order_id <= l.order_id
    order by order_id
  ) o
  group by p.retailer_id, p.day, l.currency, o.country
), ordered as (
  select p.retailer_id, p.day, o.currency, o.country, count(*) as orders,
         count(distinct (p.connection_id, o.customer_id)) filter (where o.customer_id is not null) as customers
  from spans p
  cross join lateral (
    select * from fact.orders
    where brand_id = $1 and connection_id = p.connection_id
      and processed_at >= p.starts_at and processed_at < p.ends_at
    order by processed_at
  ) o
  group by p.retailer_id, p.day, o.currency, o.country
)
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
