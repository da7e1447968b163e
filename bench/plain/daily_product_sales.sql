-- The whole of agg.daily_product_sales as one would write it for a report: no pairs, no comparison, no guard.
insert into public.plain_daily_product_sales
  (brand_id, retailer_id, day, currency, connection_id, product_key, orders, units, units_returned,
   gross_sales, discounts, returns, cost_of_goods, units_without_cost, computed_at)
with sold as (
  select s.retailer_id, (s.booked_at at time zone b.time_zone)::date as day, s.currency, s.connection_id,
         s.product_key, b.time_zone,
         count(distinct s.order_id) filter (where o.counted and s.is_ordered) as orders,
         coalesce(sum(s.units), 0) as units, coalesce(sum(s.units_returned), 0) as units_returned,
         coalesce(sum(s.gross_sales), 0) as gross_sales, coalesce(sum(s.discounts), 0) as discounts,
         coalesce(sum(s.returns), 0) as returns
  from fact.product_ledger s
  join fact.real_orders o on o.brand_id = s.brand_id and o.connection_id = s.connection_id and o.order_id = s.order_id
  join app.brands b on b.id = s.brand_id
  where s.brand_id = $1
  group by 1, 2, 3, 4, 5, 6
)
select $1, s.retailer_id, s.day, s.currency, s.connection_id, s.product_key, s.orders, s.units, s.units_returned,
       s.gross_sales, s.discounts, s.returns,
       case when (s.units, s.units_returned) <> (0, 0) then (s.units - s.units_returned) * c.cost else 0 end,
       case when (s.units, s.units_returned) <> (0, 0) and c.cost is null then s.units + s.units_returned else 0 end,
       $2::timestamptz
from sold s
left join lateral (
  select case when k.currency = s.currency then k.cost end as cost from raw.shopify_costs k
  where k.brand_id = $1 and k.connection_id = s.connection_id and k.id = s.product_key
    and k.valid_from < fact.day_start(s.day + 1, s.time_zone) and k.deleted_at is null
  order by k.valid_from desc limit 1
) c on true
