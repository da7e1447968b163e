/** One run for all streams of an account that fails, breaks off or is refused: it ends as single runs do. */
import { expect, test } from 'vitest';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { freshDb } from '../../support/db/db.ts';
import { dyingAfter } from '../../support/providers/shopify.ts';
import { charge, type Files, KEY, NOW_SECONDS } from '../../support/providers/stripe.ts';
import {
  BEFORE,
  FILES,
  firstLoad,
  HOUR,
  hours,
  STREAMS,
  statesOf,
} from '../../support/providers/stripe_account.ts';
import { anAccountOf, connectStripe } from '../../support/providers/stripe_sync.ts';
import { testSealer } from '../../support/rows/factory.ts';

test('a stream that fails gets a job of its own, and the others go on', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await firstLoad(db, account);
  const customers = [
    { id: 'cus_1', created: BEFORE },
    { id: 'cus_2', created: NOW_SECONDS + 1_800 },
  ];
  const charges = [...(FILES.charges as object[]), charge('ch_3', { created: NOW_SECONDS + 1_800 })];
  await account.serve({ ...FILES, customers, charges }, { now: hours(1) });
  await account.faults({ kind: 'status', status: 404, on: 'stripe', match: '/v1/customers/cus_2', count: 0 });
  await account.faults({ kind: 'status', status: 400, on: 'stripe', match: '/v1/customers/cus_2', count: 0 });
  const tally = await account.syncAll({ now: hours(1) });
  const [job] = await db.rows(
    "select id::text, payload ->> 'stream' as stream from graphile_worker._private_jobs j where payload ->> 'stream' is not null",
  );
  expect(job).toMatchObject({ stream: 'stripe.customers' });
  expect(tally.streams).toMatchObject({
    'stripe.customers': { job: job?.id },
    'stripe.charges': { changed: 1 },
  });
  expect(tally.incomplete).toBe(`stripe.customers: failed, tried again by job ${job?.id}`);
  const states = await statesOf(db, account);
  expect(states.filter(({ state }) => state !== 'ok')).toMatchObject([
    { stream: 'stripe.customers', state: 'failing' },
  ]);
  await account.faults();
  expect(await account.sync('customers', { now: hours(1) })).toMatchObject({ changed: 1 });
});

test('a check of the account that fails is repeated with the whole run, and by no job of a stream', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) await firstLoad(db, one);
  await db.query('update app.connections set account_asked_at = null where id = $1', [account.connectionId]);
  await account.faults({ kind: 'status', status: 400, on: 'stripe', match: '/v1/account', count: 0 });
  await expect(account.syncAll({ now: hours(1) })).rejects.toMatchObject({ code: 'NS_REQUEST_REFUSED' });
  const own = "select count(*)::int from graphile_worker.jobs where task_identifier = 'sync_stream'";
  expect(await db.column(own)).toEqual([0]);
  expect((await statesOf(db, account)).every(({ state }) => state === 'failing')).toBe(true);
  await account.faults();
  await account.syncAll({ now: hours(1) });
  for (const one of [account, other])
    expect((await statesOf(db, one)).every(({ state }) => state === 'ok')).toBe(true);
});

test('a feed that breaks off fails the streams that it is for, moves none of them, and is asked for again', async () => {
  await using db = await freshDb();
  const many = Array.from({ length: 150 }, (_, index) => ({
    id: `cus_n${index}`,
    created: NOW_SECONDS + 600 + index,
  }));
  await using account = await anAccountOf(db, FILES);
  await firstLoad(db, account);
  await account.serve(
    { ...FILES, customers: [...(FILES.customers as object[]), ...many] },
    { now: hours(1) },
  );
  const positions = () => db.rows('select stream, position from ops.positions order by stream');
  const before = await positions();
  await account.faults({
    kind: 'status',
    status: 500,
    on: 'stripe',
    match: '/v1/events?limit=100',
    after: 1,
    count: 0,
  });
  await expect(account.syncAll({ now: hours(1) })).rejects.toMatchObject({ code: 'NS_PROVIDER_UNAVAILABLE' });
  const isOfLedger = ({ stream }: Record<string, unknown>) => stream === 'stripe.balance_transactions';
  expect((await positions()).filter((one) => !isOfLedger(one))).toEqual(
    before.filter((one) => !isOfLedger(one)),
  );
  const states = await statesOf(db, account);
  expect(states.filter(({ state }) => state === 'ok').map(({ stream }) => stream)).toEqual([
    'stripe.balance_transactions',
  ]);
  const own = "select count(*)::int from graphile_worker.jobs where task_identifier = 'sync_stream'";
  expect(await db.column(own)).toEqual([0]);
  await account.faults();
  expect(await account.syncAll({ now: hours(1) })).toMatchObject({ changed: 150 });
  expect((await statesOf(db, account)).every(({ state }) => state === 'ok')).toBe(true);
});

test('events that Stripe refuses to list for all streams are listed by each of them', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) await firstLoad(db, one);
  const customers = [...(FILES.customers as object[]), { id: 'cus_2', created: NOW_SECONDS + 1_800 }];
  await account.serve({ ...FILES, customers }, { now: hours(1) });
  await account.faults({ kind: 'status', status: 400, on: 'stripe', match: '/v1/events?limit=100' });
  const tally = await account.syncAll({ now: hours(1) });
  expect(tally).toMatchObject({ changed: 1, streams: { 'stripe.customers': { changed: 1 } } });
  expect(tally).not.toHaveProperty('warning'); // nobody has to act
  await other.syncAll({ now: hours(1) });
  for (const one of [account, other]) {
    expect((await statesOf(db, one)).every(({ state }) => state === 'ok')).toBe(true);
    expect(await one.rows('customers', 'id')).toHaveLength(2);
  }
});

test('a stream that is far behind lists its own events, and the others a few hours', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) {
    await firstLoad(db, one);
    await one.syncAll({ now: hours(12) });
  }
  await db.query(
    `update ops.positions set position = position || jsonb_build_object('changesTo', $2::text)
     where brand_id = $1 and stream = 'stripe.customers'`,
    [account.brandId, hours(1)],
  );
  const customers = [...(FILES.customers as object[]), { id: 'cus_2', created: NOW_SECONDS + 2 * HOUR }];
  await account.serve({ ...FILES, customers }, { now: hours(13) });
  const earlier = (await account.asked()).length;
  expect(await account.syncAll({ now: hours(13) })).toMatchObject({ changed: 1 });
  const lists = (await account.asked()).slice(earlier).filter((path) => path.startsWith('/v1/events?'));
  const asked = lists.map((path) => {
    const { searchParams } = new URL(path, 'http://stripe');
    const hour = (Number(searchParams.get('created[gte]')) - NOW_SECONDS) / HOUR;
    return { isOfAll: !searchParams.has('types[]'), isRecent: hour > 11 };
  });
  expect(asked).toEqual([
    { isOfAll: true, isRecent: true },
    { isOfAll: false, isRecent: false },
  ]);
  expect(await account.rows('customers', 'id')).toHaveLength(2);
  expect(await other.rows('customers', 'id')).toHaveLength(1);
});

test('a version of a subscription is dated by an event that came after the list for all streams', async () => {
  await using db = await freshDb();
  const price = { id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 100, created: BEFORE };
  const monthly = { ...price, recurring: { interval: 'month' } };
  const subscription = (quantity: number) => ({
    ...{ id: 'sub_1', customer: 'cus_1', created: BEFORE },
    items: [{ id: 'si_1', price: 'price_1', quantity }],
  });
  await using account = await anAccountOf(db, { prices: [monthly], subscriptions: [subscription(1)] });
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) await firstLoad(db, one);
  const [first, second] = [NOW_SECONDS + 600, NOW_SECONDS + 1_200];
  const events = [first, second].map((created, index) => ({
    ...{ id: `evt_${index}`, type: 'customer.subscription.updated', created },
    data: { object: { id: 'sub_1', object: 'subscription' } },
  }));
  const next = { prices: [monthly], subscriptions: [subscription(3)], events };
  await account.serve(next, { now: hours(1) });
  // The second change happens while the run is under way.
  await account.faults({ kind: 'late_rows', ids: ['evt_1'], requests: 1 });
  for (const one of [account, other]) {
    await one.syncAll({ now: hours(1) });
    const versions = await one.rows('subscription_versions', 'valid_from, items');
    expect(
      versions.find(({ items }) => JSON.stringify(items).includes('"quantity":"3"'))?.valid_from,
    ).toEqual(new Date(second * 1000));
  }
});

test('a run that dies between streams goes on behind what is stored', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await firstLoad(db, account);
  const at = NOW_SECONDS + 1_800;
  const next: Files = {
    ...FILES,
    customers: [...(FILES.customers as object[]), { id: 'cus_2', created: at }],
    charges: [...(FILES.charges as object[]), charge('ch_3', { created: at })],
    balance_transactions: [
      ...(FILES.balance_transactions as object[]),
      { id: 'txn_5', amount: 1_000, currency: 'usd', source: 'ch_3', created: at },
    ],
  };
  await account.serve(next, { now: hours(1) });
  for (let commits = 0; ; commits++) {
    const ended = await account.syncAll({ now: hours(1) }, dyingAfter(db, commits)).then(
      () => true,
      () => false,
    );
    if (ended) break;
    expect(commits).toBeLessThan(30);
  }
  expect(await account.rows('customers', 'id')).toHaveLength(2);
  expect(await account.rows('charges', 'id')).toHaveLength(3);
  expect(await account.rows('balance_transactions', 'id')).toHaveLength(5);
  expect((await statesOf(db, account)).every(({ state }) => state === 'ok')).toBe(true);
});

test('what has to be read completely gets jobs of its own: a new account, and events that are over', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const jobs = async () =>
    (
      await db.column(
        "select payload ->> 'stream' from graphile_worker._private_jobs where payload ->> 'stream' is not null",
      )
    ).sort();
  const named = STREAMS.map((stream) => `stripe.${stream}`).sort();
  expect(await account.syncAll()).toMatchObject({ requests: 0, quiet: 0 });
  expect(await jobs()).toEqual(named);
  await db.query("delete from graphile_worker._private_jobs where payload ->> 'stream' is not null");
  await firstLoad(db, account);
  await account.serve(FILES, { now: hours(31 * 24) });
  await account.syncAll({ now: hours(31 * 24) });
  expect(await jobs()).toEqual(named.filter((stream) => stream !== 'stripe.balance_transactions')); // it needs no events
});

test('a permission that the key lacks fails the streams that need it, until it is granted', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await firstLoad(db, account);
  const key = { key: KEY, permissions: ['rak_product_read', 'rak_plan_read', 'rak_balance_read'] };
  await account.serve(FILES, { now: hours(1), stripe: { acct_acme: { key } } });
  await account.syncAll({ now: hours(1) });
  expect(await db.column('select held_code from app.connections')).toEqual([null]);
  expect(await statesOf(db, account)).toEqual(
    STREAMS.map(() => expect.objectContaining({ state: 'partial' })),
  );
  await account.serve(FILES, { now: hours(2) });
  expect(await account.syncAll({ now: hours(2) })).toMatchObject({ requests: 0 });
  await account.syncAll({ now: hours(22) });
  expect((await statesOf(db, account)).every(({ state }) => state === 'ok')).toBe(true);
});

test('streams that never could be read cost a quiet hour nothing, and are read with a new key', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const other = await connectStripe(db, account.sandbox);
  const permissions = ['rak_charge_read', 'rak_event_read', 'rak_balance_read'];
  await account.serve(FILES, { stripe: { acct_acme: { key: { key: KEY, permissions } } } });
  for (const one of [account, other]) await firstLoad(db, one);
  const lacking = async (one: typeof other) =>
    (await statesOf(db, one)).filter(({ state }) => state !== 'ok').map(({ stream }) => stream);
  const all = await lacking(account);
  expect(all).toContain('stripe.customers');
  const queued = () =>
    db.column(
      "select payload ->> 'stream' from graphile_worker._private_jobs where payload ->> 'stream' is not null",
    );
  const before = (await account.asked()).length;
  await account.syncAll({ now: hours(1) });
  expect((await account.asked()).length - before).toBeLessThanOrEqual(3);
  expect([await queued(), await lacking(account)]).toEqual([[], all]);
  await account.serve(FILES, { now: hours(2) });
  await db.transaction((tx) => replaceSecret(tx, testSealer, account, KEY));
  for (const one of [other, account]) await one.syncAll({ now: hours(2) });
  expect((await queued()).sort()).toEqual(all);
  for (const stream of all) await account.sync(String(stream).replace('stripe.', ''), { now: hours(2) });
  expect(await lacking(account)).toEqual([]);
  expect(await lacking(other)).toEqual(all);
});
