/** Subscriptions of the app in a shop: one for each topic and address. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Hook, type Hooks, isDeliverable } from '../../hooks/hooks.ts';
import type { Plain } from '../../plain.ts';
import { toStamp } from '../../zone.ts';
import { gid, type Shop } from '../shop.ts';
import type { Args } from './fields.ts';
import { API_VERSION } from './schema.ts';

type Topics = Record<string, { topic: string; scopes: string[] }>;

const { webhookTopics } = JSON.parse(
  gunzipSync(readFileSync(new URL('./admin-2026-10-access.json.gz', import.meta.url))).toString('utf8'),
) as { webhookTopics: Topics };

export type Subscribed = { shop: Shop; hooks: Hooks; now: number };

/** `orders/create` for `ORDERS_CREATE`. */
export function topicName(topic: string): string {
  return webhookTopics[topic]?.topic ?? topic.toLowerCase();
}

/** The oldest first. */
export function subscriptionsOf({ shop, hooks }: Subscribed): Plain[] {
  return hooks.list('shopify', shop.name).map(shown);
}

/** Undefined for a mutation that does not concern them. */
export function changeSubscription(name: string, args: Args, where: Subscribed): Plain | undefined {
  switch (name) {
    case 'webhookSubscriptionCreate':
      return create(args, where);
    case 'webhookSubscriptionUpdate':
      return update(args, where);
    case 'webhookSubscriptionDelete':
      return remove(args, where);
    default:
      return undefined;
  }
}

function create(args: Args, where: Subscribed): Plain {
  const { shop, hooks, now } = where;
  const topic = String(args.topic);
  const uri = uriOf(args);
  const scopes = webhookTopics[topic]?.scopes ?? [];
  const may = (scope: string) =>
    shop.scopes.includes(scope) || shop.scopes.includes(scope.replace(/^read_/, 'write_'));
  if (scopes.length > 0 && !scopes.some(may))
    return refused(
      ['topic'],
      `You do not have permission to create or update webhooks with ${topicName(topic)} topic. This topic usually requires one of the following scopes: ${scopes.join(', ')}`,
    );
  const problem = problemOf(uri, topic, where);
  if (problem !== undefined) return refused(['webhookSubscription', 'uri'], problem);
  const hook: Hook = {
    ...{ id: gid('WebhookSubscription', 1000 + hooks.next()), provider: 'shopify', account: shop.name },
    ...{ topics: [topic], url: uri, enabled: true, createdAt: new Date(now), more: {} },
  };
  return { webhookSubscription: shown(hooks.put(hook)), userErrors: [] };
}

function update(args: Args, where: Subscribed): Plain {
  const hook = where.hooks.find('shopify', where.shop.name, String(args.id));
  if (!hook) return refused(['id'], 'Webhook subscription does not exist');
  const uri = uriOf(args) || hook.url;
  const problem = uri === hook.url ? undefined : problemOf(uri, hook.topics[0] ?? '', where);
  if (problem !== undefined) return refused(['webhookSubscription', 'uri'], problem);
  return { webhookSubscription: shown(where.hooks.put({ ...hook, url: uri })), userErrors: [] };
}

function remove(args: Args, { shop, hooks }: Subscribed): Plain {
  const hook = hooks.find('shopify', shop.name, String(args.id));
  if (!hook)
    return { deletedWebhookSubscriptionId: null, ...errors(['id'], 'Webhook subscription does not exist') };
  hooks.remove(hook);
  return { deletedWebhookSubscriptionId: hook.id, userErrors: [] };
}

function uriOf({ webhookSubscription }: Args): string {
  const given = webhookSubscription as { uri?: unknown; callbackUrl?: unknown };
  return String(given.uri ?? given.callbackUrl ?? '');
}

function problemOf(uri: string, topic: string, { shop, hooks }: Subscribed): string | undefined {
  if (!isDeliverable(uri)) return 'Address is invalid';
  const isTaken = hooks.list('shopify', shop.name).some((one) => one.url === uri && one.topics[0] === topic);
  return isTaken ? 'Address for this topic has already been taken' : undefined;
}

const errors = (field: string[], message: string) => ({ userErrors: [{ field, message }] });
const refused = (field: string[], message: string): Plain => ({
  webhookSubscription: null,
  ...errors(field, message),
});

function shown({ id, topics, url, createdAt }: Hook): Plain {
  const stamp = toStamp(createdAt.getTime());
  return {
    ...{ id, legacyResourceId: id.split('/').at(-1), topic: topics[0], uri: url, callbackUrl: url },
    ...{
      format: 'JSON',
      includeFields: [],
      metafieldNamespaces: [],
      metafields: [],
      filter: null,
      name: null,
    },
    ...{ createdAt: stamp, updatedAt: stamp },
    apiVersion: { handle: API_VERSION, displayName: API_VERSION, supported: true },
  };
}
