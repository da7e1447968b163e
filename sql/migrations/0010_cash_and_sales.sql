-- Cash and sales side by side, never added: a charge is not a sale.

-- What the bookings of charges are for: the charge, also where a refund stands between, and its order.
create view fact.charge_bookings as
select p.brand_id, p.retailer_id, p.connection_id, p.transaction_id, p.created_at, p.currency, p.is_counted,
       p.charge_amount, coalesce(o.match, 'not_found') as match
from fact.payments p
left join lateral (
  select co.match
  from (
    select coalesce((
      select r.charge_id from raw.stripe_refunds r
      where r.brand_id = p.brand_id and r.connection_id = p.connection_id
        and r.id >= p.source_id and r.id <= p.source_id order by r.id), p.source_id) as id
  ) w
  cross join lateral (
    select match from fact.charge_orders
    where brand_id = p.brand_id and connection_id = p.connection_id and charge_id >= w.id and charge_id <= w.id
    order by charge_id
  ) co
) o on true
where p.kind = 'charge';

-- Day by day, so that a condition on the day costs as much as that day, whatever else there is.
create view bi.daily_cash_and_sales as
select b.id as brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, d.day, f.currency,
       f.total_sales, f.orders_placed, f.order_total, f.order_charged, f.order_total - f.order_charged as difference,
       f.orders_matched, f.orders_open, f.orders_over, f.charges, f.charge_amount, f.refund_amount,
       f.matched_charges, f.matched_amount, f.unmatched_charges, f.unmatched_amount, f.ambiguous_charges
from app.brands b
join app.retailers r on r.brand_id = b.id
cross join lateral (
  select min(s.first_day) as first_day, max(s.last_day) as last_day
  from (
    select min(day), max(day) from agg.daily_sales where brand_id = b.id and retailer_id = r.id
    union all
    select min(day), max(day) from agg.daily_payments where brand_id = b.id and retailer_id = r.id
    union all
    select (t.first_at at time zone b.time_zone)::date, (t.last_at at time zone b.time_zone)::date
    from app.connections c
    cross join lateral (
      select (select o.processed_at from raw.shopify_orders o
              where o.brand_id = b.id and o.connection_id = c.id order by o.processed_at limit 1) as first_at,
             (select o.processed_at from raw.shopify_orders o
              where o.brand_id = b.id and o.connection_id = c.id order by o.processed_at desc limit 1) as last_at
      union all
      select (select t.created_at from raw.stripe_balance_transactions t
              where t.brand_id = b.id and t.connection_id = c.id order by t.created_at limit 1),
             (select t.created_at from raw.stripe_balance_transactions t
              where t.brand_id = b.id and t.connection_id = c.id order by t.created_at desc limit 1)
    ) t
    where c.brand_id = b.id and c.retailer_id = r.id
  ) s (first_day, last_day)
) span
cross join lateral (
  select span.first_day + n as day from generate_series(0, span.last_day - span.first_day) n
) d
cross join lateral (
  select fact.day_start(d.day, b.time_zone) as starts_at, fact.day_start(d.day + 1, b.time_zone) as ends_at
) w
cross join lateral (
  select e.currency, trim_scale(coalesce(sum(e.total_sales), 0)) as total_sales,
         coalesce(sum(e.orders_placed), 0)::bigint as orders_placed,
         trim_scale(coalesce(sum(e.order_total), 0)) as order_total,
         trim_scale(coalesce(sum(e.order_charged), 0)) as order_charged,
         coalesce(sum(e.orders_matched), 0)::bigint as orders_matched,
         coalesce(sum(e.orders_open), 0)::bigint as orders_open,
         coalesce(sum(e.orders_over), 0)::bigint as orders_over, coalesce(sum(e.charges), 0)::bigint as charges,
         trim_scale(coalesce(sum(e.charge_amount), 0)) as charge_amount,
         trim_scale(coalesce(sum(e.refund_amount), 0)) as refund_amount,
         coalesce(sum(e.matched_charges), 0)::bigint as matched_charges,
         trim_scale(coalesce(sum(e.matched_amount), 0)) as matched_amount,
         coalesce(sum(e.unmatched_charges), 0)::bigint as unmatched_charges,
         trim_scale(coalesce(sum(e.unmatched_amount), 0)) as unmatched_amount,
         coalesce(sum(e.ambiguous_charges), 0)::bigint as ambiguous_charges
  from (
    select s.currency, s.total_sales, null::bigint as orders_placed, null::numeric as order_total,
           null::numeric as order_charged, null::bigint as orders_matched, null::bigint as orders_open,
           null::bigint as orders_over, null::bigint as charges, null::numeric as charge_amount,
           null::numeric as refund_amount, null::bigint as matched_charges, null::numeric as matched_amount,
           null::bigint as unmatched_charges, null::numeric as unmatched_amount, null::bigint as ambiguous_charges
    from bi.daily_sales s where s.brand_id = b.id and s.retailer_id = r.id and s.day = d.day
    union all
    select o.currency, null, count(*), sum(o.order_total), sum(o.charged),
           count(*) filter (where o.state = 'matched'),
           count(*) filter (where o.state in ('unpaid', 'partial', 'ambiguous')),
           count(*) filter (where o.state = 'over'), null, null, null, null, null, null, null, null
    from app.connections c
    cross join lateral (
      select currency, order_total, charged, state from fact.order_payments
      where brand_id = b.id and connection_id = c.id and processed_at >= w.starts_at and processed_at < w.ends_at
      order by processed_at
    ) o
    where c.brand_id = b.id and c.retailer_id = r.id
    group by o.currency
    union all
    select p.currency, null, null, null, null, null, null, null, p.charges, p.charge_amount, p.refund_amount,
           null, null, null, null, null
    from agg.daily_payments p where p.brand_id = b.id and p.retailer_id = r.id and p.day = d.day
    union all
    select h.currency, null, null, null, null, null, null, null, null, null, null,
           count(*) filter (where h.is_counted and h.match = 'matched'),
           sum(h.charge_amount) filter (where h.match = 'matched'),
           count(*) filter (where h.is_counted and h.match <> 'matched'),
           sum(h.charge_amount) filter (where h.match <> 'matched'),
           count(*) filter (where h.is_counted and h.match = 'ambiguous')
    from app.connections c
    cross join lateral (
      select currency, is_counted, match, charge_amount from fact.charge_bookings
      where brand_id = b.id and connection_id = c.id and created_at >= w.starts_at and created_at < w.ends_at
      order by created_at
    ) h
    where c.brand_id = b.id and c.retailer_id = r.id
    group by h.currency
  ) e
  group by e.currency
) f;

comment on view bi.daily_cash_and_sales is 'Sales and cash side by side per retailer, day and currency, never added: a charge is not a sale. total_sales comes from bi.daily_sales; charges, charge_amount and refund_amount come from bi.daily_payments; the matching is the current one of bi.order_payments.';
comment on column bi.daily_cash_and_sales.brand_id is 'id of the brand';
comment on column bi.daily_cash_and_sales.brand is 'short name of the brand';
comment on column bi.daily_cash_and_sales.retailer_id is 'id of the retailer';
comment on column bi.daily_cash_and_sales.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_cash_and_sales.day is 'day in the brand''s time zone: sales as in bi.daily_sales, orders by when they were processed, cash by when Stripe booked it';
comment on column bi.daily_cash_and_sales.currency is 'ISO 4217 currency: for sales the shop''s, for orders and their charges as in bi.order_payments, for cash the settlement currency of the account';
comment on column bi.daily_cash_and_sales.total_sales is 'as in bi.daily_sales';
comment on column bi.daily_cash_and_sales.orders_placed is 'orders processed on the day that are neither test nor deleted, with or without goods';
comment on column bi.daily_cash_and_sales.order_total is 'total of those orders with tax and shipping, before returns';
comment on column bi.daily_cash_and_sales.order_charged is 'amount charged for those orders on any day, before fees';
comment on column bi.daily_cash_and_sales.difference is 'order_total - order_charged: what those orders still owe; negative if more was charged';
comment on column bi.daily_cash_and_sales.orders_matched is 'those orders for which exactly their total was charged';
comment on column bi.daily_cash_and_sales.orders_open is 'those orders for which less or nothing was charged, or whose charges are ambiguous';
comment on column bi.daily_cash_and_sales.orders_over is 'those orders for which more was charged';
comment on column bi.daily_cash_and_sales.charges is 'as in bi.daily_payments';
comment on column bi.daily_cash_and_sales.charge_amount is 'as in bi.daily_payments';
comment on column bi.daily_cash_and_sales.refund_amount is 'as in bi.daily_payments';
comment on column bi.daily_cash_and_sales.matched_charges is 'charges of the day that pay an order';
comment on column bi.daily_cash_and_sales.matched_amount is 'part of charge_amount that pays orders';
comment on column bi.daily_cash_and_sales.unmatched_charges is 'charges of the day that pay no known order; after the rollup of the day, matched_charges + unmatched_charges = charges';
comment on column bi.daily_cash_and_sales.unmatched_amount is 'rest of charge_amount; after the rollup of the day, matched_amount + unmatched_amount = charge_amount';
comment on column bi.daily_cash_and_sales.ambiguous_charges is 'unmatched charges that name two orders equally, in two shops of the retailer';
