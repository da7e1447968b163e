-- One row per retailer, brand-local day and currency with sales, counted orders or refunded money.
with sold as (
  -- Summed up by order first, so that each order is looked up once.
  select p.retailer_id, p.day, l.currency, sum(l.units) as units, sum(l.units_returned) as units_returned,
         sum(l.gross_sales) as gross_sales, sum(l.discounts) as discounts, sum(l.returns) as returns,
         sum(l.ordered_sales) as ordered_sales, sum(l.shipping) as shipping, sum(l.taxes) as taxes,
         sum(l.duties) as duties, sum(l.fees) as fees, sum(l.tips) as tips,
         sum(l.gift_cards_sold) as gift_cards_sold, sum(l.unclassified) as unclassified,
         sum(l.unclassified_rows) as unclassified_rows
  from spans p
  cross join lateral (
    select f.order_id, f.currency,
           sum(f.units) as units, sum(f.units_returned) as units_returned,
           sum(f.gross_sales) as gross_sales, sum(f.discounts) as discounts, sum(f.returns) as returns,
           sum(f.ordered_sales) as ordered_sales, sum(f.shipping) as shipping, sum(f.taxes) as taxes,
           sum(f.duties) as duties, sum(f.fees) as fees, sum(f.tips) as tips,
           sum(f.gift_cards_sold) as gift_cards_sold, sum(f.unclassified) as unclassified,
           count(f.unclassified) as unclassified_rows
    from (
      select * from fact.ledger
      where brand_id = $1 and connection_id = p.connection_id and booked_at >= p.starts_at and booked_at < p.ends_at
      order by booked_at
    ) f
    group by f.order_id, f.currency
  ) l
  cross join lateral (
    select from fact.real_orders
    where brand_id = $1 and connection_id = p.connection_id and order_id >= l.order_id and order_id <= l.order_id
    order by order_id
  ) o
  group by p.retailer_id, p.day, l.currency
), ordered as (
  -- Customer ids are per connection: two shops of one retailer may use the same ones.
  select p.retailer_id, p.day, o.currency, count(*) as orders,
         count(*) filter (where o.is_first_of_customer) as new_customers,
         count(distinct (p.connection_id, o.customer_id)) filter (where o.customer_id is not null) as customers,
         count(*) filter (where o.customer_id is null) as guest_orders
  from spans p
  cross join lateral (
    select * from fact.orders
    where brand_id = $1 and connection_id = p.connection_id
      and processed_at >= p.starts_at and processed_at < p.ends_at
    order by processed_at
  ) o
  group by p.retailer_id, p.day, o.currency
), refunded as (
  select p.retailer_id, p.day, r.currency, sum(r.amount) as refunded_money
  from spans p
  cross join lateral (
    select * from fact.refunds
    where brand_id = $1 and connection_id = p.connection_id
      and processed_at >= p.starts_at and processed_at < p.ends_at
    order by processed_at
  ) r
  group by p.retailer_id, p.day, r.currency
)
-- Trimmed, so that equal amounts are equal texts however they came about.
select retailer_id, day, currency,
       coalesce(o.orders, 0) as orders, coalesce(o.new_customers, 0) as new_customers,
       coalesce(o.customers - o.new_customers, 0) as returning_customers,
       coalesce(o.guest_orders, 0) as guest_orders,
       coalesce(s.units, 0) as units, coalesce(s.units_returned, 0) as units_returned,
       trim_scale(coalesce(s.gross_sales, 0)) as gross_sales,
       trim_scale(coalesce(s.discounts, 0)) as discounts,
       trim_scale(coalesce(s.returns, 0)) as returns,
       trim_scale(coalesce(s.ordered_sales, 0)) as ordered_sales,
       trim_scale(coalesce(s.shipping, 0)) as shipping,
       trim_scale(coalesce(s.taxes, 0)) as taxes,
       trim_scale(coalesce(s.duties, 0)) as duties,
       trim_scale(coalesce(s.fees, 0)) as fees,
       trim_scale(coalesce(s.tips, 0)) as tips,
       trim_scale(coalesce(s.gift_cards_sold, 0)) as gift_cards_sold,
       trim_scale(coalesce(r.refunded_money, 0)) as refunded_money,
       trim_scale(coalesce(s.unclassified, 0)) as unclassified,
       coalesce(s.unclassified_rows, 0) as unclassified_rows,
       b.reporting_currency, trim_scale(x.fx_rate) as fx_rate, x.fx_day, x.fx_cause
from sold s
full join ordered o using (retailer_id, day, currency)
full join refunded r using (retailer_id, day, currency)
cross join (select reporting_currency from app.brands where id = $1) b
cross join lateral fact.exchange_rate(currency, b.reporting_currency, day) x
