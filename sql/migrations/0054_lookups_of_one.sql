-- A lookup by a key says that it finds one row. Without the limit the planner takes it for two hundredths of the table: as soon
-- as the small tables beside it had statistics, a report over a year of products was planned for 89 million rows instead of
-- 300,000 and ran for half a minute.

create or replace view bi.daily_product_sales as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.day, a.currency,
       a.connection_id, c.name as connection, a.product_key,
       coalesce(v.product_id, l.product_id) as product_id, k.variant_id,
       coalesce(v.sku, l.sku) as sku,
       coalesce(p.title, l.title, a.product_key) as product,
       coalesce(v.title, l.variant_title) as variant,
       coalesce(nullif(p.category, ''), nullif(p.product_type, '')) as category,
       a.orders, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns, n.net_sales,
       a.cost_of_goods, n.net_sales - a.cost_of_goods as profit,
       case when n.net_sales <> 0 then round((n.net_sales - a.cost_of_goods) / n.net_sales, 4) end as margin,
       a.units_without_cost, a.computed_at
from agg.daily_product_sales a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
join app.connections c on c.brand_id = a.brand_id and c.id = a.connection_id
cross join lateral (
  select case when a.product_key = 'unallocated' or a.product_key like 'line:%' then null
              else a.product_key end as variant_id,
         case when a.product_key like 'line:%' then substr(a.product_key, 6) end as line_name
) k
cross join lateral (select a.gross_sales - a.discounts - a.returns as net_sales) n
left join lateral (
  select * from raw.shopify_variants
  where brand_id = a.brand_id and connection_id = a.connection_id and id >= a.product_key and id <= a.product_key
  order by id limit 1
) v on true
-- A product without a stored variant is called what its newest order line calls it.
left join lateral (select * from (
  (select o.product_id, o.sku, o.title, o.variant_title, o.changed_at from raw.shopify_order_lines o
   where o.brand_id = a.brand_id and o.connection_id = a.connection_id and v.id is null
     and o.variant_id >= k.variant_id and o.variant_id <= k.variant_id
   order by o.variant_id desc, o.changed_at desc limit 1)
  union all
  (select o.product_id, nullif(o.sku, ''), o.title, o.variant_title, o.changed_at from raw.shopify_order_lines o
   where o.brand_id = a.brand_id and o.connection_id = a.connection_id and o.variant_id is null
     and fact.line_name(o.sku, o.title) >= k.line_name and fact.line_name(o.sku, o.title) <= k.line_name
   order by fact.line_name(o.sku, o.title) desc, o.changed_at desc limit 1)
) named limit 1) l on true
left join lateral (
  select * from raw.shopify_products
  where brand_id = a.brand_id and connection_id = a.connection_id
    and id >= coalesce(v.product_id, l.product_id) and id <= coalesce(v.product_id, l.product_id)
  order by id limit 1
) p on true;

create or replace view bi.daily_stock as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.connection_id, c.name as connection, a.variant_id,
       v.sku, a.day, (
         select n.day - 1 from agg.daily_stock n
         where n.brand_id = a.brand_id and n.retailer_id = a.retailer_id and n.connection_id = a.connection_id
           and n.variant_id = a.variant_id and n.day > a.day
         order by n.day limit 1) as last_day,
       a.level_before, a.opening, a.ordered, a.returned, a.adjusted, a.unknown, a.level, a.read_at, a.computed_at
from agg.daily_stock a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
join app.connections c on c.brand_id = a.brand_id and c.id = a.connection_id
left join lateral (
  select sku from raw.shopify_variants
  where brand_id = a.brand_id and connection_id = a.connection_id and id >= a.variant_id and id <= a.variant_id
  order by id limit 1
) v on true;
