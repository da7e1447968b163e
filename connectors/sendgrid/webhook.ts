/**
 * The Event Webhook: batches of events, signed with a key whose public half the account shows. The signature covers the
 * timestamp and the raw body, without a limit of age: a batch may be repeated for a day, and twice is once by the ids of
 * its events. https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
 */
import { createPublicKey, createVerify, type KeyObject } from 'node:crypto';
import { type Delivery, digestOf, type Webhook } from '../kit/webhook.ts';

const MB = 1024 * 1024;
const SIGNATURE = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP = 'x-twilio-email-event-webhook-timestamp';
const KEYS_MAX = 1_000;
const CURVE = 'prime256v1';

/** Parsing a key costs more than verifying with it. */
const keys = new Map<string, KeyObject | undefined>();

export const webhook: Webhook = {
  bytesMax: 5 * MB,
  headers: [SIGNATURE, TIMESTAMP],
  isSigned({ headers, body }, secrets) {
    const timestamp = headers[TIMESTAMP] ?? '';
    const signature = Buffer.from(headers[SIGNATURE] ?? '', 'base64');
    if (timestamp === '' || signature.length === 0) return false;
    return secrets.some((secret) => {
      const key = keyOf(secret);
      try {
        const signed = createVerify('sha256').update(timestamp).update(body);
        return key !== undefined && signed.verify({ key, dsaEncoding: 'der' }, signature);
      } catch {
        return false; // the signature has not even the form of one
      }
    });
  },
  read: (delivery: Delivery) => ({
    ...{ id: digestOf(delivery), topic: 'events', hints: [], rowsOf: 'sendgrid.events' },
  }),
  problemOf: (secret) =>
    keyOf(secret)
      ? undefined
      : 'the verification key of the Event Webhook is a public key on P-256 in base64',
};

function keyOf(secret: string): KeyObject | undefined {
  if (!keys.has(secret)) {
    if (keys.size >= KEYS_MAX) keys.clear();
    keys.set(secret, parsed(secret));
  }
  return keys.get(secret);
}

function parsed(secret: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(secret, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === CURVE ? key : undefined;
  } catch {
    return undefined;
  }
}
