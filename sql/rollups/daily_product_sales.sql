-- One row per retailer, brand-local day, currency, connection and product with goods sold, returned or adjusted.
with booked as (
  -- One row per order and product. Each day is summed up by itself: its rows are many, and so are its products.
  select p.retailer_id, p.day, p.ends_at, p.connection_id, s.*
  from spans p
  cross join lateral (
    select f.currency, f.product_key, f.order_id, min(f.booked_at) as booked_at,
           bool_or(f.is_order_of_product) as is_order_of_product,
           sum(f.units) as units, sum(f.units_returned) as units_returned, sum(f.gross_sales) as gross_sales,
           sum(f.discounts) as discounts, sum(f.returns) as returns
    from (
      select * from fact.product_sales
      where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
      order by booked_at
    ) f
    group by f.currency, f.product_key, f.order_id
  ) s
), sold as (
  select retailer_id, day, ends_at, connection_id, currency, product_key,
         count(*) filter (where is_order_of_product) as orders,
         coalesce(sum(units), 0) as units, coalesce(sum(units_returned), 0) as units_returned,
         trim_scale(coalesce(sum(gross_sales), 0)) as gross_sales, trim_scale(coalesce(sum(discounts), 0)) as discounts,
         trim_scale(coalesce(sum(returns), 0)) as returns
  from booked
  group by retailer_id, day, ends_at, connection_id, currency, product_key
), costed as (
  -- The cost that held at the end of the day. A cost in another currency is as good as unknown.
  select s.*, (s.units, s.units_returned) <> (0, 0) as has_units, c.cost
  from sold s
  left join lateral (
    select case when k.currency = s.currency then k.cost end as cost from fact.product_costs k
    where k.brand_id = $1 and k.connection_id = s.connection_id and k.product_key = s.product_key
      and k.valid_from < s.ends_at
    order by k.valid_from desc limit 1
  ) c on true
)
select retailer_id, day, currency, connection_id, product_key, orders, units, units_returned, gross_sales, discounts,
       returns, case when has_units then trim_scale((units - units_returned) * cost) else 0 end as cost_of_goods,
       case when has_units and cost is null then units + units_returned else 0 end as units_without_cost
from costed
