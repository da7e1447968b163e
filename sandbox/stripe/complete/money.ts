import type { StripeObject } from '../objects.ts';
import type { Given } from './given.ts';

const CATEGORIES: Readonly<Record<string, string>> = {
  application_fee: 'platform_earning',
  application_fee_refund: 'platform_earning_refund',
  adjustment: 'other_adjustment',
  charge: 'charge',
  payment: 'charge',
  payment_failure_refund: 'charge_failure',
  payment_refund: 'refund',
  payout: 'payout',
  payout_cancel: 'payout_reversal',
  payout_failure: 'payout_reversal',
  refund: 'refund',
  refund_failure: 'refund_failure',
  reserve_hold: 'risk_reserved_funds',
  reserve_release: 'risk_reserved_funds',
  stripe_fee: 'fee',
  stripe_fx_fee: 'fee',
  tax_fee: 'tax',
  topup: 'topup',
  topup_reversal: 'topup_reversal',
  transfer: 'transfer',
  transfer_cancel: 'transfer_reversal',
  transfer_failure: 'transfer_reversal',
  transfer_refund: 'transfer_reversal',
};

/** Fields of kinds that move money; undefined for other kinds. */
export function completeMoney(kind: string, given: Given): StripeObject | undefined {
  return COMPLETIONS[kind]?.(given);
}

const COMPLETIONS: Readonly<Record<string, (given: Given) => StripeObject>> = {
  balance_transactions: balanceTransaction,
  charges: charge,
  refunds: refund,
  disputes: dispute,
  payment_intents: paymentIntent,
  payouts: payout,
};

function balanceTransaction({ object, place, context }: Given): StripeObject {
  const fee = numberOr(object.fee, 0);
  const type = object.type ?? typeBySource(object, context.drafts);
  if (type === undefined) place.fail('"type" is missing, and "source" names no object of this account');
  const details = {
    amount: fee,
    application: null,
    currency: object.currency,
    description: null,
    type: 'stripe_fee',
  };
  return {
    type,
    fee,
    net: object.net ?? numberOr(object.amount, 0) - fee,
    fee_details: object.fee_details ?? (fee === 0 ? [] : [details]),
    reporting_category: object.reporting_category ?? categoryOf(String(type), object, context.drafts),
    available_on: object.available_on ?? object.created,
    balance_type: object.balance_type ?? 'payments',
    status: object.status ?? 'pending',
  };
}

function typeBySource(
  { source, amount }: StripeObject,
  drafts: Given['context']['drafts'],
): string | undefined {
  const comesIn = numberOr(amount, 0) > 0;
  if (drafts.find('charges', source)) return 'charge';
  if (drafts.find('refunds', source)) return comesIn ? 'refund_failure' : 'refund';
  if (drafts.find('payouts', source)) return comesIn ? 'payout_failure' : 'payout';
  return drafts.find('disputes', source) ? 'adjustment' : undefined;
}

function categoryOf(
  type: string,
  { source, amount }: StripeObject,
  drafts: Given['context']['drafts'],
): string {
  if (type === 'adjustment' && drafts.find('disputes', source)) {
    return numberOr(amount, 0) > 0 ? 'dispute_reversal' : 'dispute';
  }
  return CATEGORIES[type] ?? type;
}

function charge({ object, context }: Given): StripeObject {
  const status = object.status ?? 'succeeded';
  const captured = object.captured ?? status === 'succeeded';
  const { amount } = object;
  const refunded = numberOr(object.amount_refunded, 0);
  return {
    status,
    captured,
    paid: object.paid ?? status === 'succeeded',
    amount_captured: object.amount_captured ?? (captured ? amount : 0),
    amount_refunded: refunded,
    refunded: object.refunded ?? (refunded > 0 && refunded === amount),
    balance_transaction: ownTransaction(object, context.drafts, ['charge', 'payment']),
    payment_method_details: object.payment_method_details ?? { type: 'card' },
  };
}

function refund({ object, context }: Given): StripeObject {
  const failed = ['refund_failure', 'payment_failure_refund'];
  const failure = ownTransaction({ id: object.id }, context.drafts, failed);
  return {
    status: object.status ?? 'succeeded',
    balance_transaction: ownTransaction(object, context.drafts, ['refund', 'payment_refund']),
    ...(object.status === 'failed' && failure !== null && object.failure_balance_transaction === undefined
      ? { failure_balance_transaction: failure }
      : {}),
  };
}

function dispute({ object, place, context }: Given): StripeObject {
  const own = context.drafts.transactionsOf(String(object.id)).map((transaction) => {
    const completed = balanceTransaction({ object: transaction, place, context });
    return { ...transaction, ...completed, status: transaction.status ?? 'available' };
  });
  return {
    status: object.status ?? 'needs_response',
    reason: object.reason ?? 'general',
    balance_transactions: object.balance_transactions ?? own,
  };
}

function paymentIntent({ object }: Given): StripeObject {
  const status = object.status ?? 'succeeded';
  return {
    status,
    amount_received: object.amount_received ?? (status === 'succeeded' ? object.amount : 0),
    capture_method: object.capture_method ?? 'automatic',
    confirmation_method: object.confirmation_method ?? 'automatic',
    payment_method_types: object.payment_method_types ?? ['card'],
  };
}

function payout({ object, context }: Given): StripeObject {
  const automatic = object.automatic ?? true;
  const done = automatic ? 'completed' : 'not_applicable';
  const failure = ownTransaction({ id: object.id }, context.drafts, ['payout_failure', 'payout_cancel']);
  return {
    automatic,
    status: object.status ?? 'paid',
    arrival_date: object.arrival_date ?? object.created,
    method: object.method ?? 'standard',
    source_type: object.source_type ?? 'card',
    type: object.type ?? 'bank_account',
    reconciliation_status: object.reconciliation_status ?? done,
    balance_transaction: ownTransaction(object, context.drafts, ['payout']),
    failure_balance_transaction:
      object.failure_balance_transaction ?? (object.status === 'failed' ? failure : null),
  };
}

/** The transaction that an object is booked by, found by its source when it is not named. */
function ownTransaction(
  { id, balance_transaction: given }: StripeObject,
  drafts: Given['context']['drafts'],
  types: readonly string[],
): unknown {
  if (given !== undefined) return given;
  const own = drafts.transactionsOf(String(id)).find((transaction) => {
    return types.includes(String(transaction.type ?? typeBySource(transaction, drafts)));
  });
  return own?.id ?? null;
}

export function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
