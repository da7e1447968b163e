import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aConnection } from '../support/rows/factory.ts';
import {
  aDoor,
  ENDPOINT_SECRET,
  fromShopify,
  fromStripe,
  giveSecret,
  send,
} from '../support/webhooks/door.ts';

const ACCOUNT = { provider: 'stripe', account: 'acct_acme', auth: 'key', secret: 'rk_test_acme' };

async function stripeConnection(db: TestDb, more: { brandId?: string } = {}) {
  const { brandId, id: connectionId } = await aConnection(db, { ...ACCOUNT, ...more });
  await giveSecret(db, { brandId, connectionId }, ENDPOINT_SECRET);
  return { brandId, connectionId };
}

const stored = (db: TestDb) =>
  db.rows('select topic, connection_id from ops.webhook_deliveries order by number');
const hints = (db: TestDb) =>
  db.column(`select stream || coalesce(' ' || object_id, '') from ops.webhook_hints order by number`);
const waiting = (db: TestDb) =>
  db.column(`select payload ->> 'stream' from ops.jobs where task = 'follow_deliveries' order by job_id`);

test('a signed delivery is stored with its hints and jobs, and a repetition changes nothing', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await using door = await aDoor(db);
  const delivery = fromStripe('charge.refunded', { id: 'ch_1', object: 'charge' });
  for (let times = 0; times < 3; times++)
    expect(await send(door, 'stripe', connectionId, delivery)).toBe(200);
  expect(await stored(db)).toEqual([{ topic: 'charge.refunded', connection_id: connectionId }]);
  // The refunds of the charge are listed; a booking has no event, so the ledger is read.
  expect(await hints(db)).toEqual([
    'stripe.charges ch_1',
    'stripe.refunds charge=ch_1',
    'stripe.balance_transactions',
  ]);
  expect(await waiting(db)).toEqual(['stripe.charges', 'stripe.refunds', 'stripe.balance_transactions']);
});

test('what many deliveries say of a stream is one job', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await using door = await aDoor(db);
  const all = Array.from({ length: 40 }, (_, n) =>
    fromStripe('customer.updated', { id: `cus_${n}`, object: 'customer' }),
  );
  const answers = await Promise.all(all.map((one) => send(door, 'stripe', connectionId, one)));
  expect(new Set(answers)).toEqual(new Set([200]));
  expect(new Set(await hints(db)).size).toBe(40);
  expect(await waiting(db)).toEqual(['stripe.customers']);
});

test('a signature that does not fit is refused with 401, and nothing is stored', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await using door = await aDoor(db);
  const good = fromStripe('charge.succeeded', { id: 'ch_1', object: 'charge' });
  const seconds = Math.floor(Date.now() / 1000);
  const old = fromStripe('charge.succeeded', { id: 'ch_1', object: 'charge' }, { at: seconds - 400 });
  const ahead = fromStripe('charge.succeeded', { id: 'ch_1', object: 'charge' }, { at: seconds + 400 });
  const foreign = fromStripe('charge.succeeded', { id: 'ch_1', object: 'charge' }, { secret: 'whsec_other' });
  const header = good.headers['stripe-signature'];
  const altered = [
    { ...good, body: good.body.replace('ch_1', 'ch_2') },
    { ...good, headers: { 'stripe-signature': header.replace('v1=', 'v0=') } },
    { ...good, headers: { 'stripe-signature': header.replace(/t=\d+/, `t=${seconds - 1}`) } },
    { ...good, headers: { 'stripe-signature': header.slice(0, -1) } },
    { ...good, headers: { 'stripe-signature': '' } },
    { ...good, headers: {} as Record<string, string> },
    ...[old, ahead, foreign],
  ];
  for (const one of altered) expect(await send(door, 'stripe', connectionId, one)).toBe(401);
  expect(await stored(db)).toEqual([]);
  const metrics = await (await fetch(`${door.metricsUrl}/metrics`)).text();
  expect(metrics).toContain(
    `nightshift_webhooks_total{provider="stripe",outcome="unsigned"} ${altered.length}`,
  );
});

test('while a secret is replaced each of them verifies, and afterwards only the new one', async () => {
  await using db = await freshDb();
  const which = await stripeConnection(db);
  await using door = await aDoor(db);
  const signedBy = (secret: string) =>
    send(door, 'stripe', which.connectionId, fromStripe('ping', {}, { secret }));
  expect(await signedBy('whsec_new')).toBe(401);
  await new Promise((done) => setTimeout(done, 1_100)); // as long as secrets are remembered
  await giveSecret(db, which, 'whsec_new');
  expect([await signedBy('whsec_new'), await signedBy(ENDPOINT_SECRET)]).toEqual([200, 200]);
  await giveSecret(db, which, 'whsec_newest', true);
  await using later = await aDoor(db);
  const answers = [];
  for (const secret of ['whsec_new', ENDPOINT_SECRET, 'whsec_newest'])
    answers.push(await send(later, 'stripe', which.connectionId, fromStripe('ping', {}, { secret })));
  expect(answers).toEqual([401, 401, 200]);
});

test('an unknown connection is answered as a wrong signature is, another path is 404, and both tell nothing', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  const { id: mute } = await aConnection(db); // has no secret
  await using door = await aDoor(db);
  const delivery = fromStripe('ping', {}, { secret: 'whsec_wrong' });
  const answersOf = (paths: string[]) =>
    Promise.all(
      paths.map(async (path) => {
        const answer = await fetch(`${door.url}/webhooks/${path}`, { method: 'POST', ...delivery });
        const { date: _, ...headers } = Object.fromEntries(answer.headers);
        return { status: answer.status, headers, text: await answer.text() };
      }),
    );
  const unknown = [`stripe/${crypto.randomUUID()}`, `shopify/${connectionId}`, `shopify/${mute}`];
  const [wrong, ...answers] = await answersOf([`stripe/${connectionId}`, ...unknown]);
  expect(wrong).toMatchObject({ status: 401, text: '' });
  expect(answers).toEqual(unknown.map(() => wrong));
  const elsewhere = [`nobody/${connectionId}`, 'stripe/x', `stripe/${connectionId}/more`];
  expect((await answersOf(elsewhere)).map(({ status, text }) => [status, text])).toEqual(
    elsewhere.map(() => [404, '']),
  );
  expect((await fetch(`${door.url}/webhooks/stripe/${connectionId}`)).status).toBe(404); // only POST
  expect(await stored(db)).toEqual([]);
});

test('an unknown topic, and a body that cannot be read, are stored and answered', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  const shop = await aConnection(db, { brandId: undefined as never });
  await giveSecret(db, { brandId: shop.brandId, connectionId: shop.id }, 'hush');
  await using door = await aDoor(db);
  expect(await send(door, 'stripe', connectionId, fromStripe('billing.moon.landed', { id: 'm' }))).toBe(200);
  expect(await send(door, 'shopify', shop.id, fromShopify('carts/update', '{"id":1}'))).toBe(200);
  expect(await send(door, 'shopify', shop.id, fromShopify('orders/create', 'no json'))).toBe(200);
  expect((await stored(db)).map(({ topic }) => topic)).toEqual([
    'billing.moon.landed',
    'carts/update',
    'unreadable',
  ]);
  expect(await hints(db)).toEqual([]);
});

test('ids beyond 2^53 stay exact', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db);
  await giveSecret(db, { brandId, connectionId }, 'hush');
  await using door = await aDoor(db);
  // The vector of Shopify's documentation: its id is no number that JavaScript has.
  const vector = fromShopify('orders/create', '{"id":820982911946154508}');
  expect(vector.headers['x-shopify-hmac-sha256']).toBe('qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I=');
  expect(await send(door, 'shopify', connectionId, vector)).toBe(200);
  const refund = fromShopify('refunds/create', '{"id":1,"order_id":820982911946154509}');
  expect(await send(door, 'shopify', connectionId, refund)).toBe(200);
  expect(await hints(db)).toEqual(['shopify.orders 820982911946154508', 'shopify.orders 820982911946154509']);
});

test('two brands with one account and the same ids: each delivery stays with its own', async () => {
  await using db = await freshDb();
  const [one, other] = [await stripeConnection(db), await stripeConnection(db)];
  await giveSecret(db, other, 'whsec_of_the_other', true);
  await using door = await aDoor(db);
  const delivery = fromStripe('charge.updated', { id: 'ch_1', object: 'charge' });
  expect(await send(door, 'stripe', one.connectionId, delivery)).toBe(200);
  expect(await send(door, 'stripe', other.connectionId, delivery)).toBe(401);
  expect(await db.column('select distinct brand_id from ops.webhook_hints')).toEqual([one.brandId]);
});

test('a removed connection is unknown, also where it is remembered', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await using door = await aDoor(db);
  expect(await send(door, 'stripe', connectionId, fromStripe('ping', {}))).toBe(200);
  await db.query(
    `update app.connections set removing_at = now(), held_at = now(), removed_from = retailer_id, retailer_id = null`,
  );
  expect(await send(door, 'stripe', connectionId, fromStripe('ping', {}))).toBe(401);
});

test('a held connection goes on taking deliveries, for when it is released', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await db.query("update app.connections set held_at = now(), held_code = 'X', held_reason = 'x'");
  await using door = await aDoor(db);
  const delivery = fromStripe('charge.updated', { id: 'ch_1', object: 'charge' });
  expect(await send(door, 'stripe', connectionId, delivery)).toBe(200);
  expect(await hints(db)).toContain('stripe.charges ch_1');
});

test('a body that is too large is refused before it is read, and one without an end too', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await using door = await aDoor(db);
  const large = { headers: { 'stripe-signature': 't=1,v1=ab' }, body: Buffer.alloc(3 * 1024 * 1024 + 1) };
  expect(await send(door, 'stripe', connectionId, large)).toBe(413);
  expect(await endless(door.url, connectionId)).toMatch(/^HTTP\/1.1 413|^$/); // its own bytes may outrun the answer
  const metrics = await (await fetch(`${door.metricsUrl}/metrics`)).text();
  expect(metrics).toContain('nightshift_webhooks_total{provider="stripe",outcome="too_large"} 2');
  expect(await send(door, 'stripe', connectionId, fromStripe('ping', {}))).toBe(200); // and it goes on
});

/** Sends chunks until the connection is closed; gives what was answered. */
function endless(url: string, connectionId: string): Promise<string> {
  const chunk = Buffer.concat([Buffer.from('40000\r\n'), Buffer.alloc(0x40000, 'a'), Buffer.from('\r\n')]);
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      const head = `POST /webhooks/stripe/${connectionId} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const more = () => socket.write(chunk, (error) => (error ? undefined : setTimeout(more)));
      socket.write(head, more);
    });
    socket.on('data', (data) => {
      said += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}

// Slowloris: a byte now and then keeps no request open.
test('who sends headers or a body too slowly is cut off', async () => {
  await using db = await freshDb();
  const { connectionId } = await stripeConnection(db);
  await using door = await aDoor(db);
  const { port } = new URL(door.url);
  const slow = (begin: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(begin));
      const drip = setInterval(() => socket.write('a'), 500);
      let said = '';
      socket.on('data', (data) => {
        said += data;
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        clearInterval(drip);
        resolve(said);
      });
    });
  const line = `POST /webhooks/stripe/${connectionId} HTTP/1.1\r\nHost: x\r\n`;
  const [headers, body] = await Promise.all([
    slow(`${line}X-Slow: `),
    slow(`${line}Content-Length: 1000\r\n\r\n`),
  ]);
  expect(headers).toMatch(/^HTTP\/1.1 408|^$/);
  expect(body).toMatch(/^HTTP\/1.1 408/);
});

test('health is told on the public listener, and metrics are not', async () => {
  await using db = await freshDb();
  await using door = await aDoor(db);
  const status = async (address: string) => (await fetch(address)).status;
  expect(await status(`${door.url}/healthz`)).toBe(200);
  expect(await status(`${door.url}/readyz`)).toBe(200);
  expect(await status(`${door.url}/metrics`)).toBe(404);
  const text = await (await fetch(`${door.metricsUrl}/metrics`)).text();
  for (const name of [
    'nightshift_database_up 1',
    '# TYPE nightshift_jobs gauge',
    '# TYPE nightshift_slots gauge',
  ])
    expect(text).toContain(name);
});

test('it is not ready while the sessions that store wait for the database', async () => {
  await using db = await freshDb();
  await using door = await aDoor(db);
  await db.transaction(async (tx) => {
    await tx.query('lock table ops.migrations in access exclusive mode');
    expect((await fetch(`${door.url}/readyz`)).status).toBe(503);
  });
});

test('a secret that cannot be opened keeps the others from nothing', async () => {
  await using db = await freshDb();
  const which = await stripeConnection(db);
  await db.query("update app.webhook_secrets set secret = 'broken'");
  await using door = await aDoor(db);
  const deliver = () => send(door, 'stripe', which.connectionId, fromStripe('ping', {}));
  expect(await deliver()).toBe(503);
  await giveSecret(db, which, ENDPOINT_SECRET);
  expect(await deliver()).toBe(200);
});

test('many guesses of addresses cost one look, and keep no connection from being found', async () => {
  await using db = await freshDb();
  await using door = await aDoor(db);
  const guesses = Array.from({ length: 300 }, () =>
    send(door, 'stripe', crypto.randomUUID(), fromStripe('ping', {})),
  );
  expect(new Set(await Promise.all(guesses))).toEqual(new Set([401]));
  const { connectionId } = await stripeConnection(db);
  await eventually(async () =>
    expect(await send(door, 'stripe', connectionId, fromStripe('ping', {}))).toBe(200),
  );
});
