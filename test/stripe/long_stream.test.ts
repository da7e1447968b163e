/** A stream with very many changes: it goes on where it was broken off, and does not keep the others waiting. */
import { expect, test } from 'vitest';
import { streamsOf } from '#connectors/providers.ts';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import { syncAccount, syncConnection } from '#tasks/sync_connection.ts';
import { runStream, syncStream } from '#tasks/sync_stream.ts';
import type { TaskContext } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { dyingAfter } from '../support/providers/shopify.ts';
import { charge, type Files, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { testKeyring } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const MANY = 350;
const APART_SECONDS = 10;
const LATER = new Date((NOW_SECONDS + 2 * 3_600) * 1000).toISOString().replace('.000Z', 'Z');
const each = <T>(make: (index: number) => T) => Array.from({ length: MANY }, (_, index) => make(index));
const customers = (more: object) =>
  each((index) => ({ id: `cus_${index}`, created: NOW_SECONDS - 86_400, ...more }));
const BEFORE: Files = {
  customers: customers({}),
  charges: [charge('ch_1', { created: NOW_SECONDS - 86_400 })],
};
const AT = NOW_SECONDS + 600;
const AFTER: Files = {
  customers: customers({ delinquent: true }),
  charges: [...(BEFORE.charges as object[]), charge('ch_2', { created: AT })],
  events: [
    ...each((index) => ({
      ...{ id: `evt_${index}`, type: 'customer.updated', created: AT + index * APART_SECONDS },
      data: { object: { id: `cus_${index}`, object: 'customer' } },
    })),
    {
      id: 'evt_ch',
      type: 'charge.succeeded',
      created: AT,
      data: { object: { id: 'ch_2', object: 'charge' } },
    },
  ],
};

async function twoAccounts(db: TestDb) {
  const account = await anAccountOf(db, BEFORE);
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) {
    await db.transaction((tx) => limitRequests(tx, one, 2_000));
    for (const { name } of streamsOf('stripe')) await one.sync(name.slice('stripe.'.length));
  }
  await account.serve(AFTER, { now: LATER });
  return { account, other };
}

test('a run that is broken off within many changes goes on behind those that are stored', async () => {
  await using db = await freshDb();
  const { account, other } = await twoAccounts(db);
  await using _ = account;
  await expect(account.sync('customers', { now: LATER }, dyingAfter(db, 3))).rejects.toThrow('is gone');
  const earlier = (await account.asked()).length;
  await account.sync('customers', { now: LATER });
  const asked = (await account.asked()).slice(earlier).filter((path) => path.startsWith('/v1/customers/'));
  // Two pages of 100 are stored; those of the last five minutes before their end are read again.
  expect(asked).toHaveLength(MANY - 200 + 300 / APART_SECONDS);
  await other.sync('customers', { now: LATER });
  for (const { brandId } of [account, other])
    expect(
      await db.column('select count(*)::int from raw.stripe_customers where brand_id = $1 and delinquent', [
        brandId,
      ]),
    ).toEqual([MANY]);
});

test('a stream that takes too long goes on in its own job, and those behind it are read', async () => {
  await using db = await freshDb();
  const { account, other } = await twoAccounts(db);
  await using _ = account;
  const impatient = {
    ...syncConnection,
    run: (which: Parameters<typeof syncAccount>[0], context: Parameters<typeof syncAccount>[1]) =>
      syncAccount(which, context, 0),
  };
  const { brandId, connectionId } = account;
  const which = { brandId, connectionId, now: LATER };
  const tally = await runTask(impatient, which, db, { services: testKeyring });
  expect(tally.streams).toMatchObject({ 'stripe.customers': { read: 100, job: expect.any(String) } });
  expect(await account.rows('charges', 'id')).toEqual([{ id: 'ch_1' }, { id: 'ch_2' }]);
  const states = () =>
    db.rows(
      `select last_run_at = $2::timestamptz as "isRead", state from ops.positions
       where brand_id = $1 and stream in ('stripe.customers', 'stripe.payouts') order by stream`,
      [brandId, LATER],
    );
  expect(await states()).toEqual([
    { isRead: false, state: 'ok' },
    { isRead: true, state: 'ok' },
  ]);
  const jobs = await db.column(
    "select payload ->> 'stream' from graphile_worker._private_jobs where payload ->> 'connectionId' = $1 and payload ->> 'stream' is not null and locked_at is null",
    [connectionId],
  );
  expect(jobs.sort()).toEqual(['stripe.charges', 'stripe.customers']);
  for (const stream of ['charges', 'customers']) await account.sync(stream, { now: LATER });
  expect(await states()).toEqual([
    { isRead: true, state: 'ok' },
    { isRead: true, state: 'ok' },
  ]);
  expect(await other.rows('charges', 'id')).toEqual([{ id: 'ch_1' }]);
});

test('a stream with very much makes room for the jobs of another brand, and goes on where it was', async () => {
  await using db = await freshDb();
  const { account, other } = await twoAccounts(db);
  await using _ = account;
  const impatient = {
    ...syncStream,
    run: (which: Parameters<typeof runStream>[0], context: TaskContext) => runStream(which, context, 0),
  };
  const { brandId, connectionId } = account;
  const which = { brandId, connectionId, stream: 'stripe.customers', now: LATER };
  const read = () => runTask(impatient, which, db, { services: testKeyring, tasks: [rollup.name] });
  const waits = await db.transaction((tx) =>
    enqueue(tx, rollup, { brandId: other.brandId, retailerId: null }),
  );
  await db.query(
    "update graphile_worker._private_jobs set updated_at = now() - interval '1 minute' where id = $1",
    [waits],
  );
  expect(await read()).toMatchObject({ read: 100 });
  expect(
    await db.rows(
      "select attempts, state, key is not null as keyed from ops.jobs where payload ->> 'stream' = 'stripe.customers' and brand_id = $1",
      [brandId],
    ),
  ).toEqual([{ attempts: 0, state: 'waiting', keyed: true }]);
  expect(await db.column('select outcome from ops.job_runs order by id desc limit 1')).toEqual(['released']);
  await db.query("delete from graphile_worker._private_jobs where payload ->> 'brandId' = $1", [
    other.brandId,
  ]);
  expect(await read()).toMatchObject({ read: MANY - 100 + 300 / APART_SECONDS });
  expect(
    await db.column('select count(*)::int from raw.stripe_customers where brand_id = $1 and delinquent', [
      brandId,
    ]),
  ).toEqual([MANY]);
});
