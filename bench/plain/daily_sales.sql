-- The whole of agg.daily_sales as one would write it for a report: no pairs, no comparison, no guard.
insert into public.plain_daily_sales
  (brand_id, retailer_id, day, currency, orders, new_customers, returning_customers, guest_orders,
   units, units_returned, gross_sales, discounts, returns, ordered_sales, shipping, taxes, duties,
   fees, tips, gift_cards_sold, refunded_money, unclassified, unclassified_rows,
   reporting_currency, fx_rate, fx_day, fx_cause, computed_at)
with sold as (
  select s.retailer_id, (s.booked_at at time zone b.time_zone)::date as day, s.currency,
         sum(s.units) as units, sum(s.units_returned) as units_returned,
         sum(s.gross_sales) as gross_sales, sum(s.discounts) as discounts, sum(s.returns) as returns,
         sum(s.ordered_sales) as ordered_sales, sum(s.shipping) as shipping, sum(s.taxes) as taxes,
         sum(s.duties) as duties, sum(s.fees) as fees, sum(s.tips) as tips,
         sum(s.gift_cards_sold) as gift_cards_sold, sum(s.unclassified) as unclassified,
         count(s.unclassified) as unclassified_rows
  from fact.sales s join app.brands b on b.id = s.brand_id
  where s.brand_id = $1
  group by 1, 2, 3
), ordered as (
  select o.retailer_id, (o.processed_at at time zone b.time_zone)::date as day, o.currency, count(*) as orders,
         count(*) filter (where o.is_first_of_customer) as new_customers,
         count(distinct (o.connection_id, o.customer_id)) filter (where o.customer_id is not null) as customers,
         count(*) filter (where o.customer_id is null) as guest_orders
  from fact.orders o join app.brands b on b.id = o.brand_id
  where o.brand_id = $1
  group by 1, 2, 3
), refunded as (
  select t.retailer_id, (t.processed_at at time zone b.time_zone)::date as day, t.currency,
         sum(t.amount) as refunded_money
  from fact.refunds t join app.brands b on b.id = t.brand_id
  where t.brand_id = $1
  group by 1, 2, 3
)
select $1, retailer_id, day, currency,
       coalesce(o.orders, 0), coalesce(o.new_customers, 0), coalesce(o.customers - o.new_customers, 0),
       coalesce(o.guest_orders, 0), coalesce(s.units, 0), coalesce(s.units_returned, 0),
       coalesce(s.gross_sales, 0), coalesce(s.discounts, 0), coalesce(s.returns, 0),
       coalesce(s.ordered_sales, 0), coalesce(s.shipping, 0), coalesce(s.taxes, 0), coalesce(s.duties, 0),
       coalesce(s.fees, 0), coalesce(s.tips, 0), coalesce(s.gift_cards_sold, 0),
       coalesce(r.refunded_money, 0), coalesce(s.unclassified, 0), coalesce(s.unclassified_rows, 0),
       b.reporting_currency, x.fx_rate, x.fx_day, x.fx_cause, $2::timestamptz
from sold s
full join ordered o using (retailer_id, day, currency)
full join refunded r using (retailer_id, day, currency)
join app.brands b on b.id = $1
cross join lateral fact.exchange_rate(currency, b.reporting_currency, day) x
