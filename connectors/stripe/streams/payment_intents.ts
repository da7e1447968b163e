/** Payment intents: what a buyer set out to pay, with any number of charges. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { currencyOf, instantAt, money, orderReference, refIfAny } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const paymentIntents = table({
  name: 'raw.stripe_payment_intents',
  indexed: ['order_reference'],
  key: ['id'],
  digested: true,
  observed: true,
  columns: {
    id: 'text',
    status: 'text',
    currency: 'text',
    amount: 'numeric',
    amount_received: 'numeric',
    customer_id: 'text',
    latest_charge_id: 'text',
    order_reference: 'text',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

// The client secret lets whoever has it pay; the rest says who the buyer is.
const LEFT_OUT = new Set([
  'client_secret', 'last_payment_error', 'next_action', 'payment_method_options', 'receipt_email', 'shipping', 'source',
]); // biome-ignore format: a list of names

const TYPES = [
  'created', 'succeeded', 'processing', 'requires_action', 'payment_failed', 'canceled',
  'amount_capturable_updated', 'partially_funded',
]; // biome-ignore format: a list of names

const collection: Collection = {
  name: 'payment_intents',
  object: 'payment_intent',
  leftOut: LEFT_OUT,
  target: { tables: [paymentIntents] },
  events: TYPES.map((type) => `payment_intent.${type}`),
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
    amount_received: money(object, 'amount_received', currency),
    customer_id: refIfAny(object, 'customer'),
    latest_charge_id: refIfAny(object, 'latest_charge'),
    order_reference: orderReference(object),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, LEFT_OUT),
  };
  return { id, changedAt: sentAt, rows: { [paymentIntents.name]: [row] } };
}

export const paymentIntentsStream = defineStream({
  name: 'stripe.payment_intents',
  provider: 'stripe',
  scopes: ['rak_payment_intent_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
