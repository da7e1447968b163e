-- One row per retailer, brand-local day and currency with bookings or failed charges.
with bookings as (
  select p.retailer_id, p.day, p.connection_id, f.*
  from spans p
  cross join lateral (
    select transaction_id, reporting_category, created_at, currency, kind, is_counted, charge_amount, refund_amount,
           dispute_amount, fees, payout_fees, application_fees, other, earned, payout_amount, topup_amount,
           transfer_amount, balance_change, other_balances
    from fact.payments
    where brand_id = $1 and connection_id = p.connection_id and created_at >= p.starts_at and created_at < p.ends_at
    order by created_at
  ) f
), booked as (
  select retailer_id, day, currency,
         count(*) filter (where is_counted and kind = 'charge') as charges,
         count(*) filter (where is_counted and kind = 'refund') as refunds,
         count(*) filter (where is_counted and kind = 'dispute') as disputes,
         count(*) filter (where is_counted and kind = 'payout') as payouts,
         sum(charge_amount) as charge_amount, sum(refund_amount) as refund_amount,
         sum(dispute_amount) as dispute_amount, sum(fees) as fees, sum(payout_fees) as payout_fees,
         sum(application_fees) as application_fees, sum(other) as other, sum(earned) as net,
         sum(payout_amount) as payout_amount, sum(topup_amount) as topup_amount, sum(transfer_amount) as transfer_amount,
         sum(balance_change) as balance_change, sum(other_balances) as other_balances
  from bookings
  group by retailer_id, day, currency
), attempts as (
  select p.retailer_id, p.day, p.connection_id, f.*
  from spans p
  cross join lateral (
    select charge_id, created_at, currency, amount from fact.failed_charges
    where brand_id = $1 and connection_id = p.connection_id and created_at >= p.starts_at and created_at < p.ends_at
    order by created_at
  ) f
), failed as (
  select retailer_id, day, currency, count(*) as failed_charges, sum(amount) as failed_amount
  from attempts
  group by retailer_id, day, currency
)
-- Trimmed, so that equal amounts are equal texts however they came about.
select retailer_id, day, currency,
       coalesce(b.charges, 0) as charges, trim_scale(coalesce(b.charge_amount, 0)) as charge_amount,
       coalesce(b.refunds, 0) as refunds, trim_scale(coalesce(b.refund_amount, 0)) as refund_amount,
       coalesce(b.disputes, 0) as disputes, trim_scale(coalesce(b.dispute_amount, 0)) as dispute_amount,
       coalesce(h.failed_charges, 0) as failed_charges,
       trim_scale(coalesce(h.failed_amount, 0)) as failed_amount,
       trim_scale(coalesce(b.fees, 0)) as fees, trim_scale(coalesce(b.payout_fees, 0)) as payout_fees,
       trim_scale(coalesce(b.application_fees, 0)) as application_fees,
       trim_scale(coalesce(b.other, 0)) as other, trim_scale(coalesce(b.net, 0)) as net,
       coalesce(b.payouts, 0) as payouts, trim_scale(coalesce(b.payout_amount, 0)) as payout_amount,
       trim_scale(coalesce(b.topup_amount, 0)) as topup_amount,
       trim_scale(coalesce(b.transfer_amount, 0)) as transfer_amount,
       trim_scale(coalesce(b.balance_change, 0)) as balance_change,
       trim_scale(coalesce(b.other_balances, 0)) as other_balances
from booked b
full join failed h using (retailer_id, day, currency)
