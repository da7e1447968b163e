/**
 * Shopify and Stripe as far as syncs of what is new ask them, for any number of accounts that are all alike: a process
 * of its own, told its parent's wishes by messages. `{"at": seconds}` makes one order and one customer of each account
 * change at that second.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { BALANCE_MINOR, ORDERS, orderNode } from '../support/fleet_rows.ts';

type Answer = Record<string, unknown>;

/** Hours are played within seconds, so nobody is to wait for a bucket that fills. */
const COST = {
  ...{ requestedQueryCost: 20, actualQueryCost: 20 },
  throttleStatus: { maximumAvailable: 20_000, currentlyAvailable: 19_980, restoreRate: 1_000 },
};

let changedAt: number | undefined;
let requests = 0;

const server = createServer((request, response) => {
  requests++;
  void answer(request).then((body) => send(response, body));
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('message', ({ at }: { at?: number }) => {
  changedAt = at;
  process.send?.({ requests });
});
process.once('disconnect', () => process.exit());

async function answer(request: IncomingMessage): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://fleet');
  const [, provider, account = '', , path = '', id] = pathname.split('/');
  if (provider === 'shopify')
    return { data: shopify(account, JSON.parse(await text(request))), extensions: { cost: COST } };
  return stripe(path, id, searchParams);
}

function send(response: ServerResponse, body: Answer): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

type Asked = { operationName: string; query: string; variables: Record<string, string> };

function shopify(account: string, { operationName, query, variables }: Asked): Answer {
  const shop = {
    ...{ id: 'gid://shopify/Shop/1', name: account, myshopifyDomain: `${account}.myshopify.com` },
    ...{ currencyCode: 'GBP', ianaTimezone: 'Europe/London', taxesIncluded: false },
    ...{ createdAt: '2020-01-01T00:00:00Z', updatedAt: '2020-01-01T00:00:00Z' },
  };
  const scopes = ['read_orders', 'read_all_orders', 'read_customers', 'read_products', 'read_inventory'];
  if (operationName === 'Access')
    return { shop, currentAppInstallation: { accessScopes: scopes.map((handle) => ({ handle })) } };
  if (operationName === 'OrdersPage')
    return { page: { nodes: [orderNode(changedAt)], pageInfo: { hasNextPage: false, endCursor: null } } };
  const fields = [...query.matchAll(/(\w+): (\w+)\((?:first: \d+, )?query: \$(\w+)/g)].map(
    ([, alias = '', root = '', name = '']) => [alias, field(root, variables[name] ?? '')],
  );
  return { ...(operationName === 'Look' && { shop }), ...Object.fromEntries(fields) };
}

/** A list or a count. Of a filter since ever all is counted, of a window what changed in it. */
function field(root: string, filter: string): unknown {
  const [from = 0, to = 0] = [...filter.matchAll(/'([^']+)'/g)].map(
    ([, time = '']) => Date.parse(time) / 1000,
  );
  const isChanged =
    root.startsWith('orders') && changedAt !== undefined && changedAt >= from && changedAt <= to;
  const order = { id: 'gid://shopify/Order/1', updatedAt: new Date((changedAt ?? 0) * 1000).toISOString() };
  if (!root.endsWith('Count')) return { nodes: isChanged ? [order] : [], pageInfo: { hasNextPage: false } };
  const all = root.startsWith('orders') && filter.includes(">='2000") ? ORDERS : 0;
  return { count: all || Number(isChanged), precision: 'EXACT' };
}

function stripe(path: string, id: string | undefined, params: URLSearchParams): Answer {
  const customer = {
    id: 'cus_1',
    object: 'customer',
    livemode: false,
    created: 1_600_000_000,
    balance: changedAt ?? 0,
  };
  if (path === 'balance') {
    const available = [{ currency: 'gbp', amount: BALANCE_MINOR }];
    return { object: 'balance', livemode: false, available, pending: [] };
  }
  if (id !== undefined) return { ...customer, id };
  const isListed =
    path === 'events' &&
    changedAt !== undefined &&
    changedAt >= Number(params.get('created[gte]')) &&
    changedAt < Number(params.get('created[lt]'));
  const event = {
    id: `evt_${changedAt}`,
    object: 'event',
    type: 'customer.updated',
    created: changedAt,
    livemode: false,
  };
  const data = isListed
    ? [{ ...event, data: { object: customer, previous_attributes: { balance: 0 } } }]
    : [];
  return { object: 'list', has_more: false, data };
}
