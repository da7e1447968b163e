/**
 * Deleted objects. A deleted order never appears in a window of changes; Shopify reports it in its events, which it
 * keeps for a year.
 */

import type { Deletion } from '#sql/load/table.ts';
import { defineStream } from '../../kit/define_stream.ts';
import { type Fields, instant, text } from '../../kit/fields.ts';
import { rejectionOf } from '../../kit/records.ts';
import type { Page, Rejection, StreamContext, Target } from '../../kit/stream.ts';
import { syncPages } from '../../kit/sync.ts';
import { parseState } from '../../kit/sync_run.ts';
import { type Access, hiddenOrders } from '../api/access.ts';
import { idOf } from '../api/gid.ts';
import { eventsCount, eventsPage, ordersCount, productsCount } from '../api/queries.ts';
import { firstOrders } from '../invalidations.ts';
import { customers } from '../streams/customers.ts';
import { orderTables } from '../streams/order_tables.ts';
import { productTables } from '../streams/product_rows.ts';
import { SET_ASIDE } from './collection.ts';
import type { Content, Feed } from './feed.ts';
import { readIncrement, resyncWindow, wantedOfChanges } from './incremental.ts';
import type { ShopifyStream } from './look.ts';
import { type Kind, missingObjectPages, wantedOfKind } from './missing_objects.ts';
import { needsBackfill } from './sync.ts';
import { openRun, type ShopifyRun } from './sync_run.ts';
import { positionSchema } from './sync_state.ts';

const EVENTS_KEPT_MS = 365 * 24 * 60 * 60_000;

type Subject = Target & { stream: string };

const orders: Subject = { stream: 'shopify.orders', tables: orderTables, dependents: [firstOrders] };
const products: Subject = { stream: 'shopify.products', tables: productTables };
const subjects: Readonly<Record<string, Subject>> = {
  ORDER: orders,
  PRODUCT: products,
  CUSTOMER: { stream: 'shopify.customers', tables: [customers] },
};

/** Collections that are also checked for deletions without an event. No figure uses customers. */
const counted: readonly Kind[] = [
  { name: 'orders', type: 'Order', count: ordersCount, changedFilter: 'updated_at', target: orders },
  { name: 'products', type: 'Product', count: productsCount, changedFilter: 'updated_at', target: products },
];

const feed: Feed = {
  name: 'events',
  page: eventsPage,
  count: eventsCount,
  pageSize: 250,
  filterField: 'created_at',
  instantField: 'createdAt',
  terms: 'action:destroy',
  contents: async (_, nodes) => contentsOf(nodes),
};

/** A page of events goes into several tables; its last part carries the position. */
function contentsOf(nodes: readonly Fields[]): Content[] {
  const deletions = new Map<string, Deletion[]>(Object.keys(subjects).map((subject) => [subject, []]));
  const rejected: Rejection[] = [];
  for (const node of nodes) {
    try {
      const list = deletions.get(String(node.subjectType));
      if (text(node, 'action') === 'destroy')
        list?.push({ id: idOf(node, 'subjectId'), deletedAt: instant(node, 'createdAt') });
    } catch (error) {
      rejected.push(rejectionOf(node, error, SET_ASIDE));
    }
  }
  const filled = [...deletions].filter(([, list]) => list.length > 0);
  const parts = filled.map(([subject, list]) => ({
    items: [],
    rejected: [],
    deletions: list,
    target: subjects[subject],
  }));
  return [...parts, { items: [], rejected }];
}

const needs = {
  name: 'shopify.deletions',
  scopes: ['read_orders', 'read_products', 'read_customers'],
} as const;

export const deletionsStream: ShopifyStream = {
  ...defineStream({
    ...needs,
    provider: 'shopify',
    tables: orderTables,
    feeds: ['sales', 'product_sales', 'rankings', 'customers'],
    pages,
    needsBackfill,
  }),
  wants: (position, { access, end, now }) => [
    ...wantedOfChanges(parseState(positionSchema, position), feed, end),
    ...kindsIn(access, now).flatMap((kind) => wantedOfKind(kind, end)),
  ],
};

async function* pages(context: StreamContext): AsyncGenerator<Page> {
  const run = await openRun(context, needs);
  const { changesTo, window } = run.position;
  const isFirst = changesTo === undefined || (context.full && !window);
  if (isFirst) run.position = { changesTo: new Date(context.now().getTime() - EVENTS_KEPT_MS) };
  yield* syncPages(run, {
    resync: ({ since, until }) => resyncWindow(run, feed, since, until),
    increment: () => readIncrement(run, feed),
    verify: () => missingObjects(run),
  });
}

async function* missingObjects(run: ShopifyRun): AsyncGenerator<Page> {
  for (const kind of kindsIn(run.access, run.context.now())) yield* missingObjectPages(run, kind, feed);
}

/** The counts of collections that the key can see completely. */
function kindsIn(access: Access, now: Date): readonly Kind[] {
  const isHidden = hiddenOrders(access, now) !== undefined;
  return counted.filter(({ type }) => type !== 'Order' || !isHidden);
}
