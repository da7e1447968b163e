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
comment on table agg.daily_sales is 'sales of a retailer, by day and currency';
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
comment on table agg.daily_product_sales is 'sales of goods of a retailer, by day, currency and product';
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
comment on table agg.daily_country_sales is 'sales of a retailer, by day, currency and country of the order';

-- The contract with BI: names and columns here stay. Every view and column says what it is; the
-- comments make docs/data-dictionary.md.

create view bi.daily_sales as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.day, a.currency,
       a.orders, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns, t.net_sales,
       a.shipping, a.taxes, a.duties, a.fees, a.tips, a.gift_cards_sold, a.refunded_money, t.total_sales,
       case when a.orders > 0 then round(a.ordered_sales / a.orders, 2) end as average_order_value,
       a.new_customers, a.returning_customers, a.guest_orders, a.reporting_currency, a.fx_rate,
       fact.round_to_currency(a.gross_sales * a.fx_rate, a.reporting_currency) as gross_sales_reporting,
       fact.round_to_currency(t.net_sales * a.fx_rate, a.reporting_currency) as net_sales_reporting,
       fact.round_to_currency(t.total_sales * a.fx_rate, a.reporting_currency) as total_sales_reporting,
       a.fx_day, a.fx_cause, a.unclassified, a.unclassified_rows, a.computed_at
from agg.daily_sales a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
cross join lateral (select a.gross_sales - a.discounts - a.returns as net_sales) n
cross join lateral (select n.net_sales, n.net_sales + a.shipping + a.taxes + a.duties + a.fees as total_sales) t;

comment on view bi.daily_sales is 'Sales per retailer, day in the brand''s time zone and currency, as Shopify''s own sales reports define them. Test and deleted orders and their refunds are left out.';
comment on column bi.daily_sales.brand_id is 'id of the brand';
comment on column bi.daily_sales.brand is 'short name of the brand';
comment on column bi.daily_sales.retailer_id is 'id of the retailer';
comment on column bi.daily_sales.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_sales.day is 'day in the brand''s time zone: a sale counts on the day its order was processed; an edit, return or refund counts on the day it happened';
comment on column bi.daily_sales.currency is 'ISO 4217 currency of the shop at the time of the order; amounts without _reporting are in it';
comment on column bi.daily_sales.orders is 'orders processed on the day that count: not test, not deleted, with at least one item of goods; an order of gift cards only does not count';
comment on column bi.daily_sales.units is 'items sold; items added to an order later count on the day of the addition';
comment on column bi.daily_sales.units_returned is 'items returned or removed from orders, on the day of the return or removal';
comment on column bi.daily_sales.gross_sales is 'value of goods sold before discounts, without tax (even if prices include it) and without gift cards';
comment on column bi.daily_sales.discounts is 'discounts on those goods, as a positive amount; a later change of a discount counts on its own day and is negative if it takes the discount back';
comment on column bi.daily_sales.returns is 'value of goods returned, cancelled or removed, without tax and after discount, and adjustments; usually positive, negative if adjustments or reversed returns exceed it';
comment on column bi.daily_sales.net_sales is 'gross_sales - discounts - returns';
comment on column bi.daily_sales.shipping is 'shipping charged minus shipping refunded, without tax';
comment on column bi.daily_sales.taxes is 'taxes charged minus taxes refunded, including those on shipping, fees and gift cards; tax on tips is in tips';
comment on column bi.daily_sales.duties is 'import duties charged minus refunded, without tax';
comment on column bi.daily_sales.fees is 'fees charged minus refunded, including return fees, without tax';
comment on column bi.daily_sales.tips is 'tips minus refunded tips, with tax; not part of total_sales';
comment on column bi.daily_sales.gift_cards_sold is 'gift cards sold minus refunded, without tax; a liability, not part of total_sales';
comment on column bi.daily_sales.refunded_money is 'money returned to buyers: successful refund transactions on the day of the transaction, which can differ from the day of the return';
comment on column bi.daily_sales.total_sales is 'net_sales + shipping + taxes + duties + fees';
comment on column bi.daily_sales.average_order_value is '(gross_sales - discounts of orders as placed) / orders, 2 decimal places; null without orders';
comment on column bi.daily_sales.new_customers is 'customers whose first counted order in this shop is in this row';
comment on column bi.daily_sales.returning_customers is 'other customers with a counted order in this row';
comment on column bi.daily_sales.guest_orders is 'counted orders without a customer';
comment on column bi.daily_sales.reporting_currency is 'currency of the brand''s consolidated figures';
comment on column bi.daily_sales.fx_rate is 'units of reporting_currency per unit of currency: 1 if they are the same, else the ECB reference rate of the day or of the last earlier day, at most 10 calendar days back; null if there is none (Source: ECB statistics)';
comment on column bi.daily_sales.gross_sales_reporting is 'gross_sales in reporting_currency, rounded once to its smallest unit, half away from zero; null without a rate';
comment on column bi.daily_sales.net_sales_reporting is 'net_sales in reporting_currency, rounded in the same way';
comment on column bi.daily_sales.total_sales_reporting is 'total_sales in reporting_currency, rounded in the same way';
comment on column bi.daily_sales.fx_day is 'day of publication of fx_rate';
comment on column bi.daily_sales.fx_cause is 'why fx_rate is null: no_rate (one of the two currencies had no published rate yet) or stale_rate (the last common publication is more than 10 days back)';
comment on column bi.daily_sales.unclassified is 'amounts of ledger rows of an unknown kind, with tax; they are in no other column';
comment on column bi.daily_sales.unclassified_rows is 'number of such rows';
comment on column bi.daily_sales.computed_at is 'when the figures of this row last changed';

create view bi.daily_product_sales as
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
  order by id
) v on true
-- A product without a stored variant is called what its newest order line calls it.
left join lateral (
  (select o.product_id, o.sku, o.title, o.variant_title, o.changed_at from raw.shopify_order_lines o
   where o.brand_id = a.brand_id and o.connection_id = a.connection_id and v.id is null
     and o.variant_id >= k.variant_id and o.variant_id <= k.variant_id
   order by o.variant_id desc, o.changed_at desc limit 1)
  union all
  (select o.product_id, nullif(o.sku, ''), o.title, o.variant_title, o.changed_at from raw.shopify_order_lines o
   where o.brand_id = a.brand_id and o.connection_id = a.connection_id and o.variant_id is null
     and fact.line_name(o.sku, o.title) >= k.line_name and fact.line_name(o.sku, o.title) <= k.line_name
   order by fact.line_name(o.sku, o.title) desc, o.changed_at desc limit 1)
) l on true
left join lateral (
  select * from raw.shopify_products
  where brand_id = a.brand_id and connection_id = a.connection_id
    and id >= coalesce(v.product_id, l.product_id) and id <= coalesce(v.product_id, l.product_id)
  order by id
) p on true;

comment on view bi.daily_product_sales is 'Sales of goods per product variant, retailer, day and currency. Sums over products equal bi.daily_sales. Names, sku and category are the current ones.';
comment on column bi.daily_product_sales.brand_id is 'id of the brand';
comment on column bi.daily_product_sales.brand is 'short name of the brand';
comment on column bi.daily_product_sales.retailer_id is 'id of the retailer';
comment on column bi.daily_product_sales.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_product_sales.day is 'day in the brand''s time zone, as in bi.daily_sales';
comment on column bi.daily_product_sales.currency is 'ISO 4217 currency of the amounts';
comment on column bi.daily_product_sales.connection_id is 'id of the shop; variant ids are unique only within a shop';
comment on column bi.daily_product_sales.connection is 'name of the shop, unique within its brand';
comment on column bi.daily_product_sales.product_key is 'variant id; line:<sku or title> if the order line has no variant; unallocated for rows without a product, such as adjustments';
comment on column bi.daily_product_sales.product_id is 'id of the product in the shop; null if unknown';
comment on column bi.daily_product_sales.variant_id is 'id of the variant in the shop; null if there is none';
comment on column bi.daily_product_sales.sku is 'stock keeping unit of the variant, else of its newest order line';
comment on column bi.daily_product_sales.product is 'title of the product, else of its newest order line, else product_key';
comment on column bi.daily_product_sales.variant is 'title of the variant';
comment on column bi.daily_product_sales.category is 'category of the product, else its product type';
comment on column bi.daily_product_sales.orders is 'counted orders processed on the day that contain the product; an order with several products counts in several rows';
comment on column bi.daily_product_sales.units is 'items sold';
comment on column bi.daily_product_sales.units_returned is 'items returned or removed from orders';
comment on column bi.daily_product_sales.gross_sales is 'value of goods sold before discounts, without tax';
comment on column bi.daily_product_sales.discounts is 'discounts on those goods, as a positive amount; a later change of a discount counts on its own day and is negative if it takes the discount back';
comment on column bi.daily_product_sales.returns is 'value of goods returned, cancelled or removed, and adjustments';
comment on column bi.daily_product_sales.net_sales is 'gross_sales - discounts - returns';
comment on column bi.daily_product_sales.cost_of_goods is '(units - units_returned) x unit cost known at the end of the day; null if the unit cost is unknown or in another currency';
comment on column bi.daily_product_sales.profit is 'net_sales - cost_of_goods; null if the cost is unknown';
comment on column bi.daily_product_sales.margin is 'profit / net_sales, 4 decimal places; null if the cost is unknown or net_sales is 0';
comment on column bi.daily_product_sales.units_without_cost is 'items sold plus items returned whose unit cost is unknown';
comment on column bi.daily_product_sales.computed_at is 'when the figures of this row last changed';

create view bi.daily_country_sales as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.day, a.currency, a.country,
       a.orders, a.customers, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns,
       a.gross_sales - a.discounts - a.returns as net_sales, a.computed_at
from agg.daily_country_sales a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id;

comment on view bi.daily_country_sales is 'Sales per country of the order, retailer, day and currency. Sums over countries equal bi.daily_sales.';
comment on column bi.daily_country_sales.brand_id is 'id of the brand';
comment on column bi.daily_country_sales.brand is 'short name of the brand';
comment on column bi.daily_country_sales.retailer_id is 'id of the retailer';
comment on column bi.daily_country_sales.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_country_sales.day is 'day in the brand''s time zone, as in bi.daily_sales';
comment on column bi.daily_country_sales.currency is 'ISO 4217 currency of the amounts';
comment on column bi.daily_country_sales.country is 'ISO 3166 code of the shipping address, else of the billing address, else ZZ';
comment on column bi.daily_country_sales.orders is 'counted orders processed on the day';
comment on column bi.daily_country_sales.customers is 'distinct customers of those orders; a customer of two shops counts once in each';
comment on column bi.daily_country_sales.units is 'items sold';
comment on column bi.daily_country_sales.units_returned is 'items returned or removed from orders';
comment on column bi.daily_country_sales.gross_sales is 'value of goods sold before discounts, without tax';
comment on column bi.daily_country_sales.discounts is 'discounts on those goods, as a positive amount; a later change of a discount counts on its own day and is negative if it takes the discount back';
comment on column bi.daily_country_sales.returns is 'value of goods returned, cancelled or removed, and adjustments';
comment on column bi.daily_country_sales.net_sales is 'gross_sales - discounts - returns';
comment on column bi.daily_country_sales.computed_at is 'when the figures of this row last changed';
