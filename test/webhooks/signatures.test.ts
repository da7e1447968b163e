/** Each provider's signature, held against official code and published deliveries. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { expect, test } from 'vitest';
import { webhook as ayrshare } from '#connectors/ayrshare/webhook.ts';
import { providerOf } from '#connectors/providers.ts';
import { webhook as sendgrid } from '#connectors/sendgrid/webhook.ts';
import { webhook as shopify } from '#connectors/shopify/webhook.ts';
import { fromShopify, fromStripe } from '../support/webhooks/door.ts';

type Vectors = {
  sendgrid: {
    name: string;
    publicKey: string;
    signature: string;
    timestamp: string;
    bodyBase64: string;
    valid: boolean;
  }[];
  ayrshare: {
    name: string;
    body: string;
    secret: string;
    headers: Record<string, string>;
    rotation: { newSecret: string; headers: Record<string, string> };
  }[];
};

const vectors: Vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../data/webhook_vectors.json'), 'utf8'),
);
const now = new Date();
const SIGNATURE = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP = 'x-twilio-email-event-webhook-timestamp';
const lower = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

test.each(vectors.sendgrid)('SendGrid, $name', ({ publicKey, signature, timestamp, bodyBase64, valid }) => {
  const delivery = {
    headers: { [SIGNATURE]: signature, [TIMESTAMP]: timestamp },
    body: Buffer.from(bodyBase64, 'base64'),
  };
  expect(sendgrid.isSigned(delivery, [publicKey], now)).toBe(valid);
  expect(sendgrid.isSigned(delivery, ['no key', publicKey], now)).toBe(valid);
});

test('SendGrid: what we verify its own code verifies, with bytes that are no text, too', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const official = new EventWebhook();
  for (const body of [Buffer.from('[{"email":"ä@x"}]\r\n'), Buffer.from([0xff, 0, 0x80]), Buffer.alloc(0)]) {
    const timestamp = '1795222800';
    const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), body]), privateKey).toString(
      'base64',
    );
    const delivery = { headers: { [SIGNATURE]: signature, [TIMESTAMP]: timestamp }, body };
    // Its code takes bytes for text.
    const asText = body.toString();
    if (Buffer.from(asText).equals(body))
      expect(
        official.verifySignature(official.convertPublicKeyToECDSA(key), asText, signature, timestamp),
      ).toBe(true);
    expect(sendgrid.isSigned(delivery, [key], now)).toBe(true);
    expect(
      sendgrid.isSigned({ ...delivery, body: Buffer.concat([body, Buffer.from(' ')]) }, [key], now),
    ).toBe(false);
  }
  const other = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey;
  expect(sendgrid.problemOf?.(other.export({ format: 'der', type: 'spki' }).toString('base64'))).toContain(
    'P-256',
  );
  expect(sendgrid.problemOf?.(key)).toBeUndefined();
});

test.each(vectors.ayrshare)(
  'Ayrshare, $name: one secret, both while it is replaced',
  ({ body, secret, headers, rotation }) => {
    const delivery = { headers: lower(headers), body: Buffer.from(body) };
    expect(ayrshare.isSigned(delivery, [secret], now)).toBe(true);
    expect(ayrshare.isSigned(delivery, [rotation.newSecret], now)).toBe(false);
    const both = { headers: lower(rotation.headers), body: Buffer.from(body) };
    for (const one of [secret, rotation.newSecret])
      expect(ayrshare.isSigned(both, ['other', one], now)).toBe(true);
    expect(
      ayrshare.isSigned({ ...both, body: Buffer.from(`${body} `) }, [secret, rotation.newSecret], now),
    ).toBe(false);
    expect(ayrshare.isSigned({ headers: {}, body: Buffer.from(body) }, [secret], now)).toBe(false);
  },
);

test('Shopify: the documented vector; a body, a secret or a header that differs', () => {
  const { headers, body } = fromShopify('orders/create', '{"id":820982911946154508}', { secret: 'hush' });
  const delivery = { headers, body: Buffer.from(body) };
  expect(headers['x-shopify-hmac-sha256']).toBe('qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I=');
  expect(shopify.isSigned(delivery, ['older', 'hush'], now)).toBe(true);
  expect(shopify.isSigned(delivery, ['older'], now)).toBe(false);
  expect(shopify.isSigned({ ...delivery, body: Buffer.from(`${body} `) }, ['hush'], now)).toBe(false);
  expect(shopify.isSigned({ ...delivery, headers: {} }, ['hush'], now)).toBe(false);
  // A consumer behind a relay gets all that Shopify sends.
  for (const name of ['x-shopify-name', 'shopify-handle', 'shopify-action'])
    expect(shopify.headers).toContain(name);
});

test('Stripe: its own code signs; two signatures while a secret is rolled', () => {
  const { webhook } = providerOf('stripe');
  const { headers, body } = fromStripe('ping', {}, { secret: 'whsec_a' });
  const signed = (header: string, secrets: string[]) =>
    webhook?.isSigned({ headers: { 'stripe-signature': header }, body: Buffer.from(body) }, secrets, now);
  const header = headers['stripe-signature'];
  expect(signed(header, ['whsec_a'])).toBe(true);
  expect(signed(`${header},v1=${'0'.repeat(64)}`, ['whsec_b', 'whsec_a'])).toBe(true);
  expect(signed(header, ['whsec_b'])).toBe(false);
  const vector = 'whsec_test';
  const given = {
    headers: {
      'stripe-signature': 't=1795222800,v1=72ecef99464fc703f5dc3d535decd13c5142a936318f56ca5a711044c2bcec0c',
    },
    body: Buffer.from('{"id":"evt_1","object":"event"}'),
  };
  expect(webhook?.isSigned(given, [vector], new Date(1795222800_000))).toBe(true);
  expect(webhook?.isSigned(given, [vector], new Date(1795222800_000 + 301_000))).toBe(false);
});
