/** Customers, without names or addresses: nothing here needs the approval for personal data. */
import { type Item, table } from '#sql/load/table.ts';
import {
  amount,
  currency,
  type Fields,
  instant,
  integerText,
  object,
  payloadOf,
  textOrNull,
  under,
} from '../../kit/fields.ts';
import { idOf } from '../api/gid.ts';
import { bulkCustomers, customersById, customersCount, customersPage } from '../api/queries.ts';
import { collectionStream } from '../stream.ts';
import type { Collection } from '../sync/collection.ts';

export const customers = table({
  name: 'raw.shopify_customers',
  key: ['id'],
  digested: true,
  columns: {
    id: 'text',
    created_at: 'timestamptz',
    state: 'text',
    orders_count: 'integer',
    currency: 'text',
    amount_spent: 'numeric',
    payload: 'jsonb',
  },
});

const collection: Collection = {
  name: 'customers',
  target: { tables: [customers] },
  page: customersPage,
  count: customersCount,
  byIds: customersById,
  type: 'Customer',
  pageSize: 250,
  bulk: bulkCustomers,
  createdFilter: 'customer_date',
  filtersWholeDays: true,
  shape: [],
  complete: async (_, node) => ({ ...node }),
  toItem,
};

export function toItem(node: Fields): Item {
  const id = idOf(node);
  const spent = object(node, 'amountSpent');
  const row = {
    id,
    created_at: instant(node, 'createdAt'),
    state: textOrNull(node, 'state'),
    orders_count: integerText(node, 'numberOfOrders'),
    currency: under('amountSpent', () => currency(spent, 'currencyCode')),
    amount_spent: under('amountSpent', () => amount(spent, 'amount')),
    payload: payloadOf(node, new Set()),
  };
  return { id, changedAt: instant(node, 'updatedAt'), rows: { [customers.name]: [row] } };
}

export const customersStream = collectionStream({
  name: 'shopify.customers',
  scopes: ['read_customers'],
  target: collection.target,
  collectionFor: () => collection,
});
