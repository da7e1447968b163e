/** What is verified reaches the consumer of the customer as it came, sooner or later. */
import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { setRelay } from '#sql/webhooks/relays.ts';
import { relayDeliveries } from '#tasks/webhooks/relay_deliveries.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { fakeProvider, status } from '../support/providers/provider.ts';
import { aConnection } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { aDoor, ENDPOINT_SECRET, fromStripe, giveSecret, send } from '../support/webhooks/door.ts';

async function relayed(db: TestDb, url: string) {
  const account = { provider: 'stripe', account: 'acct_acme', auth: 'key', secret: 'rk_test_acme' };
  const { brandId, id: connectionId } = await aConnection(db, account);
  await giveSecret(db, { brandId, connectionId }, ENDPOINT_SECRET);
  await db.transaction((tx) => setRelay(tx, { brandId, connectionId }, url));
  return { brandId, connectionId };
}

const states = (db: TestDb) => db.column('select relay from ops.webhook_deliveries order by number');

test('a delivery arrives byte for byte with a signature that still verifies, once it can', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(503), status(200));
  const which = await relayed(db, `${consumer.url}/old/consumer?x=1`);
  await using door = await aDoor(db);
  const delivery = fromStripe('ping', { text: 'ä\u2028' });
  expect(await send(door, 'stripe', which.connectionId, delivery)).toBe(200);
  expect(await db.column("select count(*) from ops.jobs where task = 'relay_deliveries'")).toEqual([1]);
  await expect(runTask(relayDeliveries, which, db)).rejects.toMatchObject({ code: 'NS_DELIVERY_REFUSED' });
  expect(await states(db)).toEqual(['waiting']);
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({ relayed: 1 });
  expect(await states(db)).toEqual(['done']);
  const { path = '', body = '', headers } = consumer.asked.at(-1) ?? {};
  expect(path).toBe('/old/consumer?x=1');
  expect(body).toBe(delivery.body);
  const signature = String(headers?.['stripe-signature']);
  expect(Stripe.webhooks.constructEvent(body, signature, ENDPOINT_SECRET)).toMatchObject({ type: 'ping' });
});

test('what the consumer refuses for good is given up after some tries, and keeps nothing else', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(...Array.from({ length: 8 }, () => status(400)), status(200));
  const which = await relayed(db, consumer.url);
  await using door = await aDoor(db);
  await send(door, 'stripe', which.connectionId, fromStripe('ping', {}));
  for (let tries = 0; tries < 8; tries++) await runTask(relayDeliveries, which, db);
  expect(await states(db)).toEqual(['refused']);
  await send(door, 'stripe', which.connectionId, fromStripe('ping', {}));
  await runTask(relayDeliveries, which, db);
  expect(await states(db)).toEqual(['refused', 'done']);
});

test('nothing is relayed into a network that only we can reach', async () => {
  await using db = await freshDb();
  const which = await relayed(db, 'https://169.254.169.254/latest');
  await expect(runTask(relayDeliveries, which, db)).rejects.toMatchObject({ code: 'NS_RELAY_REFUSED' });
});
