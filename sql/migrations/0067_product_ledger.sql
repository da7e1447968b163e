-- Goods of the ledger with the product that they are counted for, of whatever order: who sums up a day looks each order up once,
-- and not for each of its rows.

drop view fact.product_sales;

-- The product: the variant, else the line's sku or title, else `unallocated` (adjustments, and rows that name no line).
create view fact.product_ledger as
select l.*,
       -- Makes an order that counts count for its product.
       l.reason = 'ORDER' and l.line_type = 'PRODUCT' and l.quantity > 0 as is_ordered,
       case when i.variant_id is not null then i.variant_id
            when i.id is not null then 'line:' || fact.line_name(i.sku, i.title)
            else 'unallocated' end as product_key
from fact.ledger l
left join lateral (
  select id, variant_id, sku, title from raw.shopify_order_lines
  where brand_id = l.brand_id and connection_id = l.connection_id and id >= l.line_id and id <= l.line_id
  order by id
) i on true
where l.line_type in ('PRODUCT', 'ADJUSTMENT');
