-- One row per retailer, brand-local day and currency with sales, counted orders or refunded money.
with booked as (
  -- Summed up by order first, so that each order is looked up once.
  select p.retailer_id, p.day, p.connection_id, l.*
  from spans p
  cross join lateral (
    select f.order_id, f.currency, min(f.booked_at) as booked_at,
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
), sold as (
  select retailer_id, day, currency, sum(units) as units, sum(units_returned) as units_returned,
         sum(gross_sales) as gross_sales, sum(discounts) as discounts, sum(returns) as returns,
         sum(ordered_sales) as ordered_sales, sum(shipping) as shipping, sum(taxes) as taxes,
         sum(duties) as duties, sum(fees) as fees, sum(tips) as tips,
         sum(gift_cards_sold) as gift_cards_sold, sum(unclassified) as unclassified,
         sum(unclassified_rows) as unclassified_rows
  from booked
  group by retailer_id, day, currency
), placed as (
  select p.retailer_id, p.day, p.connection_id, o.order_id, o.processed_at, o.currency, o.customer_id,
         o.is_first_of_customer
  from spans p
  cross join lateral (
    select * from fact.orders
    where brand_id = $1 and connection_id = p.connection_id
      and processed_at >= p.starts_at and processed_at < p.ends_at
    order by processed_at
  ) o
), ordered as (
  -- Customer ids are per connection: two shops of one retailer may use the same ones.
  select retailer_id, day, currency, count(*) as orders,
         count(*) filter (where is_first_of_customer) as new_customers,
         count(distinct (connection_id, customer_id)) filter (where customer_id is not null) as customers,
         count(*) filter (where customer_id is null) as guest_orders
  from placed
  group by retailer_id, day, currency
), given_back as (
  select p.retailer_id, p.day, p.connection_id, r.transaction_id, r.order_id, r.processed_at, r.currency, r.amount
  from spans p
  cross join lateral (
    select * from fact.refunds
    where brand_id = $1 and connection_id = p.connection_id
      and processed_at >= p.starts_at and processed_at < p.ends_at
    order by processed_at
  ) r
), refunded as (
  select retailer_id, day, currency, sum(amount) as refunded_money
  from given_back
  group by retailer_id, day, currency
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
