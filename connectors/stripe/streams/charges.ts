/** Charges: payments and failed attempts of buyers, in the currency that they saw. */
import { column } from '../../kit/columns.ts';
import { payloadOf } from '../../kit/fields.ts';
import { below, orderReference, textIfAny as readText, refTold } from '../api/coerce.ts';
import { currency, flag, instant, money, refIfAny, text, textIfAny } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

// Not stored: personal data of the buyer, and URLs that are signed again at each reading.
const LEFT_OUT = new Set([
  'billing_details', 'payment_method_details', 'receipt_email', 'receipt_url', 'refunds', 'shipping', 'source',
]); // biome-ignore format: a list of names

const TYPES = ['succeeded', 'pending', 'captured', 'updated', 'failed', 'refunded', 'expired'];
const DISPUTE_TYPES = ['created', 'closed', 'funds_withdrawn', 'funds_reinstated'];

export const chargesStream = stripeStream({
  name: 'charges',
  object: 'charge',
  personal: { of: [{ column: 'customer_id', as: 'customer' }] },
  scopes: ['rak_charge_read', 'rak_event_read'],
  feeds: ['payments'],
  digested: true,
  leftOut: LEFT_OUT,
  events: [
    ...TYPES.map((type) => `charge.${type}`),
    ...DISPUTE_TYPES.map((type) => `charge.dispute.${type}`),
    'charge.refund.updated',
  ],
  // A dispute or a refund changes its charge.
  reportedBy: (other) => ({ id: refTold(other, 'charge') }),
  columns: {
    status: text('status'),
    paid: flag('paid'),
    captured: flag('captured'),
    disputed: column('boolean', ({ disputed }) => disputed === true),
    currency: currency('currency'),
    amount: money('amount'),
    amount_captured: money('amount_captured'),
    amount_refunded: money('amount_refunded'),
    customer_id: refIfAny('customer'),
    payment_intent_id: refIfAny('payment_intent'),
    balance_transaction_id: refIfAny('balance_transaction'),
    failure_code: textIfAny('failure_code'),
    order_reference: column('text', orderReference, { indexed: true }),
    created_at: instant('created', { marks: 'payments' }),
    payload: column('jsonb', (charge) => ({
      ...payloadOf(charge, LEFT_OUT),
      payment_method_type: readText(below(charge, 'payment_method_details'), 'type'),
    })),
  },
});

export const { table: charges, toItem } = chargesStream;
