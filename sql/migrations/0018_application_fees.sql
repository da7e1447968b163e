-- Of a connected account the fees of a booking hold what its platform takes, which is not Stripe's.
alter table raw.stripe_balance_transactions add column application_fee numeric not null default 0;

-- Amounts of the payload are in minor units: the fee stands there in both.
update raw.stripe_balance_transactions t
set application_fee = trim_scale(d.application_fee * t.fee / (t.payload ->> 'fee')::numeric), digest = null
from (
  select b.brand_id, b.connection_id, b.id, sum((f.detail ->> 'amount')::numeric) as application_fee
  from raw.stripe_balance_transactions b
  cross join lateral jsonb_array_elements(b.payload -> 'fee_details') as f (detail)
  where b.fee <> 0 and jsonb_typeof(b.payload -> 'fee_details') = 'array' and f.detail ->> 'type' = 'application_fee'
  group by 1, 2, 3
) d
where t.brand_id = d.brand_id and t.connection_id = d.connection_id and t.id = d.id;

insert into ops.marks (brand_id, subject, retailer_id, day, marked_at)
select distinct t.brand_id, 'payments', c.retailer_id, (t.created_at at time zone b.time_zone)::date, now()
from raw.stripe_balance_transactions t
join app.connections c on c.brand_id = t.brand_id and c.id = t.connection_id
join app.brands b on b.id = t.brand_id
where t.application_fee <> 0 and c.retailer_id is not null;

create or replace view fact.payments as
select t.brand_id, c.retailer_id, t.connection_id, t.id as transaction_id, t.source_id, t.reporting_category,
       k.kind, t.created_at, t.currency, t.amount, t.fee, t.net,
       t.reporting_category in ('charge', 'refund', 'dispute', 'payout') and k.kind <> 'elsewhere' as is_counted,
       case k.kind when 'charge' then t.amount end as charge_amount,
       case k.kind when 'refund' then -t.amount end as refund_amount,
       case k.kind when 'dispute' then -t.amount end as dispute_amount,
       case k.kind when 'elsewhere' then null when 'fee' then t.fee - t.amount else t.fee end as fees,
       case when k.kind in ('payout', 'topup', 'transfer') then t.fee end as payout_fees,
       case when k.kind in ('charge', 'refund', 'dispute', 'fee') then t.net - t.amount + t.fee
            when k.kind = 'other' then t.net + t.fee end as other,
       case when k.kind in ('charge', 'refund', 'dispute', 'fee', 'other') then t.net end as earned,
       case k.kind when 'payout' then -t.amount end as payout_amount,
       case k.kind when 'topup' then t.amount end as topup_amount,
       case k.kind when 'transfer' then -t.amount end as transfer_amount,
       case when k.kind <> 'elsewhere' then t.net end as balance_change,
       case when k.kind = 'elsewhere' then t.net end as other_balances,
       case when k.kind <> 'elsewhere' then t.application_fee end as application_fees
from raw.stripe_balance_transactions t
left join app.connections c on c.brand_id = t.brand_id and c.id = t.connection_id
cross join lateral (select case
  -- Balances of their own (cards issued, prefunding, reserves): GET /v1/balance counts them elsewhere.
  when t.balance_type <> 'payments' then 'elsewhere'
  when t.reporting_category in ('charge', 'charge_failure', 'partial_capture_reversal') then 'charge'
  when t.reporting_category in ('refund', 'refund_failure') then 'refund'
  when t.reporting_category in ('dispute', 'dispute_reversal') then 'dispute'
  when t.reporting_category in ('fee', 'tax', 'network_cost') then 'fee'
  when t.reporting_category in ('payout', 'payout_reversal') then 'payout'
  when t.reporting_category in ('topup', 'topup_reversal') then 'topup'
  when t.reporting_category in ('transfer', 'transfer_reversal') then 'transfer'
  else 'other' end as kind) k
where t.deleted_at is null;

alter table agg.daily_payments add column application_fees numeric not null default 0;

create or replace view bi.daily_payments as
select b.id as brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.day, a.currency,
       a.charges, a.charge_amount, a.refunds, a.refund_amount, a.disputes, a.dispute_amount,
       a.failed_charges, a.fees, a.net, a.payouts, a.payout_amount, a.closing_balance,
       a.failed_amount, a.payout_fees, a.other, a.topup_amount, a.transfer_amount, a.other_balances,
       a.computed_at, a.application_fees
from app.brands b
join app.retailers r on r.brand_id = b.id
cross join lateral (
  select p.*, trim_scale(sum(p.balance_change) over (partition by p.currency order by p.day)) as closing_balance
  from agg.daily_payments p
  where p.brand_id = b.id and p.retailer_id = r.id
) a;

comment on column bi.daily_payments.fees is 'all that was kept of bookings: fees of every booking, those of payouts too, and bookings that are fees, taxes or network costs themselves; negative where fees were given back; what Stripe itself kept is fees - application_fees';
comment on column bi.daily_payments.application_fees is 'part of fees: what the platform of a connected account took of its bookings; negative where it gave some back';
