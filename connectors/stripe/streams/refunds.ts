/** Refunds. One that succeeded may still fail days later. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { currencyOf, instantAt, money, refIfAny, refTold, textIfAny } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const refunds = table({
  name: 'raw.stripe_refunds',
  key: ['id'],
  digested: true,
  observed: true,
  days: { created_at: 'payments' },
  columns: {
    id: 'text',
    status: 'text',
    currency: 'text',
    amount: 'numeric',
    charge_id: 'text',
    payment_intent_id: 'text',
    balance_transaction_id: 'text',
    failure_balance_transaction_id: 'text',
    reason: 'text',
    failure_reason: 'text',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const LEFT_OUT = new Set(['destination_details', 'instructions_email', 'next_action']);

const collection: Collection = {
  name: 'refunds',
  object: 'refund',
  leftOut: LEFT_OUT,
  target: { tables: [refunds] },
  events: ['refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated', 'charge.refunded'],
  // An older account may tell of the charge only.
  toldBy: (other) => (other.object === 'charge' ? { owner: refTold(other, 'id') } : undefined),
  ownedBy: 'charge',
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const row = {
    id,
    status: textIfAny(object, 'status') ?? 'unknown', // not all ways of paying have one
    currency,
    amount: money(object, 'amount', currency),
    charge_id: refIfAny(object, 'charge'),
    payment_intent_id: refIfAny(object, 'payment_intent'),
    balance_transaction_id: refIfAny(object, 'balance_transaction'),
    failure_balance_transaction_id: refIfAny(object, 'failure_balance_transaction'),
    reason: textIfAny(object, 'reason'),
    failure_reason: textIfAny(object, 'failure_reason'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, LEFT_OUT),
  };
  return { id, changedAt: sentAt, rows: { [refunds.name]: [row] } };
}

export const refundsStream = defineStream({
  name: 'stripe.refunds',
  provider: 'stripe',
  scopes: ['rak_charge_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
