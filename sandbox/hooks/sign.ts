/** The headers of a delivery, signed as each provider signs. */
import { randomUUID, sign as signBytes } from 'node:crypto';
import { API_VERSION } from '../shopify/graphql/schema.ts';
import { topicName } from '../shopify/graphql/webhook_subscriptions.ts';
import { type Hook, hmac } from './hooks.ts';
import type { Message } from './message.ts';

export type Signing = {
  hook: Hook;
  message: Message;
  /** Of Shopify the secret of the app, of Ayrshare those of the profile. */
  secrets: readonly string[];
  /** Seconds of the real clock, which receivers compare with theirs. */
  seconds: number;
  attempt: number;
};

export function headersOf(signing: Signing): Record<string, string> {
  return { 'content-type': 'application/json', ...SIGNED[signing.hook.provider](signing) };
}

const SIGNED: Record<Hook['provider'], (signing: Signing) => Record<string, string>> = {
  shopify: ({ hook, message, secrets: [secret = ''] }) => ({
    'x-shopify-hmac-sha256': hmac(secret, message.body).toString('base64'),
    'x-shopify-topic': topicName(message.topic),
    'x-shopify-shop-domain': `${hook.account}.myshopify.com`,
    'x-shopify-api-version': API_VERSION,
    'x-shopify-webhook-id': `${message.id}-${hook.id.split('/').at(-1)}`,
    'x-shopify-event-id': message.id,
    'x-shopify-triggered-at': new Date().toISOString(),
  }),
  stripe: ({ hook, message, seconds }) => {
    const signature = hmac(hook.secret ?? '', `${seconds}.${message.body}`).toString('hex');
    return { 'stripe-signature': `t=${seconds},v1=${signature}` };
  },
  sendgrid: ({ hook, message, seconds }): Record<string, string> => {
    if (!hook.keys) return {};
    const signature = signBytes('sha256', Buffer.from(`${seconds}${message.body}`), hook.keys.privateKey);
    return {
      'x-twilio-email-event-webhook-signature': signature.toString('base64'),
      'x-twilio-email-event-webhook-timestamp': String(seconds),
    };
  },
  ayrshare: ({ message, secrets, seconds, attempt }) => {
    const all = (secrets.length === 0 ? [''] : secrets).map((one) => hmac(one, message.body).toString('hex'));
    return {
      'x-authorization-timestamp': String(seconds),
      'x-authorization-content-sha256': all[0] ?? '',
      'x-authorization-content-sha256-v2': all.map((signature) => `v1=${signature}`).join(','),
      'x-ayrshare-delivery-id': randomUUID(),
      'x-ayrshare-delivery-attempt': String(attempt),
    };
  },
};
