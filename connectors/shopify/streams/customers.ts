/**
 * Customers, without names or addresses: so that no approval for personal data is needed. Where the connection reads persons,
 * also whether they have agreed to mail.
 */
import type { Item } from '#sql/load/table.ts';
import { recordTable, rest } from '../../kit/columns.ts';
import { type Fields, instant as instantOf } from '../../kit/fields.ts';
import { amount, currency, id, instant, integerText, textOrNull, within } from '../api/columns.ts';
import { idOf } from '../api/gid.ts';
import { bulkCustomers, customersById, customersCount, customersPage } from '../api/queries.ts';
import { collectionStream } from '../stream.ts';
import type { Collection } from '../sync/collection.ts';

const CONSENT = ['marketingState', 'marketingOptInLevel', 'marketingUpdatedAt'];

export const customers = recordTable({
  name: 'raw.shopify_customers',
  key: ['id'],
  digested: true,
  personal: {
    of: [{ column: 'id', as: 'customer' }],
    keeps: CONSENT.map((field) => `defaultEmailAddress.${field}`),
  },
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

const target = { tables: [customers] };

const collection = (consent: boolean): Collection => ({
  name: 'customers',
  target,
  page: customersPage(consent),
  count: customersCount,
  byIds: customersById(consent),
  type: 'Customer',
  pageSize: 250,
  bulk: bulkCustomers(consent),
  changedFilter: 'updated_at',
  createdFilter: 'customer_date',
  filtersWholeDays: true,
  shape: [],
  complete: async (_, node) => ({ ...node }),
  toItem,
});

export function toItem(node: Fields): Item {
  const rows = { [customers.name]: [customers.rowOf(node)] };
  return { id: idOf(node), changedAt: instantOf(node, 'updatedAt'), rows };
}

export const customersStream = collectionStream({
  name: 'shopify.customers',
  scopes: ['read_customers'],
  target,
  collectionFor: ({ personOf }) => collection(personOf !== undefined),
});
