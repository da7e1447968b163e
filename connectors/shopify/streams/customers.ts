/** Customers, without names or addresses: so that no approval for personal data is needed. */
import type { Item } from '#sql/load/table.ts';
import { recordTable, rest } from '../../kit/columns.ts';
import { type Fields, instant as instantOf } from '../../kit/fields.ts';
import { amount, currency, id, instant, integerText, textOrNull, within } from '../api/columns.ts';
import { idOf } from '../api/gid.ts';
import { bulkCustomers, customersById, customersCount, customersPage } from '../api/queries.ts';
import { collectionStream } from '../stream.ts';
import type { Collection } from '../sync/collection.ts';

export const customers = recordTable({
  name: 'raw.shopify_customers',
  key: ['id'],
  digested: true,
  personal: { of: [{ column: 'id', as: 'customer' }] },
  columns: {
    id,
    created_at: instant('createdAt'),
    state: textOrNull('state'),
    orders_count: integerText('numberOfOrders'),
    currency: within('amountSpent', currency('currencyCode')),
    amount_spent: within('amountSpent', amount('amount')),
    payload: rest(),
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
  const rows = { [customers.name]: [customers.rowOf(node)] };
  return { id: idOf(node), changedAt: instantOf(node, 'updatedAt'), rows };
}

export const customersStream = collectionStream({
  name: 'shopify.customers',
  scopes: ['read_customers'],
  target: collection.target,
  collectionFor: () => collection,
});
