/** A shop whose orders are exactly these objects: for what no sandbox would serve. */
import { syncStream } from '#tasks/sync_stream.ts';
import type { TestDb } from '../db/db.ts';
import { testKeyring } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import { type Asked, by, type FakeProvider, fakeProvider, file, json } from './provider.ts';
import { NOW } from './sandbox.ts';

export const ORDERS = 'shopify.orders';
export const SHOP_ACCOUNT = 'acme.myshopify.com';

export const accessAnswer = {
  shop: {
    id: 'gid://shopify/Shop/1',
    name: 'Acme',
    myshopifyDomain: SHOP_ACCOUNT,
    currencyCode: 'USD',
    ianaTimezone: 'UTC',
    createdAt: '2020-01-01T00:00:00Z',
  },
  currentAppInstallation: {
    accessScopes: ['read_orders', 'read_all_orders', 'read_customers', 'read_products'].map((handle) => ({
      handle,
    })),
  },
};

type Node = ReturnType<typeof node>;

/** As the file of a bulk operation, and in pages if not other ones. */
export async function shopServing(nodes: () => readonly Node[], inPages = nodes): Promise<FakeProvider> {
  const operation = { id: 'gid://shopify/BulkOperation/1', status: 'COMPLETED', errorCode: null };
  const answers: Record<string, () => object> = {
    Access: () => accessAnswer,
    OrdersCount: () => ({ count: { count: inPages().length, precision: 'EXACT' } }),
    OrdersPage: () => ({ page: { nodes: inPages(), pageInfo: { hasNextPage: false, endCursor: null } } }),
    BulkRun: () => ({ bulkOperationRunQuery: { bulkOperation: { id: operation.id }, userErrors: [] } }),
    BulkOperation: () => {
      const counts = { objectCount: nodes().flatMap(linesOf).length, rootObjectCount: nodes().length };
      return { bulkOperation: { ...operation, ...counts, url: `${provider.url}/result.jsonl` } };
    },
  };
  const provider = await fakeProvider(
    by(({ path, body }: Asked) =>
      path === '/result.jsonl'
        ? file(nodes().flatMap(linesOf).join(''))
        : json(deepJson({ data: answers[JSON.parse(body).operationName]?.() })),
    ),
  );
  return provider;
}

/** As a file has it: each line of the order behind it. */
function linesOf({ lineItems, agreements: _, ...order }: Node): string[] {
  const children = lineItems.nodes.map((line: object) => ({ ...line, __parentId: order.id }));
  return [order, ...children].map((line) => `${deepJson(line)}\n`);
}

/** Objects in each other, more than `JSON.stringify` can write: becomes them in `deepJson`. */
export const NESTED = 'nested 8000';

/** JSON of a value with what `NESTED` stands for. */
export function deepJson(value: unknown): string {
  return (JSON.stringify(value) ?? '').replaceAll(/"nested (\d+)"/g, (_, levels: string) => {
    return `${'{"a":'.repeat(Number(levels))}1${'}'.repeat(Number(levels))}`;
  });
}

export const money = (amount: unknown, currencyCode = 'USD') => ({
  shopMoney: { amount, currencyCode },
  presentmentMoney: { amount, currencyCode },
});
export const none = { nodes: [] as object[], pageInfo: { hasNextPage: false, endCursor: null } };
export const node = (id: number, more: Record<string, unknown> = {}) => ({
  ...{
    id: `gid://shopify/Order/${id}`,
    name: `#${id}`,
    test: false,
    currencyCode: 'USD',
    presentmentCurrencyCode: 'USD',
  },
  ...{
    createdAt: '2026-11-10T10:00:00Z',
    processedAt: '2026-11-10T10:00:00Z',
    updatedAt: '2026-11-10T10:00:00Z',
    cancelledAt: null,
  },
  ...{
    taxesIncluded: false,
    displayFinancialStatus: 'PAID',
    sourceName: 'web',
    discountCodes: [],
    customer: null,
  },
  ...{
    shippingAddress: null,
    billingAddress: null,
    customerJourneySummary: null,
    refunds: [],
    transactions: [],
  },
  ...{ totalPriceSet: money('10.0'), currentTotalPriceSet: money('10.0'), totalRefundedSet: money('0.0') },
  ...{ lineItems: none, agreements: none },
  ...more,
});

export async function syncNodes(
  db: TestDb,
  connection: { brandId: string; id: string },
  payload: object = { since: '2026-11-01T00:00:00Z' },
) {
  const which = {
    brandId: connection.brandId,
    connectionId: connection.id,
    stream: ORDERS,
    now: NOW,
    ...payload,
  };
  const tally = await runTask(syncStream, which, db, { services: testKeyring });
  return { incomplete: null, ...tally };
}
