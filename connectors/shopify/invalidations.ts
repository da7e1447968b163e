/** Days that depend on a change in a shop without being days of the changed object. */
import type { Invalidation } from '#sql/load/invalidations.ts';
import { rowsWhere, statement } from '#sql/load/statements.ts';

/**
 * The first counted order of each customer, per connection. Like every lookup of a load it reads a
 * range of one value in the order of its index.
 */
export const firstOrders: Invalidation = {
  table: 'raw.shopify_orders',
  column: 'customer_id',
  subject: 'sales',
  pairs: statement(`
    select k.key || ' ' || o.id as key, (o.processed_at at time zone $4)::date as day
    from unnest($3::text[]) as k (key)
    cross join lateral (
      select id, processed_at from raw.shopify_orders
      where brand_id = $1 and connection_id = $2 and customer_id >= k.key and customer_id <= k.key
        and counted and deleted_at is null
      order by customer_id, processed_at, id::numeric
      limit 1
    ) o`),
};

/**
 * The sales of a variant on the days of each of its costs. A cost counts for the days from the one on
 * which it became valid to the one on which the next did, both included, so that this holds however
 * the day of a change is shared out between the two.
 */
export const costsOfSales: Invalidation = {
  table: 'raw.shopify_costs',
  column: 'id',
  subject: 'costs',
  pairs: statement(`
    select distinct concat_ws(' ', c.id, c.valid_from, trim_scale(c.cost), c.currency) as key, sold.day
    from (
      select o.*, lead(o.valid_from) over (partition by o.id order by o.valid_from) as valid_until
      from unnest($3::text[]) as w (id)
      cross join lateral (${rowsWhere('raw.shopify_costs', 'id')}) o
      where o.deleted_at is null
    ) c
    cross join lateral (
      select distinct (s.booked_at at time zone $4)::date as day
      from (
        select o.order_id, o.id as line_id from (select c.id) w
        cross join lateral (${rowsWhere('raw.shopify_order_lines', 'variant_id')}) o
      ) l
      cross join lateral (
        select o.booked_at from (select l.order_id as id) w
        cross join lateral (${rowsWhere('raw.shopify_sales', 'order_id')}) o
        where o.line_id = l.line_id
      ) s
    ) sold
    where sold.day >= (c.valid_from at time zone $4)::date
      and (c.valid_until is null or sold.day <= (c.valid_until at time zone $4)::date)`),
};
