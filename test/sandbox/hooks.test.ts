/** What the sandbox sends to subscribers: signed as the providers sign, verified by their own code. */
import '@shopify/shopify-api/adapters/node';
import { EventWebhook, EventWebhookHeader } from '@sendgrid/eventwebhook';
import { ApiVersion, shopifyApi } from '@shopify/shopify-api';
import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { openSecrets } from '#sql/webhooks/secrets.ts';
import { followDeliveries } from '#tasks/webhooks/follow_deliveries.ts';
import { hmac } from '../../sandbox/hooks/hooks.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { type Asked, fakeProvider, status } from '../support/providers/provider.ts';
import { post, setFaults } from '../support/providers/sandbox.ts';
import { testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { aDoor } from '../support/webhooks/door.ts';
import { ALL, type AWorld, aWorld, type Which } from '../support/webhooks/world.ts';

/** Told to deliver to a receiver that takes everything, or what else it answers. */
async function subscribed(world: AWorld, receiver: { url: string }, ...providers: Which[]): Promise<void> {
  for (const provider of providers)
    expect(await world.run('add', provider, '--url', receiver.url)).toMatchObject({ code: 0 });
}

type Report = {
  pending: number;
  deliveries: { topic: string; attempt: number; status: number; faults: string[] }[];
};

async function settled({ sandbox }: AWorld): Promise<Report['deliveries']> {
  let report: Report = { pending: 1, deliveries: [] };
  await eventually(async () => {
    report = (await (await fetch(`${sandbox.url}/_sandbox/deliveries`)).json()) as Report;
    expect(report.pending).toBe(0);
  });
  return report.deliveries;
}

const at = Math.floor(Date.now() / 1000) - 60;
const iso = new Date(at * 1000).toISOString();
const order = (more: object = {}) => ({
  ...{ id: '820982911946154508', name: '#1', processedAt: iso, updatedAt: iso },
  lineItems: [{ id: 1, quantity: 1, originalUnitPriceSet: '10.00' }],
  ...more,
});
const charge = (more: object = {}) => ({
  id: 'ch_1',
  amount: 1_000,
  currency: 'usd',
  created: at,
  ...more,
});
const mail = (event: string) => ({
  ...{ email: 'ann@example.com', event, timestamp: at, sg_event_id: `e-${event}`, sg_message_id: 'm.1' },
});

const changed = {
  'shopify/acme/orders': [order()],
  'stripe/acct_acme/charges': [charge()],
  'sendgrid/acme/events': [mail('delivered'), mail('open')],
  'ayrshare/ref-acme/sent': [{ id: 'p1', status: 'success', created: iso, platforms: ['x'], postIds: [] }],
};

const shopify = shopifyApi({
  ...{ apiKey: 'app', apiSecretKey: 'hush', apiVersion: ApiVersion.October26, hostName: 'example.com' },
  ...{ isEmbeddedApp: false, logger: { log: () => {} } },
});

const isShopifys = async ({ headers, body, path }: Asked) => {
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
  const rawRequest = { headers, rawHeaders, method: 'POST', url: path } as never;
  return (await shopify.webhooks.validate({ rawBody: body, rawRequest })).valid;
};

const secretOf = async (db: TestDb, world: AWorld, provider: Which) => {
  const [known] = await openSecrets(db, testSealer, { ...world.place(provider), name: provider });
  return known?.secret ?? '';
};

test('changed data are told to subscribers, and the providers’ own code verifies it', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await using receiver = await fakeProvider(status(200));
  await subscribed(world, receiver, ...ALL);
  await world.serve(changed);
  const sent = await settled(world);
  expect(new Set(sent.map(({ topic }) => topic))).toEqual(
    new Set(['ORDERS_CREATE', 'charge.succeeded', 'delivered open', 'scheduled']),
  );
  const of = (provider: string) =>
    receiver.asked.find(({ path }) => path.startsWith(`/webhooks/${provider}/`)) as Asked;
  expect(of('shopify').body).toContain('"id":820982911946154508,'); // beyond 2^53, digit by digit
  expect(await isShopifys(of('shopify'))).toBe(true);
  expect(await isShopifys({ ...of('shopify'), body: `${of('shopify').body} ` })).toBe(false);
  const { headers, body } = of('stripe');
  const signature = String(headers['stripe-signature']);
  const event = Stripe.webhooks.constructEvent(body, signature, await secretOf(db, world, 'stripe'));
  expect(event).toMatchObject({ type: 'charge.succeeded', data: { object: { id: 'ch_1' } } });
  const mailed = of('sendgrid');
  const verifier = new EventWebhook();
  const isTrue = (text: string, key: string) =>
    verifier.verifySignature(
      ...([verifier.convertPublicKeyToECDSA(key), text] as const),
      ...([EventWebhookHeader.SIGNATURE(), EventWebhookHeader.TIMESTAMP()].map((name) =>
        String(mailed.headers[name.toLowerCase()]),
      ) as [string, string]),
    );
  const key = await secretOf(db, world, 'sendgrid');
  expect([isTrue(mailed.body, key), isTrue(mailed.body.trim(), key)]).toEqual([true, false]);
  await world.serve(changed); // the same data: nothing is told
  expect(await settled(world)).toHaveLength(sent.length);
});

test('an order that is refunded, changed or deleted is told by its topics', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db, { 'shopify/acme/orders': [order()] });
  await using receiver = await fakeProvider(status(200));
  await subscribed(world, receiver, 'shopify');
  const refund = { id: 7, createdAt: iso, refundLineItems: [{ lineItem: 1, quantity: 1 }] };
  await world.serve({ 'shopify/acme/orders': [order({ refunds: [refund] })] });
  await settled(world);
  await world.serve({
    'shopify/acme/events': [
      { id: 9, action: 'destroy', subjectType: 'ORDER', subjectId: order().id, createdAt: iso },
    ],
  });
  const topics = (await settled(world)).map(({ topic }) => topic);
  expect(new Set(topics)).toEqual(new Set(['ORDERS_UPDATED', 'REFUNDS_CREATE', 'ORDERS_DELETE']));
  const told = receiver.asked.map(({ headers, body }) => [headers['x-shopify-topic'], body]);
  expect(told.find(([topic]) => topic === 'refunds/create')?.[1]).toContain('"order_id":820982911946154508');
});

test('what is not taken comes again; eight failures in a row cost a shop its subscription', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await using receiver = await fakeProvider(status(503), status(500), status(200));
  await subscribed(world, receiver, 'stripe');
  await post(world.sandbox, 'deliver', {
    provider: 'stripe',
    account: 'acct_acme',
    topic: 'charge.updated',
    body: { id: 'ch_1', object: 'charge' },
  });
  expect((await settled(world)).map((one) => [one.attempt, one.status])).toEqual([
    [1, 503],
    [2, 500],
    [3, 200],
  ]);
  expect(new Set(receiver.asked.map(({ body }) => body)).size).toBe(1);
  await using away = await fakeProvider(status(500));
  await subscribed(world, away, 'shopify');
  const before = (await world.run('list', 'shopify')).json().length;
  await post(world.sandbox, 'deliver', {
    provider: 'shopify',
    account: 'acme',
    topic: 'SHOP_UPDATE',
    body: { id: 1 },
  });
  expect((await settled(world)).filter(({ topic }) => topic === 'SHOP_UPDATE')).toHaveLength(9);
  expect((await world.run('list', 'shopify')).json()).toHaveLength(before - 1);
  const check = await world.run('check', 'shopify', '--url', away.url);
  expect([check.code, check.stdout]).toEqual([1, expect.stringContaining('SHOP_UPDATE: not delivered')]);
});

const events = Array.from({ length: 40 }, (_, n) => ({ ...mail('delivered'), sg_event_id: `e${n}` }));
const rows = (db: TestDb) => db.column('select id from raw.sendgrid_events order by id');

test('five times, shuffled, from eight senders, altered and lost on the way: the same rows as one clean delivery', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await using door = await aDoor(db);
  await subscribed(world, door, 'sendgrid');
  const to = { provider: 'sendgrid', account: 'acme' };
  for (let start = 0; start < events.length; start += 5)
    await post(world.sandbox, 'deliver', { ...to, body: events.slice(start, start + 5) });
  await settled(world);
  const follow = async () => {
    const which = { ...world.place('sendgrid'), stream: 'sendgrid.events', rows: true } as const;
    await runTask(followDeliveries, which, db);
  };
  await follow();
  const clean = await db.rows('select *, xmin::text from raw.sendgrid_events order by id');
  expect(await rows(db)).toHaveLength(events.length);
  await setFaults(
    world.sandbox,
    { kind: 'webhook', how: 'altered', count: 5 },
    { kind: 'webhook', how: 'unsigned', count: 5 },
    { kind: 'webhook', how: 'lost', count: 10, probability: 0.5 },
    { kind: 'webhook', how: 'repeated', times: 2 },
  );
  await post(world.sandbox, 'deliver', { ...to, times: 5, shuffle: true, senders: 8 });
  const sent = await settled(world);
  expect(sent.filter(({ faults }) => faults.includes('altered')).map((one) => one.status)).toEqual(
    Array.from({ length: 5 }, () => 401),
  );
  await follow();
  expect(await db.rows('select *, xmin::text from raw.sendgrid_events order by id')).toEqual(clean);
  expect(await db.column('select count(*) from ops.webhook_deliveries')).toEqual([8]);
});

test('a delivery of Stripe that is an hour old is refused, and taken when it is signed anew', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await using door = await aDoor(db);
  await subscribed(world, door, 'stripe');
  await setFaults(world.sandbox, { kind: 'webhook', how: 'stale', account: 'acct_acme' });
  await post(world.sandbox, 'deliver', {
    ...{ provider: 'stripe', account: 'acct_acme', topic: 'charge.updated' },
    body: { id: 'ch_1', object: 'charge' },
  });
  expect((await settled(world)).map((one) => one.status)).toEqual([401, 200]);
  expect(await db.column('select object_id from ops.webhook_hints')).toContain('ch_1');
});

test('what Ayrshare tells of accounts and posts is read by its streams', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await using door = await aDoor(db);
  await subscribed(world, door, 'ayrshare');
  const { 'ayrshare/ref-acme/sent': sent } = changed;
  await world.serve({ 'ayrshare/ref-acme/sent': sent, 'ayrshare/ref-acme/accounts': [{ platform: 'x' }] });
  expect((await settled(world)).map((one) => one.status)).toEqual([200, 200]);
  const hints = await db.column('select stream from ops.webhook_hints order by stream');
  expect(hints).toEqual(['ayrshare.sent_posts', 'ayrshare.user']);
});

test('a secret that is rotated signs beside the one before', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await using receiver = await fakeProvider(status(200));
  await subscribed(world, receiver, 'ayrshare');
  const before = await secretOf(db, world, 'ayrshare');
  const answer = await fetch(`${world.sandbox.url}/ayrshare/hook/webhook/secret`, {
    method: 'POST',
    headers: { authorization: 'Bearer acme-api-key', 'profile-key': 'ref-acme-key' },
    body: JSON.stringify({ secret: 'another' }),
  });
  expect(await answer.json()).toEqual({ status: 'success', action: 'webhook', refId: 'ref-acme' });
  await world.serve(changed);
  await settled(world);
  const [{ headers, body }] = receiver.asked as [Asked];
  const signatures = ['another', before].map((secret) => hmac(secret, body).toString('hex'));
  expect(headers['x-authorization-content-sha256-v2']).toBe(signatures.map((one) => `v1=${one}`).join(','));
});
