/** The built-in charges, refunds, balance transactions and payouts as Stripe's objects. */

import type { StripeObject } from '../objects.ts';
import type { Row } from '../rows.ts';
import type { Charge, Payout, Refund, Transaction } from './money.ts';

const CURRENCY = 'gbp';
const DAY_SECONDS = 86_400;

export function chargeRow(charge: Charge): Row {
  return { id: charge.id, created: charge.created, at: (now) => chargeObject(charge, now) };
}

export function chargeObject(charge: Charge, now: number): StripeObject {
  const { id, order, created, amount, customer, refunds } = charge;
  const refunded = refunds.reduce((sum, refund) => sum + (refund.created <= now ? refund.amount : 0), 0);
  return {
    id,
    object: 'charge',
    amount,
    amount_captured: amount,
    amount_refunded: refunded,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: `txn_${order}`,
    billing_details: {
      address: NO_ADDRESS,
      email: null,
      name: customer ? `Customer ${customer}` : null,
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'GIFTWARE',
    captured: true,
    created,
    currency: CURRENCY,
    customer: null,
    description: `Order #${order}`,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: { order_id: order },
    on_behalf_of: null,
    outcome: OUTCOME,
    paid: true,
    payment_intent: null,
    payment_method: `pm_${order}`,
    payment_method_details: CARD,
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: refunded === amount,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'succeeded',
    transfer_data: null,
    transfer_group: null,
  };
}

export function refundRow(refund: Refund): Row {
  const keys = { charge: refund.charge.id };
  return { id: refund.id, created: refund.created, keys, at: () => refundObject(refund) };
}

export function refundObject({ id, created, amount, charge }: Refund): StripeObject {
  return {
    id,
    object: 'refund',
    amount,
    balance_transaction: `txn_${id}`,
    charge: charge.id,
    created,
    currency: CURRENCY,
    customer: null,
    customer_account: null,
    destination_details: { card: { type: 'refund' }, type: 'card' },
    metadata: { order_id: charge.order },
    payment_intent: null,
    payment_method: `pm_${charge.order}`,
    reason: 'requested_by_customer',
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  };
}

export function balanceTransactionRow(transaction: Transaction): Row {
  const { id, created, source, type, payout = '' } = transaction;
  return {
    id,
    created,
    keys: { source, type, payout },
    at: (now) => balanceTransactionObject(transaction, now),
  };
}

function balanceTransactionObject(transaction: Transaction, now: number): StripeObject {
  const { id, type, source, created, availableOn, amount, fee } = transaction;
  return {
    id,
    object: 'balance_transaction',
    amount,
    available_on: availableOn,
    balance_type: 'payments',
    created,
    currency: CURRENCY,
    description: null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency: CURRENCY,
              description: 'Stripe processing fees',
              type: 'stripe_fee',
            },
          ],
    net: amount - fee,
    reporting_category: type,
    source,
    status: availableOn <= now ? 'available' : 'pending',
    type,
  };
}

export function payoutRow(payout: Payout): Row {
  return { id: payout.id, created: payout.created, at: (now) => payoutObject(payout, now) };
}

export function payoutObject({ id, created, amount }: Payout, now: number): StripeObject {
  const arrival = created + DAY_SECONDS;
  return {
    id,
    object: 'payout',
    amount,
    application_fee: null,
    application_fee_amount: null,
    arrival_date: arrival,
    automatic: true,
    balance_transaction: `txn_${id}`,
    created,
    currency: CURRENCY,
    description: 'STRIPE PAYOUT',
    destination: 'ba_giftware',
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: {},
    method: 'standard',
    original_payout: null,
    payout_method: null,
    reconciliation_status: arrival <= now ? 'completed' : 'in_progress',
    reversed_by: null,
    source_type: 'card',
    statement_descriptor: null,
    status: arrival <= now ? 'paid' : 'in_transit',
    trace_id: null,
    type: 'bank_account',
  };
}

const NO_ADDRESS = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null };
const OUTCOME = {
  advice_code: null,
  network_advice_code: null,
  network_decline_code: null,
  network_status: 'approved_by_network',
  reason: null,
  seller_message: 'Payment complete.',
  type: 'authorized',
};
const CARD = {
  card: {
    amount_authorized: null,
    authorization_code: null,
    brand: 'visa',
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
    country: 'GB',
    electronic_commerce_indicator: null,
    exp_month: 8,
    exp_year: 2014,
    fingerprint: 'sandbox',
    funding: 'credit',
    installments: null,
    last4: '4242',
    mandate: null,
    network: 'visa',
    network_token: null,
    network_transaction_id: null,
    regulated_status: null,
    three_d_secure: null,
    transaction_link_id: null,
    wallet: null,
  },
  type: 'card',
};
