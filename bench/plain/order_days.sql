-- The whole of agg.order_days as one would write it for a report: no pairs, no comparison, no guard.
insert into public.plain_order_days
  (brand_id, day, retailer_id, connection_id, order_id, currency, placed_at, is_placed, is_counted, customer_id, person,
   country, utm_campaign, visited_at, discount_codes, units, units_returned, gross_sales, discounts, returns, net_sales,
   ordered_sales, computed_at)
with booked as (
  select l.connection_id, l.order_id, (l.booked_at at time zone b.time_zone)::date as day, sum(l.units) as units,
         sum(l.units_returned) as units_returned, sum(l.gross_sales) as gross_sales, sum(l.discounts) as discounts,
         sum(l.returns) as returns, sum(l.ordered_sales) as ordered_sales
  from fact.ledger l join app.brands b on b.id = l.brand_id
  where l.brand_id = $1
  group by 1, 2, 3
), placed as (
  select o.*, (o.placed_at at time zone b.time_zone)::date as day
  from fact.placed_orders o join app.brands b on b.id = o.brand_id
  where o.brand_id = $1
)
select $1, d.day, c.retailer_id, o.connection_id, o.order_id, o.currency, o.placed_at, d.day = o.day, o.counted,
       o.customer_id, o.person, o.country, o.utm_campaign, o.visited_at, o.discount_codes, coalesce(b.units, 0),
       coalesce(b.units_returned, 0), coalesce(b.gross_sales, 0), coalesce(b.discounts, 0), coalesce(b.returns, 0),
       coalesce(b.gross_sales, 0) - coalesce(b.discounts, 0) - coalesce(b.returns, 0),
       coalesce(b.ordered_sales, 0), $2::timestamptz
from (select connection_id, order_id, day from booked union select connection_id, order_id, day from placed) d
join placed o using (connection_id, order_id)
join app.connections c on c.brand_id = $1 and c.id = o.connection_id
left join booked b on b.connection_id = d.connection_id and b.order_id = d.order_id and b.day = d.day
