/** `POST /_sandbox/deliver`: a delivery that somebody asks for, with data or without. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { BadRequest } from '../http.ts';
import type { Draft } from '../ndjson.ts';
import type { World } from '../shopify/shop.ts';
import { actionOf, batchesOf, shopMessage } from './changes.ts';
import type { Message } from './message.ts';
import type { Sender } from './sender.ts';

const shape = z
  .strictObject({
    provider: z.enum(['shopify', 'stripe', 'sendgrid', 'ayrshare']),
    account: z.string().min(1),
    /** Shopify: `ORDERS_UPDATED`; Stripe: `charge.refunded`; Ayrshare: the action. SendGrid has none. */
    topic: z.string().optional(),
    /** The object that it is about; of SendGrid the list of events. Absent: all that was told so far, again. */
    body: z.union([z.record(z.string(), z.unknown()), z.array(z.record(z.string(), z.unknown()))]).optional(),
    times: z.int().min(1).max(100).default(1),
    shuffle: z.boolean().default(false),
    senders: z.int().min(1).max(8).default(8),
  })
  .refine(
    ({ provider, topic, body }) => body === undefined || provider === 'sendgrid' || topic !== undefined,
    '"body" needs a "topic"',
  );

export function deliver(input: unknown, sender: Sender, world: World): { deliveries: number } {
  const { provider, account, topic = '', body, ...sending } = shape.parse(input);
  assertServed(provider, account, world);
  const messages =
    body === undefined ? sender.told(provider, account) : messagesOf(provider, account, topic, body);
  return { deliveries: sender.send(messages, sending) };
}

function messagesOf(
  provider: Message['provider'],
  account: string,
  topic: string,
  body: Draft | Draft[],
): Message[] {
  if (Array.isArray(body) !== (provider === 'sendgrid'))
    throw new BadRequest('"body" is a list of events for SendGrid, and one object for all others');
  if (Array.isArray(body)) return batchesOf(account, body);
  switch (provider) {
    case 'shopify':
      // As it stands; an object of the API gets the shape of a delivery.
      return 'admin_graphql_api_id' in body || !String(body.id).startsWith('gid://')
        ? [{ provider, account, topic, id: randomUUID(), body: JSON.stringify(body) }]
        : [shopMessage(account, topic, body)];
    case 'stripe': {
      const id = `evt_${randomUUID().replaceAll('-', '')}`;
      const created = Math.floor(Date.now() / 1000);
      const event = { id, object: 'event', type: topic, created, livemode: false, data: { object: body } };
      return [{ provider, account, topic, id, body: JSON.stringify(event) }];
    }
    default:
      return [actionOf(account, topic, body)];
  }
}

function assertServed(provider: Message['provider'], account: string, world: World): void {
  const names =
    provider === 'shopify'
      ? world.shops.keys()
      : provider === 'stripe'
        ? world.stripe.keys()
        : (world.tables.get(provider)?.keys() ?? []);
  const served = [...names];
  if (!served.includes(account))
    throw new BadRequest(`nobody is called "${account}" here, only ${served.join(', ') || 'nobody at all'}`);
}
