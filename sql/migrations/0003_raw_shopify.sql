-- What Shopify knows, row by row. Ids are the number of the gid, as text. Money is shop money in
-- major units with its currency beside it. A child row may leave payload null where every selected
-- field is a column. changed_at is the version of the whole object, so a child carries its parent's.

create table raw.shopify_shops (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text not null,
  domain text not null,
  currency text not null,
  time_zone text not null,
  taxes_included boolean not null,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.shopify_shops is 'shops: name, currency, time zone';

create table raw.shopify_orders (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text not null,
  processed_at timestamptz not null,
  created_at timestamptz not null,
  cancelled_at timestamptz,
  test boolean not null,
  counted boolean not null,
  currency text not null,
  presentment_currency text not null,
  taxes_included boolean not null,
  customer_id text,
  country text not null,
  source_name text,
  financial_status text,
  discount_codes text[] not null,
  total_price numeric not null,
  current_total_price numeric not null,
  total_refunded numeric not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.shopify_orders is 'orders; their parts are rows of their own';
comment on column raw.shopify_orders.counted is
  'not a test, and its ORDER agreement has a PRODUCT row with quantity > 0; deletion is deleted_at';
comment on column raw.shopify_orders.country is
  'ISO code of the shipping address, else of the billing address, else ZZ';
create index shopify_orders_by_time on raw.shopify_orders (brand_id, connection_id, processed_at);
create index shopify_orders_by_name on raw.shopify_orders (brand_id, connection_id, name);
create index shopify_orders_of_customer on raw.shopify_orders (brand_id, connection_id, customer_id, processed_at)
  where counted and deleted_at is null and customer_id is not null;

create table raw.shopify_order_lines (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  order_id text not null,
  product_id text,
  variant_id text,
  sku text,
  title text not null,
  variant_title text,
  quantity integer not null,
  current_quantity integer not null,
  is_gift_card boolean not null,
  currency text not null,
  unit_price numeric not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index shopify_order_lines_of_order on raw.shopify_order_lines (brand_id, connection_id, order_id);
create index shopify_order_lines_of_variant on raw.shopify_order_lines
  (brand_id, connection_id, variant_id, changed_at)
  where variant_id is not null;
comment on table raw.shopify_order_lines is 'line items of orders';

create table raw.shopify_agreements (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  order_id text not null,
  happened_at timestamptz not null,
  reason text not null,
  refund_id text,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index shopify_agreements_of_order on raw.shopify_agreements (brand_id, connection_id, order_id);
comment on table raw.shopify_agreements is 'sales agreements of orders: what was agreed when the order was placed, edited, returned or refunded';

create table raw.shopify_sales (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  order_id text not null,
  agreement_id text not null,
  reason text not null,
  booked_at timestamptz not null,
  action_type text not null,
  line_type text not null,
  line_id text,
  quantity integer,
  currency text not null,
  total_amount numeric not null,
  tax_amount numeric not null,
  discount_amount numeric not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.shopify_sales is 'rows of the sales ledger, which the agreements consist of';
comment on column raw.shopify_sales.booked_at is
  'processedAt of the order for its ORDER agreement; else happenedAt, or an earlier processedAt of the refund';
comment on column raw.shopify_sales.discount_amount is 'totalDiscountAmountBeforeTaxes as given';
create index shopify_sales_by_time on raw.shopify_sales (brand_id, connection_id, booked_at);
create index shopify_sales_of_order on raw.shopify_sales (brand_id, connection_id, order_id);

create table raw.shopify_refunds (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  order_id text not null,
  created_at timestamptz,
  processed_at timestamptz,
  currency text not null,
  total_refunded numeric not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index shopify_refunds_of_order on raw.shopify_refunds (brand_id, connection_id, order_id);
comment on table raw.shopify_refunds is 'refunds of orders';

create table raw.shopify_transactions (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  order_id text not null,
  parent_id text,
  kind text not null,
  status text not null,
  test boolean not null,
  gateway text,
  processed_at timestamptz,
  currency text not null,
  amount numeric not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index shopify_transactions_by_time on raw.shopify_transactions (brand_id, connection_id, processed_at);
create index shopify_transactions_of_order on raw.shopify_transactions (brand_id, connection_id, order_id);
comment on table raw.shopify_transactions is 'payments and refunds of money of orders';

create table raw.shopify_customers (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  created_at timestamptz not null,
  state text,
  orders_count integer,
  currency text,
  amount_spent numeric,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.shopify_customers is 'customers, without personal data';

create table raw.shopify_products (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  title text not null,
  status text not null,
  vendor text,
  product_type text,
  category text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.shopify_products is 'products';

create table raw.shopify_variants (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  product_id text not null,
  sku text,
  title text not null,
  price numeric,
  inventory_item_id text,
  inventory_quantity integer,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index shopify_variants_of_product on raw.shopify_variants (brand_id, connection_id, product_id);
comment on table raw.shopify_variants is 'variants of products: what is sold';

-- Shopify keeps no history of unit costs, so every observed cost is a dated row of its own. An item
-- that has not changed since updatedAt has had its cost since then: that is valid_from.
create table raw.shopify_costs (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  valid_from timestamptz not null,
  product_id text not null,
  currency text,
  cost numeric,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id, valid_from)
);
create index shopify_costs_of_product on raw.shopify_costs (brand_id, connection_id, product_id);
comment on table raw.shopify_costs is 'unit cost of a variant (id) from valid_from on; null = unknown, not zero';

create table raw.shopify_inventory_levels (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  product_id text not null,
  variant_id text not null,
  location_id text not null,
  location text,
  is_active boolean not null,
  available integer,
  on_hand integer,
  committed integer,
  incoming integer,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index shopify_inventory_levels_of_product on raw.shopify_inventory_levels (brand_id, connection_id, product_id);
comment on table raw.shopify_inventory_levels is 'stock of a variant at a location';
