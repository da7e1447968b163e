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

// The topic is not signed: whoever has a signed order could send it as a wish to be erased.
test('a signed body under the topic of another asks for nothing', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db);
  await giveSecret(db, { brandId, connectionId }, APP_SECRET);
  await using door = await aDoor(db);
  const order = JSON.stringify({ id: 1, customer, orders_to_redact: [1], ...shop });
  for (const topic of ['customers/redact', 'shop/redact', 'customers/data_request'])
    expect(await send(door, 'shopify', connectionId, fromShopify(topic, order))).toBe(200);
  expect(await db.column('select count(*) from ops.privacy_requests')).toEqual([0]);
});
