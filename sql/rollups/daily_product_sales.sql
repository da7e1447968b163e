-- One row per retailer, brand-local day, currency, connection and product with goods sold, returned or adjusted.
with sold as (
  -- Each day is summed up by itself: its rows are many, and so are its products.
  select p.retailer_id, p.day, p.ends_at, p.connection_id, s.*
  from spans p
  cross join lateral (
    select f.currency, f.product_key,
           count(distinct f.order_id) filter (where f.is_order_of_product) as orders,
           coalesce(sum(f.units), 0) as units,
           coalesce(sum(f.units_returned), 0) as units_returned,
           trim_scale(coalesce(sum(f.gross_sales), 0)) as gross_sales,
           trim_scale(coalesce(sum(f.discounts), 0)) as discounts,
           trim_scale(coalesce(sum(f.returns), 0)) as returns
    from (
      select * from fact.product_sales
      where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
      order by booked_at
    ) f
    group by f.currency, f.product_key
  ) s
)
-- The cost that held at the end of the day. A cost in another currency is as good as unknown.
select s.retailer_id, s.day, s.currency, s.connection_id, s.product_key, s.orders, s.units,
       s.units_returned, s.gross_sales, s.discounts, s.returns,
       case when n.has_units then trim_scale((s.units - s.units_returned) * c.cost) else 0 end as cost_of_goods,
       case when n.has_units and c.cost is null then s.units + s.units_returned else 0 end as units_without_cost
from sold s
cross join lateral (select (s.units, s.units_returned) <> (0, 0) as has_units) n
left join lateral (
  select case when k.currency = s.currency then k.cost end as cost from fact.product_costs k
  where k.brand_id = $1 and k.connection_id = s.connection_id and k.product_key = s.product_key
    and k.valid_from < s.ends_at
  order by k.valid_from desc limit 1
) c on true
