import { expect, test } from 'vitest';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { makePace } from '#connectors/stripe/api/rate_limit.ts';
import { openDb } from '#sql/db/pool.ts';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aRealWorker } from '../support/money/worker.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT, charge, KEY, NOW, NOW_SECONDS, stripeSandbox } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { aConnection } from '../support/rows/factory.ts';

const CHARGES = 600;
const WORKERS = 3;
const LISTS = ['charges', 'refunds'];

const files = {
  charges: Array.from({ length: CHARGES }, (_, index) =>
    charge(`ch_${index}`, { created: NOW_SECONDS - index * 4_000 }),
  ),
  refunds: Array.from({ length: CHARGES }, (_, index) => ({
    ...{ id: `re_${index}`, amount: 10, currency: 'usd', charge: `ch_${index}` },
    created: NOW_SECONDS - index * 4_000,
  })),
};

type Sandbox = { url: string };

async function answersOf({ url }: Sandbox): Promise<{ status: number; path: string }[]> {
  const answer = await fetch(`${url}/_sandbox/requests`);
  const { requests } = (await answer.json()) as { requests: { status: number; path: string }[] };
  return requests;
}

/** Several brands that read the same account: each has its lane, so their jobs run side by side. */
async function readBySeveral(db: TestDb, sandbox: Sandbox, requestsPerSecond?: number): Promise<void> {
  for (let index = 0; index < WORKERS; index++) {
    const { brandId, connectionId } = await connectStripe(db, sandbox);
    if (requestsPerSecond !== undefined)
      await db.transaction((tx) => limitRequests(tx, { brandId, connectionId }, requestsPerSecond));
    for (const list of LISTS) {
      const which = { brandId, connectionId, stream: `stripe.${list}`, now: NOW };
      await db.transaction((tx) => enqueue(tx, syncStream, which));
    }
  }
  await using _one = aRealWorker(db);
  await using _other = aRealWorker(db);
  const over = "select count(*)::int from ops.job_runs where outcome = 'succeeded' and task = 'sync_stream'";
  await eventually(async () => expect(await db.column(over)).toEqual([WORKERS * LISTS.length]));
}

const stored = (db: TestDb) =>
  db.column(`select count(*)::int from raw.stripe_charges
             union all select count(*)::int from raw.stripe_refunds`);

// The sandbox counts as Stripe does and refuses what is more. A process that was held up sends late what
// it was due to send before, so now and then one is too many; a storm would be most of them.
test.for([
  { what: 'what Stripe allows everybody', limits: { endpoint: 25, global: 25 }, raised: undefined },
  { what: 'a limit that was raised', limits: { endpoint: 60, global: 60 }, raised: 60 },
])('several workers together keep to $what', async ({ limits, raised }) => {
  await using db = await freshDb();
  const stripe = { [ACCOUNT]: { key: KEY, limits: { seconds: 1, ...limits } } };
  await using sandbox = await stripeSandbox(files, { stripe });
  await readBySeveral(db, sandbox, raised);
  expect(await stored(db)).toEqual([WORKERS * CHARGES, WORKERS * CHARGES]);

  const answers = await answersOf(sandbox);
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.length).toBeGreaterThan((WORKERS * LISTS.length * CHARGES) / 100);
  expect(refused.length).toBeLessThan(answers.length / 2);
  const flow = (raised ?? 25) * 0.8;
  const buckets = await db.rows(
    'select distinct restore_per_second::float8 as flow from ops.rate_budgets order by 1',
  );
  expect(buckets).toEqual([{ flow }]);
});

test('workers that Stripe refuses because others use up the account go on one after the other', async () => {
  await using db = await freshDb();
  // A fraction of what we count on: as if another program took the rest. Even a slow machine asks more often.
  const stripe = { [ACCOUNT]: { key: KEY, limits: { seconds: 2, endpoint: 4 } } };
  await using sandbox = await stripeSandbox({ charges: files.charges.slice(0, 300) }, { stripe });
  const readers = await Promise.all([1, 2].map(() => connectStripe(db, sandbox)));
  await Promise.all(readers.map((reader) => reader.sync('charges')));
  expect(await db.column('select count(*)::int from raw.stripe_charges')).toEqual([600]);
  const answers = await answersOf(sandbox);
  const refused = answers.filter(({ status }) => status === 429).length;
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan((answers.length * 3) / 4);
});

test('a refusal without a time to wait, a lock and an answer that asks to be tried again are waited out', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: files.charges.slice(0, 150) });
  const set = await setFaults(
    account.sandbox,
    { kind: 'status', on: 'stripe', status: 429, reason: 'global-rate', count: 2 },
    { kind: 'status', on: 'stripe', status: 429, code: 'lock_timeout', after: 2 },
    { kind: 'status', on: 'stripe', status: 400, code: 'try_later', shouldRetry: true, after: 3 },
  );
  expect(set.ok).toBe(true);
  await account.sync('charges');
  expect(await db.column('select count(*)::int from raw.stripe_charges')).toEqual([150]);
  const faulty = (await answersOf(account.sandbox)).filter(({ status }) => status >= 400);
  expect(faulty.map(({ status }) => status).sort()).toEqual([400, 429, 429, 429]);
});

test.for([500, 409, 429])(
  'a %i that would come again is asked for once, and left to the queue',
  async (status) => {
    await using db = await freshDb();
    await using account = await anAccountOf(db, { charges: files.charges.slice(0, 150) });
    const fault = { kind: 'status', on: 'stripe', status, match: '/v1/charges', count: 0 };
    await setFaults(account.sandbox, { ...fault, shouldRetry: false });
    const code = status === 429 ? 'NS_RATE_LIMITED' : 'NS_PROVIDER_UNAVAILABLE';
    await expect(account.sync('charges')).rejects.toMatchObject({ code, verdict: 'retry' });
    const faulty = (await answersOf(account.sandbox)).filter(({ status }) => status >= 400);
    expect(faulty).toHaveLength(1);
    await setFaults(account.sandbox);
    await account.sync('charges');
    expect(await db.column('select count(*)::int from raw.stripe_charges')).toEqual([150]);
  },
);

/** The same account as several workers see it, each through connections of its own. */
async function paced(db: TestDb) {
  const { brandId, id: connectionId } = await aConnection(db, {
    ...{ provider: 'stripe', account: ACCOUNT, auth: 'key', secret: KEY },
  });
  const which = { brandId, connectionId, account: ACCOUNT, livemode: false };
  const other = openDb(db.url, { applicationName: 'nightshift test', max: 4 });
  const waitsOf = (through: Pick<TestDb, 'query' | 'transaction'>) => {
    const pace = makePace(through, which);
    return {
      block: pace.block,
      async wait(endpoint = '/v1/charges') {
        const stats = newRequestStats();
        await pace.take(endpoint, { signal: new AbortController().signal, stats });
        return stats.waitedMs;
      },
    };
  };
  return {
    one: waitsOf(db),
    other: waitsOf(other),
    limit: (number: number | null) =>
      db.transaction((tx) => limitRequests(tx, { brandId, connectionId }, number)),
    [Symbol.asyncDispose]: () => other[Symbol.asyncDispose](),
  };
}

test('another endpoint has a bucket of its own, within that of the account', async () => {
  await using db = await freshDb();
  await using workers = await paced(db);
  await workers.one.wait('/v1/charges');
  await workers.other.wait('/v1/charges/{id}');
  const buckets = await db.rows<{ account: string; taken: number }>(
    'select account, (maximum - available)::float8 as taken from ops.rate_budgets order by account',
  );
  const [whole, ...endpoints] = buckets;
  // Between the two some of what the first one took may have flowed in again.
  expect(whole?.account).toBe(`${ACCOUNT} test`);
  expect(whole?.taken).toBeGreaterThanOrEqual(1);
  expect(endpoints).toEqual([
    { account: `${ACCOUNT} test /v1/charges`, taken: 1 },
    { account: `${ACCOUNT} test /v1/charges/{id}`, taken: 1 },
  ]);
});

test('a limit that an operator changes holds for workers that run, from their next request on', async () => {
  await using db = await freshDb();
  await using workers = await paced(db);
  const bucket = () =>
    db.rows(`select distinct maximum::float8, restore_per_second::float8 as flow from ops.rate_budgets`);
  await workers.one.wait();
  expect(await bucket()).toEqual([{ maximum: 4, flow: 20 }]);
  await workers.limit(200);
  await workers.other.wait();
  expect(await bucket()).toEqual([{ maximum: 32, flow: 160 }]);
  await workers.limit(2);
  await workers.one.wait();
  expect(await bucket()).toEqual([{ maximum: 1, flow: 1.6 }]);
  await workers.limit(null);
  await workers.one.wait();
  expect(await bucket()).toEqual([{ maximum: 4, flow: 20 }]);
});

test('after a refusal all workers wait, and then go on one after the other', async () => {
  await using db = await freshDb();
  await using workers = await paced(db);
  await workers.one.wait();
  await workers.one.block(2_000);
  const both = [workers.one, workers.other];
  const waits = await Promise.all([...both, ...both].map((worker) => worker.wait()));
  expect(Math.min(...waits)).toBeGreaterThan(0);
  // Nothing that was saved up before is left, and nothing flowed in meanwhile: each has a place of its own.
  const places = 'select available::float8 from ops.rate_budgets where account = $1';
  expect(await db.column(places, [`${ACCOUNT} test`])).toEqual([-4]);
});

test('a wait that is too long is left to the queue, and what it took is given back', async () => {
  await using db = await freshDb();
  await using workers = await paced(db);
  await workers.one.wait();
  await workers.one.block(3_600_000);
  await expect(workers.other.wait()).rejects.toMatchObject({ code: 'NS_RATE_LIMITED', verdict: 'retry' });
  const [available] = await db.column('select min(available)::float8 from ops.rate_budgets');
  expect(available).toBeGreaterThanOrEqual(0);
});
