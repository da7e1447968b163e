/**
 * Webhooks of a profile: one secret signs all its actions. While it is replaced, both sign for a day. No delivery has
 * figures: what it says of accounts and posts is read. https://www.ayrshare.com/docs/apis/webhooks/overview
 */
import { quote } from '#runtime/scrub.ts';
import { isObject } from '../kit/fields.ts';
import { type Delivery, digestOf, exactJson, hmac, isSame, type Webhook } from '../kit/webhook.ts';

const MB = 1024 * 1024;
const FIRST = 'x-authorization-content-sha256';
const BOTH = 'x-authorization-content-sha256-v2';
const SIGNATURES_MAX = 20;

export const webhook: Webhook = {
  bytesMax: 2 * MB,
  headers: [
    FIRST,
    BOTH,
    'x-authorization-timestamp',
    'x-ayrshare-delivery-id',
    'x-ayrshare-delivery-attempt',
  ],
  isSigned(delivery, secrets) {
    const given = signaturesIn(delivery);
    const wanted = secrets.map((secret) => hmac(secret, delivery.body));
    return wanted.filter((one) => given.some((signature) => isSame(one, signature))).length > 0;
  },
  read(delivery) {
    const body = exactJson(delivery.body);
    const { action, hookId } = isObject(body) ? body : {};
    // The id that is signed; the one in the headers is not.
    const id = typeof hookId === 'string' && hookId !== '' ? hookId : digestOf(delivery);
    const stream = HINTS[String(action)];
    const hints = stream === undefined ? [] : [{ stream }];
    return { id, topic: quote(String(action ?? 'unknown'), 200), hints };
  },
};

/** Which stream reads what an action tells of; a suspended profile is held by the answer to that. */
const HINTS: Readonly<Record<string, string>> = {
  social: 'ayrshare.user',
  scheduled: 'ayrshare.sent_posts',
  suspended: 'ayrshare.user',
};

function signaturesIn({ headers }: Delivery): Buffer[] {
  const both = (headers[BOTH] ?? '').split(',', SIGNATURES_MAX).map((part) => part.trim());
  const texts = both.flatMap((part) => (part.startsWith('v1=') ? [part.slice(3)] : []));
  const all = headers[BOTH] === undefined ? [headers[FIRST] ?? ''] : texts;
  return all.map((hex) => Buffer.from(hex, 'hex'));
}
