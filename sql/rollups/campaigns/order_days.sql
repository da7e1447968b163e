-- One row per order and day on which it was placed or anything was booked on it.
with lines as (
  select p.retailer_id, p.day, p.connection_id, f.*
  from spans p
  cross join lateral (
    select order_id, sale_id, booked_at, reason, line_type, units, units_returned, gross_sales, discounts, returns,
           ordered_sales
    from fact.ledger
    where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
    order by booked_at
  ) f
), booked as (
  select retailer_id, day, connection_id, order_id, sum(units) as units, sum(units_returned) as units_returned,
         sum(gross_sales) as gross_sales, sum(discounts) as discounts, sum(returns) as returns,
         sum(ordered_sales) as ordered_sales
  from lines
  group by retailer_id, day, connection_id, order_id
), placed as (
  select p.retailer_id, p.day, p.connection_id, o.order_id
  from spans p
  cross join lateral (
    select order_id from fact.placed_orders
    where brand_id = $1 and connection_id = p.connection_id and placed_at >= p.starts_at and placed_at < p.ends_at
    order by placed_at
  ) o
)
select retailer_id, day, connection_id, order_id, o.currency, o.placed_at, p.order_id is not null as is_placed,
       o.counted as is_counted, o.customer_id, o.person, o.country, o.utm_campaign, o.visited_at, o.discount_codes,
       coalesce(b.units, 0) as units, coalesce(b.units_returned, 0) as units_returned,
       trim_scale(coalesce(b.gross_sales, 0)) as gross_sales, trim_scale(coalesce(b.discounts, 0)) as discounts,
       trim_scale(coalesce(b.returns, 0)) as returns,
       trim_scale(coalesce(b.gross_sales, 0) - coalesce(b.discounts, 0) - coalesce(b.returns, 0)) as net_sales,
       trim_scale(coalesce(b.ordered_sales, 0)) as ordered_sales
from placed p
full join booked b using (retailer_id, day, connection_id, order_id)
cross join lateral (
  select currency, placed_at, counted, customer_id, person, country, utm_campaign, visited_at, discount_codes
  from fact.placed_orders
  where brand_id = $1 and connection_id = coalesce(p.connection_id, b.connection_id)
    and order_id >= coalesce(p.order_id, b.order_id) and order_id <= coalesce(p.order_id, b.order_id)
  order by order_id
) o
