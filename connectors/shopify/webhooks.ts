/**
 * Subscriptions of the app in a shop: one for each topic. Their API version is that of the app, and the topics of the
 * law are named in its configuration file only. Shopify deletes one after eight failures in a row.
 * https://shopify.dev/docs/api/admin-graphql/latest/mutations/webhookSubscriptionCreate
 */
import { z } from 'zod';
import { quote } from '#runtime/scrub.ts';
import { RequestRefused } from '../kit/errors.ts';
import type { RequestContext } from '../kit/provider.ts';
import type { Subscribing, Subscription } from '../kit/subscriptions.ts';
import { PROVIDER } from './api/answers.ts';
import { openShopify, type Variables } from './api/client.ts';
import { API_VERSION, type Query } from './api/queries.ts';
import { webhookCreate, webhookDelete, webhookSubscriptions, webhookUpdate } from './api/webhook_queries.ts';

/**
 * What the streams take as hints, with the scope that each needs. An order is updated by whatever concerns it, so topics
 * of its parts would only repeat that; a product is by its stock.
 */
const TOPICS: readonly (readonly [topic: string, scope?: string])[] = [
  ...(['ORDERS_CREATE', 'ORDERS_UPDATED', 'ORDERS_EDITED', 'ORDERS_DELETE'] as const).map(
    (topic) => [topic, 'read_orders'] as const,
  ),
  ['REFUNDS_CREATE', 'read_orders'],
  ['ORDER_TRANSACTIONS_CREATE', 'read_orders'],
  ['PRODUCTS_CREATE', 'read_products'],
  ['PRODUCTS_UPDATE', 'read_products'],
  ['PRODUCTS_DELETE', 'read_products'],
  ['INVENTORY_ITEMS_UPDATE', 'read_inventory'],
  ['CUSTOMERS_CREATE', 'read_customers'],
  ['CUSTOMERS_UPDATE', 'read_customers'],
  ['CUSTOMERS_DELETE', 'read_customers'],
  ['CUSTOMERS_MERGE', 'read_customer_merge'],
  ['SHOP_UPDATE'],
  ['APP_UNINSTALLED'],
];
const PAGES_MAX = 10;

const OF_THE_LAW =
  'customers/data_request, customers/redact and shop/redact cannot be subscribed to: name the address in the configuration file of the app (compliance_topics)';

const listSchema = z.object({
  currentAppInstallation: z.object({ accessScopes: z.array(z.object({ handle: z.string() })) }),
  webhookSubscriptions: z.object({
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
    nodes: z.array(
      z.object({
        ...{ id: z.string(), topic: z.string(), uri: z.string() },
        apiVersion: z.object({ handle: z.string() }),
      }),
    ),
  }),
});
const changeSchema = z.object({
  done: z.object({
    webhookSubscription: z.object({ id: z.string() }).nullish(),
    userErrors: z.array(z.object({ message: z.string() })),
  }),
});

export const webhooks: Subscribing = {
  secrets: 'app',
  async list(context) {
    const { subscriptions, scopes } = await listAll(context);
    const may = (scope: string | undefined) =>
      scope === undefined || scopes.has(scope) || scopes.has(scope.replace(/^read_/, 'write_'));
    const wanted = TOPICS.filter(([, scope]) => may(scope)).map(([topic]) => topic);
    const lacking = TOPICS.filter(([, scope]) => !may(scope));
    return {
      subscriptions,
      wanted: wanted.map((topic) => ({ topics: [topic], version: API_VERSION })),
      notes: [
        OF_THE_LAW,
        ...lacking.map(([topic, scope]) => `${topic} needs ${scope}, which is not granted`),
      ],
    };
  },
  async register(context, { topics: [topic = ''], url }) {
    const done = await change(context, webhookCreate, { topic, uri: url });
    return { id: String(done.webhookSubscription?.id) };
  },
  async change(context, id, { url }) {
    await change(context, webhookUpdate, { id, uri: url });
  },
  async remove(context, { id }) {
    await change(context, webhookDelete, { id });
  },
};

async function listAll(
  context: RequestContext,
): Promise<{ subscriptions: Subscription[]; scopes: ReadonlySet<string> }> {
  const shopify = openShopify(context);
  const subscriptions: Subscription[] = [];
  const scopes = new Set<string>();
  let after: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const found: z.output<typeof listSchema> = await shopify.ask(webhookSubscriptions, { after }, listSchema);
    for (const { handle } of found.currentAppInstallation.accessScopes) scopes.add(handle);
    const { nodes, pageInfo } = found.webhookSubscriptions;
    for (const { id, topic, uri, apiVersion } of nodes)
      subscriptions.push({ id, topics: [topic], url: uri, isEnabled: true, version: apiVersion.handle });
    after = pageInfo.endCursor;
    if (!pageInfo.hasNextPage || after === null) break;
  }
  return { subscriptions, scopes };
}

/** Once: whether it was done although its answer was lost, the next list shows. */
async function change(context: RequestContext, query: Query, variables: Variables) {
  const { done } = await openShopify(context).ask(query, variables, changeSchema, 1);
  const [refusal] = done.userErrors;
  if (refusal) throw new RequestRefused(PROVIDER, query.name, quote(refusal.message));
  return done;
}
