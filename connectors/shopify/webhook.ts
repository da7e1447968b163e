/**
 * Webhooks of a shop. The key is the secret of the app; the signature covers the body alone, so nothing of the headers
 * is believed: which object changed is in the body. https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
 */
import { z } from 'zod';
import { quote } from '#runtime/scrub.ts';
import type { Fields } from '../kit/fields.ts';
import { isObject } from '../kit/fields.ts';
import { type Delivery, digestOf, exactJson, type Hint, hmac, isSame, type Webhook } from '../kit/webhook.ts';
import { privacyOf } from './privacy.ts';
import { LAG_MS } from './sync/sync_run.ts';

const MB = 1024 * 1024;
/** The newer product "events" sends its headers without `x-`. */
const PREFIXES = ['x-shopify-', 'shopify-'];
const NAMES = [
  'hmac-sha256',
  'topic',
  'shop-domain',
  'api-version',
  'webhook-id',
  'event-id',
  'triggered-at',
  'name',
  'handle',
  'action',
];
/** Changes are listed only after this time. */
const LISTED_AFTER_SECONDS = LAG_MS / 1000 + 5;

const appSchema = z.object({ client_secret: z.string().min(1) });

export const webhook: Webhook = {
  bytesMax: 10 * MB,
  headers: PREFIXES.flatMap((prefix) => NAMES.map((name) => `${prefix}${name}`)),
  isSigned(delivery, secrets) {
    const signature = Buffer.from(header(delivery, 'hmac-sha256') ?? '', 'base64');
    // Each secret is tried, so that the time does not tell which one fits.
    return secrets.filter((secret) => isSame(hmac(secret, delivery.body), signature)).length > 0;
  },
  read(delivery) {
    const topic = header(delivery, 'topic') ?? 'unknown';
    const body = exactJson(delivery.body);
    const signed = digestOf(delivery);
    // The digest stands beside the id, which is not signed: a forged id must not hide a real delivery.
    const id = `${(header(delivery, 'webhook-id') ?? '').slice(0, 100)}:${signed}`;
    const hints = isObject(body) ? hintsOf(topic, body) : [];
    const privacy = privacyOf(topic.toLowerCase(), body);
    // The secret is that of the app, and signs for all its shops.
    const account = privacy?.account ?? header(delivery, 'shop-domain');
    return { id, signed, topic: quote(topic, 200), hints, account, privacy };
  },
  ownSecrets({ auth, secret }) {
    if (auth === 'token') return [];
    const app = appSchema.safeParse(JSON.parse(secret));
    return app.success ? [app.data.client_secret] : [];
  },
};

function header({ headers }: Delivery, name: string): string | undefined {
  return PREFIXES.map((prefix) => headers[`${prefix}${name}`]).find((value) => value !== undefined);
}

/** Of a topic that nothing here follows there are none. */
function hintsOf(topic: string, body: Fields): Hint[] {
  const [kind = '', action = ''] = topic.toLowerCase().split('/');
  if (action === 'delete' && DELETED.has(kind)) return [deletions];
  switch (kind) {
    case 'orders':
      return orders(idIn(body, 'id') ?? idIn(body.order_edit, 'order_id'));
    case 'refunds':
    case 'order_transactions':
    case 'fulfillments':
    case 'returns':
      return orders(idIn(body, 'order_id') ?? idIn(body.order, 'id'));
    case 'products':
      return only('shopify.products', idIn(body, 'id'));
    case 'inventory_items':
    case 'inventory_levels':
      return [{ stream: 'shopify.products', afterSeconds: LISTED_AFTER_SECONDS }];
    case 'customers':
      if (action === 'redact' || action === 'data_request') return [];
      return [...only('shopify.customers', idIn(body, 'id')), ...(action === 'merge' ? [deletions] : [])];
    // What an uninstalled app still asks for is refused, which holds the connection with the true reason.
    case 'shop':
    case 'app':
      return action === 'redact' ? [] : [{ stream: 'shopify.shop' }];
    default:
      return [];
  }
}

const DELETED = new Set(['orders', 'products', 'customers']);
const deletions: Hint = { stream: 'shopify.deletions', afterSeconds: LISTED_AFTER_SECONDS };
const orders = (id: string | undefined) => only('shopify.orders', id);
const only = (stream: string, id: string | undefined): Hint[] => (id === undefined ? [] : [{ stream, id }]);

/** The number of an object: from its global id, which is text, else from the number as it stands in the body. */
function idIn(object: unknown, key: string): string | undefined {
  if (!isObject(object)) return undefined;
  const global = key === 'id' ? object.admin_graphql_api_id : object[`admin_graphql_api_${key}`];
  const named = typeof global === 'string' ? /\/(\d{1,30})$/.exec(global)?.[1] : undefined;
  const given = String(object[key] ?? '');
  return named ?? (/^\d{1,30}$/.test(given) ? given : undefined);
}
