/** Requests that the law brings: kept with their deadline, by ids alone, until somebody says that they are done. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { dumpOf } from '../support/db/dump.ts';
import { aConnection } from '../support/rows/factory.ts';
import { APP_SECRET, aDoor, fromShopify, giveSecret, send } from '../support/webhooks/door.ts';

const shop = { shop_id: 954889, shop_domain: 'acme.myshopify.com' };
const customer = { id: 191167, email: 'ann@example.com', phone: '555-625-1199' };
const redaction = { ...shop, customer, orders_to_redact: [299938, 280263] };

test('each request is kept once with its deadline, audited, and names nobody', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db, { account: shop.shop_domain });
  await giveSecret(db, { brandId, connectionId }, APP_SECRET);
  await using door = await aDoor(db);
  const deliver = (topic: string, body: object) =>
    send(door, 'shopify', connectionId, fromShopify(topic, JSON.stringify(body), { id: topic }));
  const data = { ...shop, customer, orders_requested: [1], data_request: { id: 9999 } };
  for (let times = 0; times < 2; times++) {
    expect(await deliver('customers/data_request', data)).toBe(200);
    expect(await deliver('customers/redact', redaction)).toBe(200);
    expect(await deliver('shop/redact', shop)).toBe(200);
  }
  const kept = await db.rows(
    `select kind, subject, (due_at::date - requested_at::date) as days from ops.privacy_requests order by id`,
  );
  expect(kept).toEqual([
    { kind: 'export', subject: { customer: '191167', orders: ['1'], request: '9999' }, days: 30 },
    { kind: 'erase_person', subject: { customer: '191167', orders: ['299938', '280263'] }, days: 30 },
    { kind: 'erase_account', subject: { shop: '954889' }, days: 30 },
  ]);
  expect(await db.column("select count(*) from ops.audit_log where action = 'privacy.request'")).toEqual([3]);
  expect(await db.column('select distinct length(body) from ops.webhook_deliveries')).toEqual([0]);
  expect((await dumpOf(db)).filter((row) => row.includes('ann@example.com'))).toEqual([]);
  // An erasure needs nobody; an export is handed to a person, so it waits for one.
  expect(await db.column("select payload->>'request' from ops.jobs where task = 'privacy_erase'")).toEqual([
    '2',
  ]);
  const env = { DATABASE_URL: db.url };
  const [brand] = await db.column('select slug from app.brands');
  const run = (...words: string[]) => nightshift(['privacy', ...words, '--json'], { env });
  expect((await run('requests', '--open')).json()).toHaveLength(3);
  expect(await run('done', '1', '--brand', String(brand))).toMatchObject({ code: 0 });
  expect(await run('done', '1', '--brand', String(brand))).toMatchObject({ code: 3 });
  expect((await run('requests', '--open')).json()).toHaveLength(2);
  const doctor = await nightshift(['doctor', '--json'], { env });
  expect(doctor.stdout).toContain('request 2 (erase_person)');
  expect(doctor.stdout).not.toContain('request 1 (export)');
});

// The topic is not signed: whoever has a signed delivery could send it as a wish to be erased.
test('a signed body under the topic of another asks for nothing, and doctor names what could not be read', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db, { account: shop.shop_domain });
  await giveSecret(db, { brandId, connectionId }, APP_SECRET);
  await using door = await aDoor(db);
  const order = { id: 1, customer };
  const data = { ...shop, customer, orders_requested: [1], data_request: { id: 9999 } };
  for (const [topic, body] of [
    ...['customers/redact', 'shop/redact', 'customers/data_request'].map((one) => [one, order] as const),
    ...(['customers/redact', 'shop/redact'] as const).map((one) => [one, data] as const),
    ...(['customers/data_request', 'shop/redact'] as const).map((one) => [one, redaction] as const),
    ...(['customers/data_request', 'customers/redact'] as const).map((one) => [one, shop] as const),
  ])
    expect(await send(door, 'shopify', connectionId, fromShopify(topic, JSON.stringify(body)))).toBe(200);
  expect(await db.column('select count(*) from ops.privacy_requests')).toEqual([0]);
  const doctor = await nightshift(['doctor', '--json'], { env: { DATABASE_URL: db.url } });
  expect(doctor.stdout).toContain('4 deliveries to');
  expect(doctor.code).toBe(1);
});

test('what differs in what does not identify anybody is a request all the same', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db, { account: shop.shop_domain });
  await giveSecret(db, { brandId, connectionId }, APP_SECRET);
  await using door = await aDoor(db);
  const deliver = (topic: string, body: object) =>
    send(door, 'shopify', connectionId, fromShopify(topic, JSON.stringify(body)));
  await deliver('customers/redact', { ...shop, customer: { id: 1, tags: ['vip'] }, orders_to_redact: null });
  await deliver('customers/data_request', {
    ...shop,
    customer: { id: 2, phone: null },
    orders_requested: [7, {}],
  });
  await deliver('shop/redact', { ...shop, plan: 'basic' });
  expect(await db.column('select subject from ops.privacy_requests order by id')).toEqual([
    { customer: '1', orders: [] },
    { customer: '2', orders: ['7'] },
    { shop: '954889' },
  ]);
});

test('one request is open once, under whatever id it is sent, also within a batch', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db, { account: shop.shop_domain });
  await giveSecret(db, { brandId, connectionId }, APP_SECRET);
  await using door = await aDoor(db);
  const body = JSON.stringify(redaction);
  const same = fromShopify('customers/redact', body);
  await Promise.all([same, same, same].map((one) => send(door, 'shopify', connectionId, one)));
  for (let ids = 0; ids < 30; ids++)
    expect(await send(door, 'shopify', connectionId, fromShopify('customers/redact', body))).toBe(200);
  expect(await db.column('select count(*) from ops.privacy_requests')).toEqual([1]);
  expect(await db.column('select count(*) from ops.webhook_deliveries')).toEqual([20]);
  await db.query('update ops.privacy_requests set done_at = now()');
  await db.query("update ops.webhook_deliveries set received_at = now() - interval '2 days'");
  await send(door, 'shopify', connectionId, fromShopify('customers/redact', body));
  expect(await db.column('select count(*) from ops.privacy_requests')).toEqual([2]);
});

test('a request goes to the shop that it names, of each brand whose secret has signed it, and to no other', async () => {
  await using db = await freshDb();
  const shopOf = async (account: string, secret: string) => {
    const { brandId, id: connectionId } = await aConnection(db, { account });
    await giveSecret(db, { brandId, connectionId }, secret);
    return connectionId;
  };
  const addressed = await shopOf('other.myshopify.com', APP_SECRET);
  const meant = await shopOf('ACME.myshopify.com', APP_SECRET);
  const stranger = await shopOf('acme.myshopify.com', 'of another app');
  await using door = await aDoor(db);
  const deliver = (topic: string, body: object, of?: string) =>
    send(door, 'shopify', addressed, fromShopify(topic, JSON.stringify(body), { ...(of && { shop: of }) }));
  expect(await deliver('shop/redact', shop)).toBe(200);
  expect(await db.column('select connection_id from ops.privacy_requests')).toEqual([meant]);
  expect(await deliver('customers/redact', { ...redaction, shop_domain: 'gone.myshopify.com' })).toBe(200);
  // Of a shop that nobody has, an operator of the brand that was told decides.
  expect(
    await db.rows(
      "select connection_id, progress->>'foreign' as shop from ops.privacy_requests order by requested_at",
    ),
  ).toEqual([
    { connection_id: meant, shop: null },
    { connection_id: addressed, shop: 'gone.myshopify.com' },
  ]);
  // A change of another shop is no hint here.
  expect(await deliver('orders/updated', { id: 5 }, 'acme.myshopify.com')).toBe(200);
  expect(await deliver('orders/updated', { id: 6 }, 'other.myshopify.com')).toBe(200);
  expect(await db.rows('select object_id, connection_id from ops.webhook_hints')).toEqual([
    { object_id: '6', connection_id: addressed },
  ]);
  expect(
    await db.column('select count(*) from ops.webhook_deliveries where connection_id = $1', [stranger]),
  ).toEqual([0]);
  const metrics = await (await fetch(`${door.metricsUrl}/metrics`)).text();
  expect(metrics).toContain('nightshift_webhooks_total{provider="shopify",outcome="foreign"} 1');
});

test('a shop is purged only if its own secret has signed that it is closed', async () => {
  await using db = await freshDb();
  const { brandId, retailerId, id: told } = await aConnection(db, { account: 'other.myshopify.com' });
  await giveSecret(db, { brandId, connectionId: told }, APP_SECRET);
  await aConnection(db, { brandId, retailerId, account: shop.shop_domain });
  await using door = await aDoor(db);
  expect(await send(door, 'shopify', told, fromShopify('shop/redact', JSON.stringify(shop)))).toBe(200);
  expect(await db.column("select progress->>'foreign' from ops.privacy_requests")).toEqual([
    shop.shop_domain,
  ]);
  expect(await db.column("select count(*) from ops.jobs where task = 'privacy_purge'")).toEqual([0]);
});
