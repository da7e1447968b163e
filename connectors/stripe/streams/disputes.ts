/** Disputes: money that banks take back, and sometimes return. */
import { currency, instant, instantIfAny, money, refIfAny, text, textIfAny, within } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

const TYPES = ['created', 'updated', 'closed', 'funds_withdrawn', 'funds_reinstated'];

export const disputesStream = stripeStream({
  name: 'disputes',
  object: 'dispute',
  personal: { through: { column: 'charge_id', tables: ['raw.stripe_charges'] } },
  scopes: ['rak_dispute_read', 'rak_event_read'],
  digested: true,
  // The evidence contains personal data. The transactions are a stream of their own.
  leftOut: new Set(['balance_transactions', 'evidence', 'payment_method_details']),
  events: TYPES.map((type) => `charge.dispute.${type}`),
  columns: {
    status: text('status'),
    currency: currency('currency'),
    amount: money('amount'),
    charge_id: refIfAny('charge'),
    payment_intent_id: refIfAny('payment_intent'),
    reason: textIfAny('reason'),
    due_by: within('evidence_details', instantIfAny('due_by')),
    created_at: instant('created', { marks: 'payments' }),
  },
});
