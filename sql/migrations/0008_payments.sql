-- Cash: what Stripe booked, by balance transaction, in the currency of settlement. A charge is not a sale:
-- sales are Shopify's, and the two stand beside each other, never in one sum.

-- One row per balance transaction of an account, sorted by reporting category into measures; a measure that
-- is not of this row's kind is null. Categories, not types: cards and other ways of paying have different
-- types of one category, and a capture below the authorization is of type refund but belongs to the charge.
-- What is taken for `other` is amount + (net - amount + fee): nothing besides the amount, as long as net is
-- amount - fee, so that the measures of a row make its net whatever Stripe may send.
create view fact.payments as
select t.brand_id, c.retailer_id, t.connection_id, t.id as transaction_id, t.source_id, t.reporting_category,
       k.kind, t.created_at, t.currency, t.amount, t.fee, t.net,
       t.reporting_category in ('charge', 'refund', 'dispute', 'payout') and k.kind <> 'elsewhere' as is_counted,
       case k.kind when 'charge' then t.amount end as charge_amount,
       case k.kind when 'refund' then -t.amount end as refund_amount,
       case k.kind when 'dispute' then -t.amount end as dispute_amount,
       case k.kind when 'elsewhere' then null when 'fee' then t.fee - t.amount else t.fee end as fees,
       case when k.kind in ('payout', 'topup', 'transfer') then t.fee end as payout_fees,
       case when k.kind <> 'elsewhere' then t.application_fee end as application_fees,
       case when k.kind in ('charge', 'refund', 'dispute', 'fee') then t.net - t.amount + t.fee
            when k.kind = 'other' then t.net + t.fee end as other,
       case when k.kind in ('charge', 'refund', 'dispute', 'fee', 'other') then t.net end as earned,
       case k.kind when 'payout' then -t.amount end as payout_amount,
       case k.kind when 'topup' then t.amount end as topup_amount,
       case k.kind when 'transfer' then -t.amount end as transfer_amount,
       case when k.kind <> 'elsewhere' then t.net end as balance_change,
       case when k.kind = 'elsewhere' then t.net end as other_balances
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

-- Attempts to pay that really failed, in the currency that the buyer saw. A charge that waits for its
-- capture, and one whose authorization ran out, has not failed.
create view fact.failed_charges as
select h.brand_id, c.retailer_id, h.connection_id, h.id as charge_id, h.created_at, h.currency, h.amount
from raw.stripe_charges h
left join app.connections c on c.brand_id = h.brand_id and c.id = h.connection_id
where h.status = 'failed' and h.deleted_at is null;

create table agg.daily_payments (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  charges bigint not null,
  charge_amount numeric not null,
  refunds bigint not null,
  refund_amount numeric not null,
  disputes bigint not null,
  dispute_amount numeric not null,
  failed_charges bigint not null,
  failed_amount numeric not null,
  fees numeric not null,
  payout_fees numeric not null,
  application_fees numeric not null default 0,
  other numeric not null,
  net numeric not null,
  payouts bigint not null,
  payout_amount numeric not null,
  topup_amount numeric not null,
  transfer_amount numeric not null,
  balance_change numeric not null,
  other_balances numeric not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency),
  constraint net_is_made_of_its_parts check (
    net = charge_amount - refund_amount - dispute_amount + other - (fees - payout_fees))
);
comment on table agg.daily_payments is 'cash of a retailer, by the day on which Stripe booked it and settlement currency';
comment on column agg.daily_payments.balance_change is
  'net of all bookings in the balance of payments: what the closing balance is the running sum of';

-- Retailer by retailer, so that a condition on the brand or retailer, by id or by name, reads their rows
-- only. One on the day cannot: the closing balance of a day needs all days before it.
create view bi.daily_payments as
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

comment on view bi.daily_payments is 'Stripe cash per retailer, day in the brand''s time zone and settlement currency, from balance transactions: what was charged, refunded, disputed, kept as fees and paid out. Cash is not sales and is never added to bi.daily_sales.';
comment on column bi.daily_payments.brand_id is 'id of the brand';
comment on column bi.daily_payments.brand is 'short name of the brand';
comment on column bi.daily_payments.retailer_id is 'id of the retailer';
comment on column bi.daily_payments.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_payments.day is 'day in the brand''s time zone on which Stripe booked the transaction; for failed charges, the day of the attempt';
comment on column bi.daily_payments.currency is 'ISO 4217 settlement currency of the account; for failed_charges and failed_amount the currency shown to the buyer, so a row may hold only those two';
comment on column bi.daily_payments.charges is 'captured charges; a charge that waits for its capture is not counted';
comment on column bi.daily_payments.charge_amount is 'captured money before fees; a later failure, or a capture below the booked amount, is subtracted on the day it happens';
comment on column bi.daily_payments.refunds is 'refunds; one that fails later stays counted on its day';
comment on column bi.daily_payments.refund_amount is 'money refunded, as a positive amount; negative on a day on which a refund failed and the money came back';
comment on column bi.daily_payments.disputes is 'disputes that withdrew money; a won dispute stays counted on its day';
comment on column bi.daily_payments.dispute_amount is 'money withdrawn for disputes, as a positive amount, without the fee; negative on a day on which a dispute was won';
comment on column bi.daily_payments.failed_charges is 'failed payment attempts, by the day of the attempt, in the currency shown to the buyer';
comment on column bi.daily_payments.fees is 'all fees: fees of every booking, including payouts, and bookings that are themselves fees, taxes or network costs; negative if fees were returned; Stripe''s own share is fees - application_fees';
comment on column bi.daily_payments.net is 'cash that the day left: charge_amount - refund_amount - dispute_amount + other - (fees - payout_fees)';
comment on column bi.daily_payments.payouts is 'payouts sent; one that fails later stays counted on its day';
comment on column bi.daily_payments.payout_amount is 'money sent to the bank, as a positive amount, on the day it left the balance; negative on a day on which a payout failed or was canceled';
comment on column bi.daily_payments.closing_balance is 'balance at the end of the day, available plus pending: the running sum of all bookings in this currency; correct if the account was read from its beginning';
comment on column bi.daily_payments.failed_amount is 'money of the failed charges; none of it was received';
comment on column bi.daily_payments.payout_fees is 'fees of payouts, top-ups and transfers; part of fees, not of net';
comment on column bi.daily_payments.other is 'bookings of any other kind, known or unknown, such as reserves and adjustments; positive for money that came in; before fees';
comment on column bi.daily_payments.topup_amount is 'money added to the balance from a bank, minus reversals; not part of net';
comment on column bi.daily_payments.transfer_amount is 'money sent to other Stripe accounts, minus reversals; not part of net';
comment on column bi.daily_payments.other_balances is 'net of bookings in balances other than payments (issuing, prefunding, reserves); in no other column';
comment on column bi.daily_payments.computed_at is 'when the figures of this row last changed';
comment on column bi.daily_payments.application_fees is 'part of fees: what the platform of a connected account took; negative if it returned some';
