-- One row per retailer, brand-local day, currency, connection and product with goods sold, returned or adjusted.
with booked as (
  -- One row per order and product. Each day is summed up by itself: its rows are many, and so are its products. An order is
  -- looked up once, and its rows from there. `offset 0` keeps each search to the index of its order.
  select p.retailer_id, p.day, p.ends_at, p.connection_id, s.*
  from spans p
  cross join lateral (
    select f.currency, f.product_key, o.order_id, min(f.booked_at) as booked_at,
           bool_or(o.counted and f.is_ordered) as is_order_of_product,
           sum(f.units) as units, sum(f.units_returned) as units_returned, sum(f.gross_sales) as gross_sales,
           sum(f.discounts) as discounts, sum(f.returns) as returns
    from (
      select distinct order_id
      from (
        select order_id from fact.ledger
        where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
        order by booked_at offset 0
      ) l
    ) d
    cross join lateral (
      select order_id, counted from fact.real_orders
      where brand_id = $1 and connection_id = p.connection_id and order_id >= d.order_id and order_id <= d.order_id
      order by order_id
    ) o
    cross join lateral (
      select * from fact.product_ledger
      where brand_id = $1 and connection_id = p.connection_id and order_id >= o.order_id and order_id <= o.order_id
      order by order_id offset 0
    ) f
    where f.booked_at >= p.starts_at and f.booked_at < p.ends_at
    group by f.currency, f.product_key, o.order_id
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
