/** Disputes: what banks take back, and sometimes return. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { below, currencyOf, instantAt, instantAtOrNull, money, refIfAny, textIfAny } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const disputes = table({
  name: 'raw.stripe_disputes',
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
    reason: 'text',
    due_by: 'timestamptz',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

// The evidence names the buyer. The transactions are a stream of their own.
const LEFT_OUT = new Set(['balance_transactions', 'evidence', 'payment_method_details']);

const TYPES = ['created', 'updated', 'closed', 'funds_withdrawn', 'funds_reinstated'];

const collection: Collection = {
  name: 'disputes',
  object: 'dispute',
  leftOut: LEFT_OUT,
  target: { tables: [disputes] },
  events: TYPES.map((type) => `charge.dispute.${type}`),
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const row = {
    id,
    status: text(object, 'status'),
    currency,
    amount: money(object, 'amount', currency),
    charge_id: refIfAny(object, 'charge'),
    payment_intent_id: refIfAny(object, 'payment_intent'),
    reason: textIfAny(object, 'reason'),
    due_by: instantAtOrNull(below(object, 'evidence_details'), 'due_by'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, LEFT_OUT),
  };
  return { id, changedAt: sentAt, rows: { [disputes.name]: [row] } };
}

export const disputesStream = defineStream({
  name: 'stripe.disputes',
  provider: 'stripe',
  scopes: ['rak_dispute_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
