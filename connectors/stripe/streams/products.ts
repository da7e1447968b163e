/** Products: what prices are for. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { instantAt } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const products = table({
  name: 'raw.stripe_products',
  key: ['id'],
  observed: true,
  columns: { id: 'text', name: 'text', active: 'boolean', created_at: 'timestamptz', payload: 'jsonb' },
});

const collection: Collection = {
  name: 'products',
  object: 'product',
  target: { tables: [products] },
  canVanish: true,
  events: ['product.created', 'product.updated', 'product.deleted'],
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const row = {
    id,
    name: text(object, 'name'),
    active: flag(object, 'active'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, NOTHING),
  };
  return { id, changedAt: sentAt, rows: { [products.name]: [row] } };
}

const NOTHING: ReadonlySet<string> = new Set();

export const productsStream = defineStream({
  name: 'stripe.products',
  provider: 'stripe',
  scopes: ['rak_product_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
