-- What Stripe knows. Amounts are major units by Stripe's own list of exponents, with an upper-case ISO 4217
-- currency beside them. Stripe gives no version of an object, so changed_at is the instant at which our
-- request for it was sent. An id that Stripe gives as text or as an expanded object is kept as text.

create table raw.stripe_balance_transactions (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  type text not null,
  reporting_category text not null,
  balance_type text not null,
  status text not null,
  source_id text,
  payout_id text,
  currency text not null,
  amount numeric not null,
  fee numeric not null,
  application_fee numeric not null default 0,
  net numeric not null,
  exchange_rate numeric,
  available_on timestamptz not null,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_balance_transactions is 'the ledger of an account: every booking of money';
comment on column raw.stripe_balance_transactions.payout_id is
  'the automatic payout that contains it, as far as Stripe has told; null until then';
-- The sum of the ledger is taken at each sync: it comes out of the index alone, however large the payloads are.
create index stripe_balance_transactions_by_time
  on raw.stripe_balance_transactions (brand_id, connection_id, created_at)
  include (balance_type, currency, net, deleted_at);
create index stripe_balance_transactions_pending on raw.stripe_balance_transactions (brand_id, connection_id, available_on) where status = 'pending';
create index stripe_balance_transactions_of_source on raw.stripe_balance_transactions (brand_id, connection_id, source_id);
create index stripe_balance_transactions_of_payout on raw.stripe_balance_transactions (brand_id, connection_id, payout_id) where payout_id is not null;

create table raw.stripe_charges (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  paid boolean not null,
  captured boolean not null,
  disputed boolean not null,
  currency text not null,
  amount numeric not null,
  amount_captured numeric not null,
  amount_refunded numeric not null,
  customer_id text,
  payment_intent_id text,
  balance_transaction_id text,
  failure_code text,
  order_reference text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_charges is 'charges: attempts to collect money from a buyer';
comment on column raw.stripe_charges.order_reference is
  'the order that the charge pays, as metadata.order_id or metadata.shopify_order_id names it';
create index stripe_charges_by_time on raw.stripe_charges (brand_id, connection_id, created_at);
create index stripe_charges_of_order on raw.stripe_charges (brand_id, connection_id, order_reference) where order_reference is not null;
create index stripe_charges_of_intent on raw.stripe_charges (brand_id, connection_id, payment_intent_id)
  where order_reference is null and payment_intent_id is not null;

create table raw.stripe_refunds (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  currency text not null,
  amount numeric not null,
  charge_id text,
  payment_intent_id text,
  balance_transaction_id text,
  failure_balance_transaction_id text,
  reason text,
  failure_reason text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
create index stripe_refunds_by_time on raw.stripe_refunds (brand_id, connection_id, created_at);
create index stripe_refunds_of_charge on raw.stripe_refunds (brand_id, connection_id, charge_id);
comment on table raw.stripe_refunds is 'refunds of charges';

create table raw.stripe_disputes (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  currency text not null,
  amount numeric not null,
  charge_id text,
  payment_intent_id text,
  reason text,
  due_by timestamptz,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
create index stripe_disputes_by_time on raw.stripe_disputes (brand_id, connection_id, created_at);
comment on table raw.stripe_disputes is 'disputes of charges';

create table raw.stripe_payment_intents (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  currency text not null,
  amount numeric not null,
  amount_received numeric not null,
  customer_id text,
  latest_charge_id text,
  order_reference text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
create index stripe_payment_intents_of_order on raw.stripe_payment_intents (brand_id, connection_id, order_reference)
  where order_reference is not null;
comment on table raw.stripe_payment_intents is 'payment intents, which charges belong to';

create table raw.stripe_customers (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  currency text,
  balance numeric,
  delinquent boolean,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  digest uuid,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_customers is 'customers, without personal data';

create table raw.stripe_products (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text not null,
  active boolean not null,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_products is 'products that prices belong to';

create table raw.stripe_prices (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  product_id text not null,
  active boolean not null,
  type text not null,
  currency text not null,
  unit_amount numeric,
  billing_scheme text,
  usage_type text,
  billing_interval text,
  interval_count integer,
  nickname text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_prices is 'prices, which subscriptions call plans';
comment on column raw.stripe_prices.unit_amount is 'major units, up to 14 places (unit_amount_decimal); null for tiered prices';

create table raw.stripe_coupons (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  name text,
  percent_off numeric,
  amount_off numeric,
  currency text,
  duration text not null,
  duration_in_months integer,
  valid boolean not null,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_coupons is 'coupons that discounts come from';

create table raw.stripe_promotion_codes (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  code text not null,
  coupon_id text,
  active boolean not null,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_promotion_codes is 'codes that customers type for a coupon';

create table raw.stripe_payouts (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  currency text not null,
  amount numeric not null,
  automatic boolean not null,
  arrival_date timestamptz not null,
  balance_transaction_id text,
  failure_balance_transaction_id text,
  failure_code text,
  reconciliation_status text,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index stripe_payouts_by_time on raw.stripe_payouts (brand_id, connection_id, created_at);
comment on table raw.stripe_payouts is 'payouts to the bank';

create table raw.stripe_subscriptions (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  status text not null,
  currency text not null,
  customer_id text not null,
  created_at timestamptz not null,
  start_date timestamptz not null,
  trial_start timestamptz,
  trial_end timestamptz,
  cancel_at_period_end boolean not null,
  cancel_at timestamptz,
  canceled_at timestamptz,
  ended_at timestamptz,
  is_paused boolean not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index stripe_subscriptions_by_time on raw.stripe_subscriptions (brand_id, connection_id, created_at);
create index stripe_subscriptions_of_customer on raw.stripe_subscriptions (brand_id, connection_id, customer_id);
comment on table raw.stripe_subscriptions is 'subscriptions as they are now; raw.stripe_subscription_versions has what they were';

create table raw.stripe_subscription_items (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  subscription_id text not null,
  price_id text not null,
  product_id text,
  quantity numeric,
  current_period_start timestamptz,
  current_period_end timestamptz,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index stripe_subscription_items_of_subscription on raw.stripe_subscription_items (brand_id, connection_id, subscription_id);
comment on table raw.stripe_subscription_items is 'items of subscriptions as they are now: a price and a quantity';

create table raw.stripe_subscription_versions (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  valid_from timestamptz not null,
  unseen_from timestamptz,
  status text not null,
  currency text not null,
  customer_id text not null,
  is_paused boolean not null,
  ended_at timestamptz,
  items jsonb not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id, valid_from)
);
comment on table raw.stripe_subscription_versions is
  'every observed state of a subscription (id) from valid_from on; append-only, because Stripe keeps no history';
comment on column raw.stripe_subscription_versions.unseen_from is
  'since when it may have been something that nobody saw: the first of several changes between two readings, or the reading before; null if there was one change, at valid_from';
comment on column raw.stripe_subscription_versions.items is
  'one object per item: item, price, product, quantity, monthly (exact decimal text, major units, before rounding), metered';

create table raw.stripe_invoices (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  number text,
  status text,
  billing_reason text,
  currency text not null,
  customer_id text,
  subscription_id text,
  subtotal numeric not null,
  total numeric not null,
  amount_due numeric not null,
  amount_paid numeric not null,
  amount_remaining numeric not null,
  period_start timestamptz,
  period_end timestamptz,
  finalized_at timestamptz,
  paid_at timestamptz,
  created_at timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
create index stripe_invoices_of_subscription on raw.stripe_invoices (brand_id, connection_id, subscription_id) where subscription_id is not null;
comment on table raw.stripe_invoices is 'invoices; their lines are rows of their own';

create table raw.stripe_invoice_lines (
  brand_id uuid not null,
  connection_id uuid not null,
  id text not null,
  invoice_id text not null,
  subscription_id text,
  subscription_item_id text,
  price_id text,
  product_id text,
  currency text not null,
  amount numeric not null,
  quantity numeric,
  unit_amount numeric,
  is_proration boolean not null,
  is_tax_known boolean not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  payload jsonb,
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  deleted_at timestamptz,
  primary key (brand_id, connection_id, id)
);
comment on table raw.stripe_invoice_lines is 'lines of invoices, each with its period of service';
comment on column raw.stripe_invoice_lines.is_tax_known is
  'whether its taxes are all there are; if not, none are named because Stripe has yet to compute them, or could not';
create index stripe_invoice_lines_of_invoice on raw.stripe_invoice_lines (brand_id, connection_id, invoice_id);
create index stripe_invoice_lines_of_subscription on raw.stripe_invoice_lines (brand_id, connection_id, subscription_id, period_start) where subscription_id is not null;
create index stripe_invoice_lines_of_price on raw.stripe_invoice_lines (brand_id, connection_id, price_id) where subscription_id is not null;
