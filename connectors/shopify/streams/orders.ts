/** Orders with everything that belongs to them, each read and stored as one object. */

import type { PersonOf } from '#sql/tenants/persons.ts';
import { type Fields, isObject, text } from '../../kit/fields.ts';
import { paginate } from '../../kit/http/paginate.ts';
import { ALL_ORDERS, hiddenOrders } from '../api/access.ts';
import type { Shopify } from '../api/client.ts';
import {
  bulkOrders,
  journeysById,
  orderLedger,
  orderLines,
  ordersById,
  ordersCount,
  ordersPage,
} from '../api/queries.ts';
import { firstOrders } from '../invalidations.ts';
import { collectionStream } from '../stream.ts';
import { type Collection, connectionOf, type Node, type Unready } from '../sync/collection.ts';
import { childPage, completeList } from '../sync/nested_pages.ts';
import { orderItem } from './order_rows.ts';
import { orderTables } from './order_tables.ts';

const target = { tables: orderTables, dependents: [firstOrders] };

/** Visits appear some time after the order, and that may not move its `updatedAt`. Point-of-sale orders have no journey. */
const unready: Unready = {
  by: 'processed_at',
  where: { "payload #>> '{customerJourneySummary,ready}'": 'false' },
  query: journeysById,
  isReady: ({ customerJourneySummary: journey }) => isObject(journey) && journey.ready === true,
};

/** `personOf`: only where the connection reads persons. */
export const ordersCollection = (personOf?: PersonOf): Collection => ({
  name: 'orders',
  target,
  page: ordersPage(personOf !== undefined),
  count: ordersCount,
  byIds: ordersById(personOf !== undefined),
  type: 'Order',
  unready,
  pageSize: 50,
  bulk: bulkOrders(personOf !== undefined),
  changedFilter: 'updated_at',
  createdFilter: 'created_at',
  shape: [
    { list: 'lineItems', type: 'LineItem' },
    { list: 'agreements', children: [{ list: 'sales' }] },
  ],
  complete: async (shopify, node) => ({
    ...node,
    lineItems: await completeList(shopify, orderLines, node, 'lineItems'),
    agreements: await wholeLedger(shopify, node),
  }),
  toItem: (node) => orderItem(node, personOf),
});

export const ordersStream = collectionStream({
  name: 'shopify.orders',
  scopes: ['read_orders', 'read_customers', 'read_products'],
  scopesOptional: [ALL_ORDERS],
  feeds: ['sales', 'product_sales', 'campaigns', 'rankings', 'customers'],
  target,
  collectionFor: ({ personOf }) => ordersCollection(personOf),
  hidden: hiddenOrders,
});

/** The agreements with all their sales. An incomplete ledger is requested again from its start. */
async function wholeLedger(shopify: Shopify, node: Fields): Promise<Node[]> {
  const { nodes, next } = connectionOf(node, 'agreements');
  const parts = nodes.map((agreement) => ({ agreement, sales: connectionOf(agreement, 'sales') }));
  if (next === null && parts.every(({ sales }) => sales.next === null)) {
    return parts.map(({ agreement, sales }) => ({ ...agreement, sales: sales.nodes }));
  }
  const ledger: Node[] = [];
  const id = text(node, 'id');
  const agreements = paginate(async (after: string | null) => {
    const page = await childPage(shopify, orderLedger, { id, after, salesAfter: null });
    const items: Node[] = []; // the query returns one at a time
    for (const agreement of page.nodes) items.push(await wholeAgreement(shopify, id, after, agreement));
    return { items, next: page.next };
  });
  for await (const items of agreements) ledger.push(...items);
  return ledger;
}

/** An agreement has no id to query by: it is the first one behind the cursor `after`. */
async function wholeAgreement(
  shopify: Shopify,
  id: string,
  after: string | null,
  agreement: Fields,
): Promise<Node> {
  const first = connectionOf(agreement, 'sales');
  const sales = [...first.nodes];
  let { next } = first;
  while (next !== null) {
    const page = await childPage(shopify, orderLedger, { id, after, salesAfter: next });
    const further = connectionOf(page.nodes[0] ?? {}, 'sales');
    sales.push(...further.nodes);
    next = further.next === next ? null : further.next;
  }
  return { ...agreement, sales };
}
