/** Refunds. A successful one may still fail days later. */
import { column } from '../../kit/columns.ts';
import { textIfAny as readText, refTold } from '../api/coerce.ts';
import { currency, instant, money, refIfAny, textIfAny } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

export const refundsStream = stripeStream({
  name: 'refunds',
  object: 'refund',
  personal: { through: { column: 'charge_id', tables: ['raw.stripe_charges'] } },
  scopes: ['rak_charge_read', 'rak_event_read'],
  feeds: ['payments'],
  digested: true,
  leftOut: new Set(['destination_details', 'instructions_email', 'next_action']),
  events: ['refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated', 'charge.refunded'],
  // On older accounts only the charge may have an event.
  reportedBy: (other) => (other.object === 'charge' ? { owner: refTold(other, 'id') } : undefined),
  ownedBy: 'charge',
  columns: {
    status: column('text', (refund) => readText(refund, 'status') ?? 'unknown'), // not all payment methods have one
    currency: currency('currency'),
    amount: money('amount'),
    charge_id: refIfAny('charge'),
    payment_intent_id: refIfAny('payment_intent'),
    balance_transaction_id: refIfAny('balance_transaction'),
    failure_balance_transaction_id: refIfAny('failure_balance_transaction'),
    reason: textIfAny('reason'),
    failure_reason: textIfAny('failure_reason'),
    created_at: instant('created', { marks: 'payments' }),
  },
});

export const { table: refunds } = refundsStream;
