-- One table per grain, written by the rollups only. Amounts are in `currency`; what can be computed
-- from the columns of one row (net sales, totals, averages, conversions) is computed in the views.
-- A day is a day of the brand's zone.

create table agg.daily_sales (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  orders bigint not null,
  new_customers bigint not null,
  returning_customers bigint not null,
  guest_orders bigint not null,
  units bigint not null,
  units_returned bigint not null,
  gross_sales numeric not null,
  discounts numeric not null,
  returns numeric not null,
  ordered_sales numeric not null,
  shipping numeric not null,
  taxes numeric not null,
  duties numeric not null,
  fees numeric not null,
  tips numeric not null,
  gift_cards_sold numeric not null,
  refunded_money numeric not null,
  unclassified numeric not null,
  unclassified_rows bigint not null,
  reporting_currency text not null,
  fx_rate numeric,
  fx_day date,
  fx_cause text,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency)
);
comment on column agg.daily_sales.ordered_sales is
  'gross sales less discounts of ORDER agreements alone: what the average order value is made of';

create table agg.daily_product_sales (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  connection_id uuid not null,
  product_key text not null,
  orders bigint not null,
  units bigint not null,
  units_returned bigint not null,
  gross_sales numeric not null,
  discounts numeric not null,
  returns numeric not null,
  cost_of_goods numeric,
  units_without_cost bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency, connection_id, product_key)
);
comment on column agg.daily_product_sales.product_key is
  'variant id, else line:<sku or title>, else unallocated, so that the sums over products are daily_sales';

create table agg.daily_country_sales (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  country text not null,
  orders bigint not null,
  customers bigint not null,
  units bigint not null,
  units_returned bigint not null,
  gross_sales numeric not null,
  discounts numeric not null,
  returns numeric not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency, country)
);
