/** Payment intents: intended payments of buyers, with any number of charges. */
import { column } from '../../kit/columns.ts';
import { orderReference } from '../api/coerce.ts';
import { currency, instant, money, refIfAny, text } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

const TYPES = [
  'created', 'succeeded', 'processing', 'requires_action', 'payment_failed', 'canceled',
  'amount_capturable_updated', 'partially_funded',
]; // biome-ignore format: a list of names

export const paymentIntentsStream = stripeStream({
  name: 'payment_intents',
  object: 'payment_intent',
  personal: { of: [{ column: 'customer_id', as: 'customer' }] },
  scopes: ['rak_payment_intent_read', 'rak_event_read'],
  digested: true,
  // The client secret lets its holder pay; the rest is personal data.
  leftOut: new Set([
    'client_secret', 'last_payment_error', 'next_action', 'payment_method_options', 'receipt_email', 'shipping', 'source',
  ]), // biome-ignore format: a list of names
  events: TYPES.map((type) => `payment_intent.${type}`),
  columns: {
    status: text('status'),
    currency: currency('currency'),
    amount: money('amount'),
    amount_received: money('amount_received'),
    customer_id: refIfAny('customer'),
    latest_charge_id: refIfAny('latest_charge'),
    order_reference: column('text', orderReference, { indexed: true }),
    created_at: instant('created'),
  },
});

export const { table: paymentIntents } = paymentIntentsStream;
