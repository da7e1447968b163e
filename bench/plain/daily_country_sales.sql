-- The whole of agg.daily_country_sales as one would write it for a report: no pairs, no comparison, no guard.
insert into public.plain_daily_country_sales
  (brand_id, retailer_id, day, currency, country, orders, customers, units, units_returned,
   gross_sales, discounts, returns, computed_at)
with sold as (
  select s.retailer_id, (s.booked_at at time zone b.time_zone)::date as day, s.currency, s.country,
         sum(s.units) as units, sum(s.units_returned) as units_returned,
         sum(s.gross_sales) as gross_sales, sum(s.discounts) as discounts, sum(s.returns) as returns
  from fact.sales s join app.brands b on b.id = s.brand_id
  where s.brand_id = $1
  group by 1, 2, 3, 4
), ordered as (
  select o.retailer_id, (o.processed_at at time zone b.time_zone)::date as day, o.currency, o.country,
         count(*) as orders,
         count(distinct (o.connection_id, o.customer_id)) filter (where o.customer_id is not null) as customers
  from fact.orders o join app.brands b on b.id = o.brand_id
  where o.brand_id = $1
  group by 1, 2, 3, 4
)
select $1, retailer_id, day, currency, country, coalesce(o.orders, 0), coalesce(o.customers, 0),
       coalesce(s.units, 0), coalesce(s.units_returned, 0), coalesce(s.gross_sales, 0),
       coalesce(s.discounts, 0), coalesce(s.returns, 0), $2::timestamptz
from sold s full join ordered o using (retailer_id, day, currency, country)
