-- One row per retailer, brand-local day and currency with bookings or failed charges. Rebuilds exactly
-- the pairs given in $2 uuid[] (retailers) and $3 date[] (days) of brand $1 as of $4. What is already
-- right is not touched, so a second run changes nothing.
with wanted as (
  select r.id as retailer_id, pair.day,
         fact.day_start(pair.day, b.time_zone) as starts_at, fact.day_start(pair.day + 1, b.time_zone) as ends_at
  from (select distinct * from unnest($2::uuid[], $3::date[]) as p (retailer_id, day)) pair
  join app.brands b on b.id = $1
  join app.retailers r on r.brand_id = $1 and r.id = pair.retailer_id
), booked as (
  -- Each day is summed up by itself: its bounds reach the index on (brand_id, connection_id, time).
  select w.retailer_id, w.day, p.*
  from wanted w
  cross join lateral (
    select f.currency,
           count(*) filter (where f.is_counted and f.kind = 'charge') as charges,
           count(*) filter (where f.is_counted and f.kind = 'refund') as refunds,
           count(*) filter (where f.is_counted and f.kind = 'dispute') as disputes,
           count(*) filter (where f.is_counted and f.kind = 'payout') as payouts,
           sum(f.charge_amount) as charge_amount, sum(f.refund_amount) as refund_amount,
           sum(f.dispute_amount) as dispute_amount, sum(f.fees) as fees, sum(f.payout_fees) as payout_fees,
           sum(f.other) as other, sum(f.earned) as net, sum(f.payout_amount) as payout_amount,
           sum(f.topup_amount) as topup_amount, sum(f.transfer_amount) as transfer_amount,
           sum(f.balance_change) as balance_change, sum(f.other_balances) as other_balances
    from fact.payments f
    where f.brand_id = $1 and f.retailer_id = w.retailer_id
      and f.created_at >= w.starts_at and f.created_at < w.ends_at
    group by f.currency
  ) p
), failed as (
  select w.retailer_id, w.day, h.*
  from wanted w
  cross join lateral (
    select f.currency, count(*) as failed_charges, sum(f.amount) as failed_amount
    from fact.failed_charges f
    where f.brand_id = $1 and f.retailer_id = w.retailer_id
      and f.created_at >= w.starts_at and f.created_at < w.ends_at
    group by f.currency
  ) h
), fresh as (
  -- Trimmed, so that equal amounts are equal texts however they came about.
  select retailer_id, day, currency,
         coalesce(b.charges, 0) as charges, trim_scale(coalesce(b.charge_amount, 0)) as charge_amount,
         coalesce(b.refunds, 0) as refunds, trim_scale(coalesce(b.refund_amount, 0)) as refund_amount,
         coalesce(b.disputes, 0) as disputes, trim_scale(coalesce(b.dispute_amount, 0)) as dispute_amount,
         coalesce(h.failed_charges, 0) as failed_charges,
         trim_scale(coalesce(h.failed_amount, 0)) as failed_amount,
         trim_scale(coalesce(b.fees, 0)) as fees, trim_scale(coalesce(b.payout_fees, 0)) as payout_fees,
         trim_scale(coalesce(b.other, 0)) as other, trim_scale(coalesce(b.net, 0)) as net,
         coalesce(b.payouts, 0) as payouts, trim_scale(coalesce(b.payout_amount, 0)) as payout_amount,
         trim_scale(coalesce(b.topup_amount, 0)) as topup_amount,
         trim_scale(coalesce(b.transfer_amount, 0)) as transfer_amount,
         trim_scale(coalesce(b.balance_change, 0)) as balance_change,
         trim_scale(coalesce(b.other_balances, 0)) as other_balances
  from booked b
  full join failed h using (retailer_id, day, currency)
), gone as (
  delete from agg.daily_payments a using wanted w
  where a.brand_id = $1 and (a.retailer_id, a.day) = (w.retailer_id, w.day) and not exists (
    select from fresh f
    where (f.retailer_id, f.day, f.currency) = (a.retailer_id, a.day, a.currency))
  returning 1
), written as (
  insert into agg.daily_payments as a
    (brand_id, retailer_id, day, currency, charges, charge_amount, refunds, refund_amount, disputes,
     dispute_amount, failed_charges, failed_amount, fees, payout_fees, other, net, payouts, payout_amount,
     topup_amount, transfer_amount, balance_change, other_balances, computed_at)
  select $1, f.*, $4::timestamptz from fresh f
  -- Looked at before the insert: a conflict alone would lock the row and write to its page.
  where not exists (
    select from agg.daily_payments a
    where a.brand_id = $1 and (a.retailer_id, a.day, a.currency) = (f.retailer_id, f.day, f.currency)
      and (a.charges, a.charge_amount, a.refunds, a.refund_amount, a.disputes, a.dispute_amount,
           a.failed_charges, a.failed_amount, a.fees, a.payout_fees, a.other, a.net, a.payouts,
           a.payout_amount, a.topup_amount, a.transfer_amount, a.balance_change, a.other_balances)
          is not distinct from
          (f.charges, f.charge_amount, f.refunds, f.refund_amount, f.disputes, f.dispute_amount,
           f.failed_charges, f.failed_amount, f.fees, f.payout_fees, f.other, f.net, f.payouts,
           f.payout_amount, f.topup_amount, f.transfer_amount, f.balance_change, f.other_balances))
  on conflict (brand_id, retailer_id, day, currency) do update
  set charges = excluded.charges, charge_amount = excluded.charge_amount,
      refunds = excluded.refunds, refund_amount = excluded.refund_amount,
      disputes = excluded.disputes, dispute_amount = excluded.dispute_amount,
      failed_charges = excluded.failed_charges, failed_amount = excluded.failed_amount,
      fees = excluded.fees, payout_fees = excluded.payout_fees, other = excluded.other,
      net = excluded.net, payouts = excluded.payouts, payout_amount = excluded.payout_amount,
      topup_amount = excluded.topup_amount, transfer_amount = excluded.transfer_amount,
      balance_change = excluded.balance_change, other_balances = excluded.other_balances,
      computed_at = excluded.computed_at
  returning 1
)
select (select count(*) from written) as written, (select count(*) from gone) as deleted;
