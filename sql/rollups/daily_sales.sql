-- One row per retailer, brand-local day and currency with sales, counted orders or refunded money.
-- Rebuilds exactly the pairs given in $2 uuid[] (retailers) and $3 date[] (days) of brand $1 as of $4.
-- What is already right is not touched, so a second run changes nothing.
with wanted as (
  select r.id as retailer_id, pair.day, b.reporting_currency,
         fact.day_start(pair.day, b.time_zone) as starts_at, fact.day_start(pair.day + 1, b.time_zone) as ends_at
  from (select distinct * from unnest($2::uuid[], $3::date[]) as p (retailer_id, day)) pair
  join app.brands b on b.id = $1
  join app.retailers r on r.brand_id = $1 and r.id = pair.retailer_id
), sold as (
  -- Each day is summed up by itself: its bounds reach the index on (brand_id, connection_id, time), so
  -- the work grows with the days asked for and nothing large is sorted. By order first, so that each
  -- order is looked up once.
  select w.retailer_id, w.day, s.*
  from wanted w
  cross join lateral (
    select l.currency, sum(l.units) as units, sum(l.units_returned) as units_returned,
           sum(l.gross_sales) as gross_sales, sum(l.discounts) as discounts, sum(l.returns) as returns,
           sum(l.ordered_sales) as ordered_sales, sum(l.shipping) as shipping, sum(l.taxes) as taxes,
           sum(l.duties) as duties, sum(l.fees) as fees, sum(l.tips) as tips,
           sum(l.gift_cards_sold) as gift_cards_sold, sum(l.unclassified) as unclassified,
           sum(l.unclassified_rows) as unclassified_rows
    from (
      select f.connection_id, f.order_id, f.currency,
             sum(f.units) as units, sum(f.units_returned) as units_returned,
             sum(f.gross_sales) as gross_sales, sum(f.discounts) as discounts, sum(f.returns) as returns,
             sum(f.ordered_sales) as ordered_sales, sum(f.shipping) as shipping, sum(f.taxes) as taxes,
             sum(f.duties) as duties, sum(f.fees) as fees, sum(f.tips) as tips,
             sum(f.gift_cards_sold) as gift_cards_sold, sum(f.unclassified) as unclassified,
             count(f.unclassified) as unclassified_rows
      from fact.ledger f
      where f.brand_id = $1 and f.retailer_id = w.retailer_id
        and f.booked_at >= w.starts_at and f.booked_at < w.ends_at
      group by f.connection_id, f.order_id, f.currency
    ) l
    cross join lateral (
      select from fact.real_orders
      where brand_id = $1 and connection_id = l.connection_id and order_id = l.order_id
      offset 0
    ) o
    group by l.currency
  ) s
), ordered as (
  -- Customer ids are per connection: two shops of one retailer may use the same ones.
  select w.retailer_id, w.day, o.*
  from wanted w
  cross join lateral (
    select f.currency, count(*) as orders,
           count(*) filter (where f.is_first_of_customer) as new_customers,
           count(distinct (f.connection_id, f.customer_id)) filter (where f.customer_id is not null) as customers,
           count(*) filter (where f.customer_id is null) as guest_orders
    from fact.orders f
    where f.brand_id = $1 and f.retailer_id = w.retailer_id
      and f.processed_at >= w.starts_at and f.processed_at < w.ends_at
    group by f.currency
  ) o
), refunded as (
  select w.retailer_id, w.day, r.*
  from wanted w
  cross join lateral (
    select f.currency, sum(f.amount) as refunded_money
    from fact.refunds f
    where f.brand_id = $1 and f.retailer_id = w.retailer_id
      and f.processed_at >= w.starts_at and f.processed_at < w.ends_at
    group by f.currency
  ) r
), fresh as (
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
         w.reporting_currency, trim_scale(x.fx_rate) as fx_rate, x.fx_day, x.fx_cause
  from sold s
  full join ordered o using (retailer_id, day, currency)
  full join refunded r using (retailer_id, day, currency)
  join wanted w using (retailer_id, day)
  cross join lateral fact.exchange_rate(currency, w.reporting_currency, day) x
), gone as (
  delete from agg.daily_sales a using wanted w
  where a.brand_id = $1 and (a.retailer_id, a.day) = (w.retailer_id, w.day) and not exists (
    select from fresh f
    where (f.retailer_id, f.day, f.currency) = (a.retailer_id, a.day, a.currency))
  returning 1
), written as (
  insert into agg.daily_sales as a
    (brand_id, retailer_id, day, currency, orders, new_customers, returning_customers, guest_orders,
     units, units_returned, gross_sales, discounts, returns, ordered_sales, shipping, taxes, duties,
     fees, tips, gift_cards_sold, refunded_money, unclassified, unclassified_rows,
     reporting_currency, fx_rate, fx_day, fx_cause, computed_at)
  select $1, f.*, $4::timestamptz from fresh f
  -- Looked at before the insert: a conflict alone would lock the row and write to its page.
  where not exists (
    select from agg.daily_sales a
    where a.brand_id = $1 and (a.retailer_id, a.day, a.currency) = (f.retailer_id, f.day, f.currency)
      and (a.orders, a.new_customers, a.returning_customers, a.guest_orders, a.units, a.units_returned,
           a.gross_sales, a.discounts, a.returns, a.ordered_sales, a.shipping, a.taxes, a.duties, a.fees,
           a.tips, a.gift_cards_sold, a.refunded_money, a.unclassified, a.unclassified_rows,
           a.reporting_currency, a.fx_rate, a.fx_day, a.fx_cause)
          is not distinct from
          (f.orders, f.new_customers, f.returning_customers, f.guest_orders, f.units, f.units_returned,
           f.gross_sales, f.discounts, f.returns, f.ordered_sales, f.shipping, f.taxes, f.duties, f.fees,
           f.tips, f.gift_cards_sold, f.refunded_money, f.unclassified, f.unclassified_rows,
           f.reporting_currency, f.fx_rate, f.fx_day, f.fx_cause))
  on conflict (brand_id, retailer_id, day, currency) do update
  set orders = excluded.orders, new_customers = excluded.new_customers,
      returning_customers = excluded.returning_customers, guest_orders = excluded.guest_orders,
      units = excluded.units, units_returned = excluded.units_returned,
      gross_sales = excluded.gross_sales, discounts = excluded.discounts, returns = excluded.returns,
      ordered_sales = excluded.ordered_sales, shipping = excluded.shipping, taxes = excluded.taxes,
      duties = excluded.duties, fees = excluded.fees, tips = excluded.tips,
      gift_cards_sold = excluded.gift_cards_sold, refunded_money = excluded.refunded_money,
      unclassified = excluded.unclassified, unclassified_rows = excluded.unclassified_rows,
      reporting_currency = excluded.reporting_currency, fx_rate = excluded.fx_rate,
      fx_day = excluded.fx_day, fx_cause = excluded.fx_cause, computed_at = excluded.computed_at
  returning 1
)
select (select count(*) from written) as written, (select count(*) from gone) as deleted;
