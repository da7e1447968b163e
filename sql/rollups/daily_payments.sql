-- One row per retailer, brand-local day and currency with bookings or failed charges.
with booked as (
  select p.retailer_id, p.day, f.currency,
         count(*) filter (where f.is_counted and f.kind = 'charge') as charges,
         count(*) filter (where f.is_counted and f.kind = 'refund') as refunds,
         count(*) filter (where f.is_counted and f.kind = 'dispute') as disputes,
         count(*) filter (where f.is_counted and f.kind = 'payout') as payouts,
         sum(f.charge_amount) as charge_amount, sum(f.refund_amount) as refund_amount,
         sum(f.dispute_amount) as dispute_amount, sum(f.fees) as fees, sum(f.payout_fees) as payout_fees,
         sum(f.application_fees) as application_fees,
         sum(f.other) as other, sum(f.earned) as net, sum(f.payout_amount) as payout_amount,
         sum(f.topup_amount) as topup_amount, sum(f.transfer_amount) as transfer_amount,
         sum(f.balance_change) as balance_change, sum(f.other_balances) as other_balances
  from spans p
  cross join lateral (
    select * from fact.payments
    where brand_id = $1 and connection_id = p.connection_id and created_at >= p.starts_at and created_at < p.ends_at
    order by created_at
  ) f
  group by p.retailer_id, p.day, f.currency
), failed as (
  select p.retailer_id, p.day, f.currency, count(*) as failed_charges, sum(f.amount) as failed_amount
  from spans p
  cross join lateral (
    select * from fact.failed_charges
    where brand_id = $1 and connection_id = p.connection_id and created_at >= p.starts_at and created_at < p.ends_at
    order by created_at
  ) f
  group by p.retailer_id, p.day, f.currency
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
