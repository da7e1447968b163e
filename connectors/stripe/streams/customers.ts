/** Customers, without names or addresses: nothing here needs to know who somebody is. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { currencyIfAny, instantAt, moneyOrNull, refTold } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const customers = table({
  name: 'raw.stripe_customers',
  key: ['id'],
  digested: true,
  observed: true,
  columns: {
    id: 'text',
    currency: 'text',
    balance: 'numeric',
    delinquent: 'boolean',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const LEFT_OUT = new Set([
  'address', 'business_name', 'cash_balance', 'description', 'email', 'individual_name', 'name', 'phone',
  'shipping', 'sources', 'subscriptions', 'tax_ids',
]); // biome-ignore format: a list of names

const collection: Collection = {
  name: 'customers',
  object: 'customer',
  leftOut: LEFT_OUT,
  target: { tables: [customers] },
  canVanish: true,
  events: [
    ...['created', 'updated', 'deleted'].map((type) => `customer.${type}`),
    ...['created', 'updated', 'deleted'].map((type) => `customer.discount.${type}`),
  ],
  toldBy: (other) => ({ id: refTold(other, 'customer') }),
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyIfAny(object);
  const row = {
    id,
    currency,
    balance: currency === null ? null : moneyOrNull(object, 'balance', currency),
    delinquent: typeof object.delinquent === 'boolean' ? object.delinquent : null,
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, LEFT_OUT),
  };
  return { id, changedAt: sentAt, rows: { [customers.name]: [row] } };
}

export const customersStream = defineStream({
  name: 'stripe.customers',
  provider: 'stripe',
  scopes: ['rak_customer_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
