/** What is verified reaches the consumer of the customer as it came, sooner or later. */
import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { deleteOfBrand } from '#sql/retention/brand_records.ts';
import { readUnrelayed, setRelay } from '#sql/webhooks/relays.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { relayDeliveries } from '#tasks/webhooks/relay_deliveries.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { by, fakeProvider, status } from '../support/providers/provider.ts';
import { aConnection } from '../support/rows/factory.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';
import {
  aDoor,
  ENDPOINT_SECRET,
  fromStripe,
  giveSecret,
  send,
  type Which,
} from '../support/webhooks/door.ts';

async function relayed(db: TestDb, url: string) {
  const account = { provider: 'stripe', account: 'acct_acme', auth: 'key', secret: 'rk_test_acme' };
  const { brandId, id: connectionId } = await aConnection(db, account);
  await giveSecret(db, { brandId, connectionId }, ENDPOINT_SECRET);
  await db.transaction((tx) => setRelay(tx, { brandId, connectionId }, url));
  return { brandId, connectionId };
}

const states = (db: TestDb) => db.column('select relay from ops.webhook_deliveries order by number');

const jobs = (db: TestDb) =>
  db.rows(
    `select state, run_at > now() + interval '1 s' as later from ops.jobs where task = 'relay_deliveries' order by job_id`,
  );
/** All of it may be tried again now. */
const rested = (db: TestDb) =>
  db.query(
    'with _ as (update ops.webhook_deliveries set relay_due_at = now()) update ops.webhook_trouble set retry_after = now()',
  );
const ping = (which: Which, door: { url: string }, id = 'x') =>
  send(door, 'stripe', which.connectionId, fromStripe('ping', { id }));

test('a delivery arrives byte for byte with a signature that still verifies, once it can', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(503), status(200));
  const which = await relayed(db, `${consumer.url}/old/consumer?x=1`);
  await using door = await aDoor(db);
  const delivery = fromStripe('ping', { text: 'ä\u2028' });
  expect(await send(door, 'stripe', which.connectionId, delivery)).toBe(200);
  expect(await jobs(db)).toHaveLength(1);
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({
    relayed: 0,
    incomplete: expect.stringContaining('503'),
  });
  expect(await states(db)).toEqual(['waiting']);
  await rested(db);
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({ relayed: 1 });
  expect(await states(db)).toEqual(['done']);
  const { path = '', body = '', headers } = consumer.asked.at(-1) ?? {};
  expect(path).toBe('/old/consumer?x=1');
  expect(body).toBe(delivery.body);
  const signature = String(headers?.['stripe-signature']);
  expect(signature).toBe(delivery.headers['stripe-signature']);
  expect(Stripe.webhooks.constructEvent(body, signature, ENDPOINT_SECRET)).toMatchObject({ type: 'ping' });
});

test('what is forwarded late is signed anew, with each secret', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(200));
  const which = await relayed(db, consumer.url);
  await giveSecret(db, which, 'whsec_new');
  await using door = await aDoor(db);
  await ping(which, door);
  await db.query(
    `update ops.webhook_deliveries set headers = headers || '{"stripe-signature":"t=1700000000,v1=ab"}'`,
  );
  await runTask(relayDeliveries, which, db);
  const { body = '', headers } = consumer.asked.at(-1) ?? {};
  for (const secret of [ENDPOINT_SECRET, 'whsec_new'])
    expect(Stripe.webhooks.constructEvent(body, String(headers?.['stripe-signature']), secret)).toMatchObject(
      { type: 'ping' },
    );
});

test('one refusal behind a long outage drops nothing; what is refused for days is given up', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(400));
  const which = await relayed(db, consumer.url);
  await using door = await aDoor(db);
  await ping(which, door);
  await db.query(
    "update ops.webhook_deliveries set relay_tries = 20, received_at = now() - interval '4 days'",
  );
  await runTask(relayDeliveries, which, db);
  expect(await states(db)).toEqual(['waiting']);
  await rested(db);
  await db.query("update ops.webhook_deliveries set relay_refused_since = now() - interval '4 days'");
  await runTask(relayDeliveries, which, db);
  expect(await states(db)).toEqual(['refused']);
  expect(await db.column('select length(body) from ops.webhook_deliveries')).toEqual([0]);
  expect(await db.column('select work from ops.webhook_trouble')).toEqual([]); // nothing waits
});

test('what cannot be forwarded for a week is given up', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(503));
  const which = await relayed(db, consumer.url);
  await using door = await aDoor(db);
  await ping(which, door);
  await db.query("update ops.webhook_deliveries set received_at = now() - interval '8 days'");
  await runTask(relayDeliveries, which, db);
  expect(await states(db)).toEqual(['expired']);
});

test('one delivery at which the consumer breaks keeps no other from it', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(
    by(({ body }) => (body.includes('poison') ? status(500) : status(200))),
  );
  const which = await relayed(db, consumer.url);
  await using door = await aDoor(db);
  for (const id of ['poison', 'one', 'two']) await ping(which, door, id);
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({ relayed: 2, late: 1 });
  expect(await states(db)).toEqual(['waiting', 'done', 'done']);
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: true }]); // for the poison
  await ping(which, door, 'three');
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: false }]);
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({ relayed: 1, late: 0 });
});

test('a consumer that is away costs one job, which rests however much is delivered', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(503));
  const which = await relayed(db, consumer.url);
  await using door = await aDoor(db);
  await ping(which, door);
  for (let outages = 0; outages < 30; outages++) {
    const job = await db.transaction(async (tx) => claimJob(tx, await enqueue(tx, relayDeliveries, which)));
    if (outages % 10 === 0) await ping(which, door); // while it runs
    expect(await runClaimed(relayDeliveries, job, db)).toMatchObject({ outcome: 'partial' });
    await db.query('delete from graphile_worker._private_jobs where attempts = 0 and locked_at is null');
    await rested(db);
  }
  await runTask(relayDeliveries, which, db);
  for (let times = 0; times < 3; times++) await ping(which, door);
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: true }]);
  const asked = consumer.asked.length;
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({
    skipped: 'the consumer was away a moment ago',
  });
  expect(consumer.asked).toHaveLength(asked);
});

test('a relay that may not be used leaves no dead jobs, raises an alert, and resolves it when it is taken away', async () => {
  await using db = await freshDb();
  const which = await relayed(db, 'https://169.254.169.254/latest');
  await using door = await aDoor(db);
  for (let times = 0; times < 3; times++) {
    await ping(which, door);
    await rested(db);
    expect(await runTask(relayDeliveries, which, db)).toMatchObject({
      incomplete: expect.stringContaining('not relayed to'),
    });
  }
  expect(await jobs(db)).toEqual([{ state: 'waiting', later: true }]);
  const alerts = () => db.rows('select kind, resolved_at is not null as over from ops.alerts');
  expect(await alerts()).toEqual([]);
  await rested(db);
  await db.query("update ops.webhook_trouble set failing_since = now() - interval '2 hours'");
  await runTask(relayDeliveries, which, db);
  expect(await alerts()).toEqual([{ kind: 'webhooks', over: false }]);
  const [name] = await db.column('select name from app.connections');
  const env = { DATABASE_URL: db.url };
  const relay = (...more: string[]) =>
    nightshift(['connections', 'webhooks', 'relay', String(name), '--json', ...more], { env });
  expect((await relay()).json()).toMatchObject([
    { relay: 'https://169.254.169.254/latest', waiting: 3, failures: 4 },
  ]);
  expect((await nightshift(['doctor', '--json'], { env })).stdout).toContain('(relay) fails since');
  expect(await relay('--off')).toMatchObject({ code: 0 });
  expect(await db.rows('select relay, length(body) as bytes from ops.webhook_deliveries')).toEqual(
    Array.from({ length: 3 }, () => ({ relay: null, bytes: 0 })),
  );
  expect(await alerts()).toEqual([{ kind: 'webhooks', over: true }]);
});

test('what came while a relay was taken away is forgotten by its job', async () => {
  await using db = await freshDb();
  const which = await relayed(db, 'http://127.0.0.1:9/');
  await using door = await aDoor(db);
  await ping(which, door);
  await db.query('delete from app.webhook_relays');
  await runTask(relayDeliveries, which, db);
  expect(await db.rows('select relay, length(body) as bytes from ops.webhook_deliveries')).toEqual([
    { relay: null, bytes: 0 },
  ]);
});

test('a held connection, a breaker and a pause of the connection stop no relay; a pause of its brand does', async () => {
  await using db = await freshDb();
  await using consumer = await fakeProvider(status(200));
  const which = await relayed(db, consumer.url);
  await using door = await aDoor(db);
  await db.query("update app.connections set held_at = now(), held_code = 'X', held_reason = 'x'");
  await ping(which, door);
  const why = async () => {
    const [job] = await db.column("select job_id::text from ops.jobs where task = 'relay_deliveries'");
    return (await nightshift(['jobs', 'why', String(job)], { env: { DATABASE_URL: db.url } })).stdout;
  };
  expect(await why()).not.toContain('is held');
  expect(await runTask(relayDeliveries, which, db)).toMatchObject({ relayed: 1, requests: 0 });
  await ping(which, door);
  const paused = (task: string | null, connection: string | null) =>
    db.column(
      `select flags ? ops.pause_flag($1, null, $2, $3) from graphile_worker._private_jobs j
       join ops.jobs o on o.job_id = j.id where o.task = 'relay_deliveries'`,
      [task, which.brandId, connection],
    );
  expect(await paused(null, which.connectionId)).toEqual([false]);
  expect(await paused('relay_deliveries', which.connectionId)).toEqual([true]);
  expect(await paused(null, null)).toEqual([true]);
});

test('a batch has few bytes, and what waited for two weeks is deleted with the others', async () => {
  await using db = await freshDb();
  const relay = await relayed(db, 'http://127.0.0.1:9/');
  await using door = await aDoor(db);
  for (const id of ['one', 'two']) await ping(relay, door, id);
  expect(await readUnrelayed(db, relay, { max: 10, bytesMax: 1 })).toHaveLength(1);
  expect(await readUnrelayed(db, relay, { max: 10, bytesMax: 10_000 })).toHaveLength(2);
  const old = (days: number) =>
    db.query('update ops.webhook_deliveries set received_at = now() - make_interval(days => $1)', [days]);
  const which = { brandId: relay.brandId, now: new Date(), after: 0 };
  const deleted = async () =>
    (await db.transaction((tx) => deleteOfBrand(tx, 'webhook_deliveries', which))).deleted;
  await old(13);
  expect(await deleted()).toBe(0);
  await old(15);
  expect(await deleted()).toBe(2);
});
