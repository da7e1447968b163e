-- Stock: levels as a history, in which every movement is dated and attributed and adds up to the level.

create table raw.shopify_stock_readings (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  valid_from timestamptz not null,
  product_id text not null,
  available numeric,
  unavailable numeric,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id, valid_from)
);
comment on table raw.shopify_stock_readings is 'stock of a variant (id) in all places from valid_from on, as far as it was read';
comment on column raw.shopify_stock_readings.available is 'what can still be sold: orders that are not fulfilled yet are out of it; null = nobody counts it';
comment on column raw.shopify_stock_readings.unavailable is 'in hand, but neither available nor sold: damaged, reserved, in quality control, safety stock; null = not told';
create index shopify_stock_readings_of_product on raw.shopify_stock_readings (brand_id, connection_id, product_id);
create index shopify_stock_readings_by_time on raw.shopify_stock_readings (brand_id, connection_id, valid_from);

alter table raw.shopify_sales add column restocked integer;
comment on column raw.shopify_sales.restocked is 'how many of the returned pieces the refund put back to stock; null = not told';

-- What can be sold of a variant from an instant on.
create view fact.stock_readings as
select brand_id, connection_id, id as variant_id, valid_from as read_at, available::bigint as available,
       unavailable::bigint as unavailable
from raw.shopify_stock_readings
where deleted_at is null;

-- From then on a variant is deleted, and there is nothing of it.
create view fact.stock_ends as
select v.brand_id, v.connection_id, v.id as variant_id, least(v.deleted_at, p.deleted_at) as ended_at
from raw.shopify_variants v
left join lateral (
  select deleted_at from raw.shopify_products
  where brand_id = v.brand_id and connection_id = v.connection_id and id >= v.product_id and id <= v.product_id
  order by id
) p on true
where v.deleted_at is not null or p.deleted_at is not null;

-- What orders did to the stock of a variant. A line is as new as what is booked on it. An edit that takes pieces out of an
-- order gives them back; of what comes back otherwise counts what was put back to stock.
create view fact.stock_sales as
select l.brand_id, l.connection_id, l.variant_id, l.changed_at, s.booked_at,
       case when s.reason = 'ORDER_EDIT' then coalesce(s.units_returned, 0) else 0 end - coalesce(s.units, 0) as ordered,
       case when s.units_returned is null or s.reason = 'ORDER_EDIT' then 0 else coalesce((
         select r.restocked from raw.shopify_sales r
         where r.brand_id = l.brand_id and r.connection_id = l.connection_id and r.id >= s.sale_id and r.id <= s.sale_id
         order by r.id), 0) end as returned
from raw.shopify_order_lines l
cross join lateral (
  select f.sale_id, f.booked_at, f.reason, f.units, f.units_returned, f.line_id from fact.sales f
  where f.brand_id = l.brand_id and f.connection_id = l.connection_id
    and f.order_id >= l.order_id and f.order_id <= l.order_id
  order by f.order_id
) s
where l.variant_id is not null and s.line_id = l.id;

-- A day has a row if the stock was read, or moved. The two sides of the check are computed apart: the level from the last
-- reading, movements from what is between readings.
create table agg.daily_stock (
  brand_id uuid not null,
  retailer_id uuid not null,
  connection_id uuid not null,
  variant_id text not null,
  day date not null,
  level_before bigint not null,
  opening bigint not null,
  ordered bigint not null,
  returned bigint not null,
  adjusted bigint not null,
  unknown bigint not null,
  level bigint not null,
  changes bigint not null,
  sales bigint not null,
  read_at timestamptz,
  is_latest boolean not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, connection_id, variant_id, day),
  constraint movements_add_up check (level = level_before + opening + ordered + returned + adjusted + unknown)
);
comment on table agg.daily_stock is 'stock of a variant at the end of a day, with what moved it on the day; until the next row it stays';
comment on column agg.daily_stock.opening is 'what was there when it was first read';
comment on column agg.daily_stock.ordered is 'by orders, negative; only those that a later reading contains';
comment on column agg.daily_stock.returned is 'put back to stock by refunds';
comment on column agg.daily_stock.adjusted is 'moved from or to what is in hand and not available; all of it where a variant is deleted, or no longer counted';
comment on column agg.daily_stock.unknown is 'the rest of the difference between two readings, on the day of the later one';
comment on column agg.daily_stock.changes is 'readings on the day, without the first one of the variant';
comment on column agg.daily_stock.sales is 'rows of sales that moved it on the day, returns included';
comment on column agg.daily_stock.read_at is 'the last reading of the day; null if orders moved it alone';
create index daily_stock_by_day on agg.daily_stock (brand_id, retailer_id, day);
create index daily_stock_latest on agg.daily_stock (brand_id, retailer_id) where is_latest;
create index daily_stock_moved on agg.daily_stock (brand_id, retailer_id, day) where is_latest and changes > 0;

create table app.reorder_points (
  brand_id uuid not null references app.brands,
  retailer_id uuid,
  sku text not null check (length(sku) between 1 and 500),
  quantity integer not null check (quantity >= 0),
  changed_at timestamptz not null default now(),
  unique nulls not distinct (brand_id, sku, retailer_id),
  foreign key (brand_id, retailer_id) references app.retailers (brand_id, id)
);
comment on table app.reorder_points is 'at how many pieces a product is to be ordered again';
comment on column app.reorder_points.retailer_id is 'null for all retailers of the brand that have none of their own for it';
comment on column app.reorder_points.sku is 'SKU of the variant; its id where it has none';

comment on column bi.completeness.source is 'which figures: sales (daily_sales, daily_country_sales, country_growth), product_sales (daily_product_sales), customers (customer_value, top_customers, customer_cohorts), payments (daily_payments), mrr (daily_mrr), social (daily_social, social_posts), email (daily_email), campaigns (daily_campaigns, order_credits) or stock (stock, daily_stock, stock_movements)';
update ops.streams set feeds = feeds || '{stock}' where stream = 'shopify.products';
insert into ops.rollups (rollup, figures, changes_with, keeps_rates) values ('daily_stock', 'stock', '{stock,sales}', false);

create view bi.daily_stock as
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
  order by id
) v on true;

create view bi.stock_movements as
select a.brand_id, a.brand, a.retailer_id, a.retailer, a.connection_id, a.connection, a.variant_id, a.sku, a.day,
       m.kind, m.quantity, a.computed_at
from bi.daily_stock a
cross join lateral (values ('opening', a.opening), ('order', a.ordered), ('return', a.returned),
                           ('adjustment', a.adjusted), ('unknown', a.unknown)) as m (kind, quantity)
where m.quantity <> 0;

-- Everything of a retailer is read as a set, a row per variant, and the sets meet in full joins: these are hashed, whatever
-- PostgreSQL thinks of their numbers, and a lookup for each variant might read all of them each time.
create view bi.stock as
select b.id as brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, s.connection_id, s.connection,
       s.variant_id, s.product_id, s.sku, s.product, s.variant, s.level as available,
       k.quantity as reorder_point, coalesce(s.level <= k.quantity, false) as is_low,
       round(greatest(s.level, 0) * 28.0 / nullif(s.units, 0), 1) as days_of_stock,
       round(s.units / nullif(s.units + greatest(s.level, 0), 0), 4) as sell_through,
       s.units as units_sold, n.as_of, s.read_at
from app.brands b
join app.retailers r on r.brand_id = b.id
left join lateral (
  select day as as_of from agg.daily_sales
  where brand_id = b.id and orders > 0 and day <= (now() at time zone b.time_zone)::date
  order by day desc limit 1
) n on true
cross join lateral (
  select connection_id, v.connection, variant_id, product_id, v.sku, p.title as product, v.title as variant,
         l.level, l.read_at, coalesce(q.units, 0) as units
  from (
    select connection_id, variant_id, level, read_at, is_latest from agg.daily_stock
    where brand_id = b.id and retailer_id = r.id and is_latest
  ) l
  full join (
    select connection_id, product_key as variant_id, sum(units) as units from agg.daily_product_sales
    where brand_id = b.id and retailer_id = r.id and day > n.as_of - 28 and day <= n.as_of
    group by 1, 2
  ) q using (connection_id, variant_id)
  full join (
    select o.connection_id, c.name as connection, o.id as variant_id, o.product_id, o.sku, o.title, o.deleted_at
    from app.connections c
    cross join lateral (
      select * from raw.shopify_variants
      where brand_id = b.id and connection_id = c.id
      order by id
    ) o
    where c.brand_id = b.id and c.retailer_id = r.id
  ) v using (connection_id, variant_id)
  full join (
    select o.connection_id, o.id as product_id, o.title, o.deleted_at
    from app.connections c
    cross join lateral (
      select * from raw.shopify_products
      where brand_id = b.id and connection_id = c.id
      order by id
    ) o
    where c.brand_id = b.id and c.retailer_id = r.id
  ) p using (connection_id, product_id)
  where coalesce(l.is_latest, false) and coalesce(v.deleted_at, p.deleted_at) is null -- in forms that leave the joins as they are
) s
left join lateral (
  select quantity from app.reorder_points
  where brand_id = b.id and sku >= coalesce(s.sku, s.variant_id) and sku <= coalesce(s.sku, s.variant_id)
    and (retailer_id = r.id or retailer_id is null)
  order by sku, retailer_id limit 1
) k on true;

comment on view bi.stock is 'What can be sold now of each variant, how long it lasts, and whether it is to be ordered again. Variants that nobody counts are not here until they are counted once.';
comment on column bi.stock.brand_id is 'id of the brand';
comment on column bi.stock.brand is 'short name of the brand';
comment on column bi.stock.retailer_id is 'id of the retailer';
comment on column bi.stock.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.stock.connection_id is 'id of the connection that the variant was read through';
comment on column bi.stock.connection is 'name of that connection';
comment on column bi.stock.variant_id is 'id of the variant';
comment on column bi.stock.product_id is 'id of its product';
comment on column bi.stock.sku is 'its SKU; null if it has none';
comment on column bi.stock.product is 'title of the product';
comment on column bi.stock.variant is 'title of the variant';
comment on column bi.stock.available is 'pieces that can be sold, of all places: orders that are not fulfilled yet are out of it. Negative if more was sold than there was';
comment on column bi.stock.reorder_point is 'at how many pieces it is to be ordered again: that of the retailer, else that of the brand; null if there is none';
comment on column bi.stock.is_low is 'whether available is at or below reorder_point; false if there is none';
comment on column bi.stock.days_of_stock is 'available / average units sold a day of the 28 days that end with as_of, 1 decimal place; 0 if nothing is available, null if nothing was sold';
comment on column bi.stock.sell_through is 'units sold / (units sold + available) of the same 28 days, 4 decimal places; a negative available counts as 0; null if both are 0';
comment on column bi.stock.units_sold is 'units sold on the 28 days that end with as_of; returns are not subtracted';
comment on column bi.stock.as_of is 'last day up to today on which the brand had orders; null if it never had';
comment on column bi.stock.read_at is 'since when the shop has had available unchanged, as far as it was read';

comment on view bi.daily_stock is 'Stock of each variant at the end of a day. A day on which it was neither read nor moved has no row: until last_day the row before holds. level = level_before + opening + ordered + returned + adjusted + unknown, in each row.';
comment on column bi.daily_stock.brand_id is 'id of the brand';
comment on column bi.daily_stock.brand is 'short name of the brand';
comment on column bi.daily_stock.retailer_id is 'id of the retailer';
comment on column bi.daily_stock.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_stock.connection_id is 'id of the connection that the variant was read through';
comment on column bi.daily_stock.connection is 'name of that connection';
comment on column bi.daily_stock.variant_id is 'id of the variant';
comment on column bi.daily_stock.sku is 'its present SKU; null if it has none';
comment on column bi.daily_stock.day is 'day in the brand''s time zone';
comment on column bi.daily_stock.last_day is 'last day for which level holds; null if it still does';
comment on column bi.daily_stock.level_before is 'available at the end of the day before';
comment on column bi.daily_stock.opening is 'what was there when the variant was first read';
comment on column bi.daily_stock.ordered is 'by orders, negative; edits that take pieces out of an order give them back. Orders count once a later reading contains them';
comment on column bi.daily_stock.returned is 'put back to stock by refunds and cancellations, as far as the shop tells it';
comment on column bi.daily_stock.adjusted is 'moved from or to goods in hand that are not available, such as damaged ones; the whole level where a variant is deleted or no longer counted';
comment on column bi.daily_stock.unknown is 'the rest of the difference between two readings, such as deliveries and recounts, on the day of the later one';
comment on column bi.daily_stock.level is 'available at the end of the day, by the last reading';
comment on column bi.daily_stock.read_at is 'last reading of the day; null if orders alone moved the stock on it';
comment on column bi.daily_stock.computed_at is 'when the figures of this row last changed';

comment on view bi.stock_movements is 'What moved the stock of a variant, by day and kind. The sum over all days up to one is the level at its end.';
comment on column bi.stock_movements.brand_id is 'id of the brand';
comment on column bi.stock_movements.brand is 'short name of the brand';
comment on column bi.stock_movements.retailer_id is 'id of the retailer';
comment on column bi.stock_movements.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.stock_movements.connection_id is 'id of the connection that the variant was read through';
comment on column bi.stock_movements.connection is 'name of that connection';
comment on column bi.stock_movements.variant_id is 'id of the variant';
comment on column bi.stock_movements.sku is 'its present SKU; null if it has none';
comment on column bi.stock_movements.day is 'day in the brand''s time zone';
comment on column bi.stock_movements.kind is 'opening, order, return, adjustment or unknown, as in bi.daily_stock';
comment on column bi.stock_movements.quantity is 'pieces; negative where they left';
comment on column bi.stock_movements.computed_at is 'when the figures of the day last changed';
