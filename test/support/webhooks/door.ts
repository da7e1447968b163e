/** The web server in this process, and connections with a secret that may deliver to it. */
import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { addSecret } from '#sql/webhooks/secrets.ts';
import { startWeb, type WebOptions } from '#workers/web/web.ts';
import type { TestDb } from '../db/db.ts';
import { testKeyring, testSealer } from '../rows/factory.ts';
import { quiet } from '../run.ts';

const free = { host: '127.0.0.1', port: 0 };

export function aDoor(db: TestDb, options: Partial<WebOptions> = {}) {
  return startWeb({
    url: db.url,
    log: quiet,
    services: testKeyring,
    public: free,
    metrics: free,
    ...options,
  });
}

export type Which = { brandId: string; connectionId: string };

export async function giveSecret(db: TestDb, which: Which, secret: string, only = false): Promise<void> {
  await db.transaction((tx) => addSecret(tx, testSealer, { ...which, name: 'test', secret, only }));
}

export async function send(
  { url }: { url: string },
  provider: string,
  connectionId: string,
  { headers, body }: { headers: Record<string, string>; body: string | Buffer },
): Promise<number> {
  const answer = await fetch(`${url}/webhooks/${provider}/${connectionId}`, {
    method: 'POST',
    headers,
    body,
  });
  await answer.body?.cancel();
  return answer.status;
}

export const APP_SECRET = 'hush';
export const ENDPOINT_SECRET = 'whsec_test';

let webhookIds = 0;

/** A delivery of Shopify, signed as its documentation says. */
export function fromShopify(
  topic: string,
  body: string,
  {
    secret = APP_SECRET,
    id = `wh-${webhookIds++}`,
    shop,
  }: { secret?: string; id?: string; shop?: string } = {},
) {
  const signature = createHmac('sha256', secret).update(body).digest('base64');
  const headers = {
    'x-shopify-hmac-sha256': signature,
    'x-shopify-topic': topic,
    'x-shopify-webhook-id': id,
    ...(shop !== undefined && { 'x-shopify-shop-domain': shop }),
  };
  return { headers, body };
}

let events = 0;

/** A delivery of Stripe, signed by its own code. */
export function fromStripe(
  type: string,
  object: object,
  { secret = ENDPOINT_SECRET, at = Math.floor(Date.now() / 1000), id = `evt_${events++}` } = {},
) {
  const body = JSON.stringify({ id, object: 'event', type, created: at, data: { object } });
  const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: at });
  return { headers: { 'stripe-signature': header }, body };
}
