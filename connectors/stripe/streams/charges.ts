/** Charges: what buyers paid or tried to pay, in the currency that they saw. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import {
  below,
  currencyOf,
  instantAt,
  money,
  orderReference,
  refIfAny,
  refTold,
  textIfAny,
} from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const charges = table({
  name: 'raw.stripe_charges',
  indexed: ['order_reference'],
  key: ['id'],
  digested: true,
  observed: true,
  days: { created_at: 'payments' },
  columns: {
    id: 'text',
    status: 'text',
    paid: 'boolean',
    captured: 'boolean',
    disputed: 'boolean',
    currency: 'text',
    amount: 'numeric',
    amount_captured: 'numeric',
    amount_refunded: 'numeric',
    customer_id: 'text',
    payment_intent_id: 'text',
    balance_transaction_id: 'text',
    failure_code: 'text',
    order_reference: 'text',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

// Who the buyer is stays with Stripe, and so do addresses that are signed anew at each reading.
const LEFT_OUT = new Set([
  'billing_details', 'payment_method_details', 'receipt_email', 'receipt_url', 'refunds', 'shipping', 'source',
]); // biome-ignore format: a list of names

const collection: Collection = {
  name: 'charges',
  object: 'charge',
  leftOut: LEFT_OUT,
  target: { tables: [charges] },
  events: [
    ...['succeeded', 'pending', 'captured', 'updated', 'failed', 'refunded', 'expired'].map(
      (type) => `charge.${type}`,
    ),
    ...['created', 'closed', 'funds_withdrawn', 'funds_reinstated'].map((type) => `charge.dispute.${type}`),
    'charge.refund.updated',
  ],
  // A dispute or a refund changes the charge that it is about.
  toldBy: (other) => ({ id: refTold(other, 'charge') }),
  toItem,
};

export function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const method = textIfAny(below(object, 'payment_method_details'), 'type');
  const row = {
    id,
    status: text(object, 'status'),
    paid: flag(object, 'paid'),
    captured: flag(object, 'captured'),
    disputed: object.disputed === true,
    currency,
    amount: money(object, 'amount', currency),
    amount_captured: money(object, 'amount_captured', currency),
    amount_refunded: money(object, 'amount_refunded', currency),
    customer_id: refIfAny(object, 'customer'),
    payment_intent_id: refIfAny(object, 'payment_intent'),
    balance_transaction_id: refIfAny(object, 'balance_transaction'),
    failure_code: textIfAny(object, 'failure_code'),
    order_reference: orderReference(object),
    created_at: instantAt(object, 'created'),
    payload: { ...payloadOf(object, LEFT_OUT), payment_method_type: method },
  };
  return { id, changedAt: sentAt, rows: { [charges.name]: [row] } };
}

export const chargesStream = defineStream({
  name: 'stripe.charges',
  provider: 'stripe',
  scopes: ['rak_charge_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
