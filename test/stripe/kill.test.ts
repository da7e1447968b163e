import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aRealWorker } from '../support/money/worker.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { charge, KEY, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { randomFrom } from '../support/random.ts';

const STREAMS = ['charges', 'balance_transactions', 'subscriptions'];
const CHARGES = 1_500;
const SUBSCRIPTIONS = 260;
const PER_SECOND = 7;
const KILLS = 3;
const PAGE_SIZE = 100;
const LISTS = /^\/v1\/(charges|balance_transactions|subscriptions)\?/;
/** Windows that are read at once, and as many pages that are being stored together meanwhile. */
const PAGES_IN_HAND = 4 + 4;

const created = (index: number) => NOW_SECONDS - 30 * 86_400 + Math.floor(index / PER_SECOND) * 5_000;
const each = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

const FILES = {
  charges: each(CHARGES, (index) => charge(`ch_${index}`, { created: created(index), amount: 500 + index })),
  balance_transactions: each(CHARGES, (index) => ({
    ...{ id: `txn_${index}`, amount: 500 + index, fee: 30, currency: 'usd' },
    ...{ created: created(index), source: `ch_${index}` },
  })),
  prices: [
    { id: 'month', product: 'prod_1', currency: 'usd', unit_amount: 900, recurring: { interval: 'month' } },
  ],
  subscriptions: each(SUBSCRIPTIONS, (index) => ({
    ...{ id: `sub_${index}`, customer: `cus_${index}`, created: created(index) },
    items: [{ id: `si_${index}`, price: 'month', quantity: 1 + (index % 3) }],
  })),
};

/** Everything that a sync leaves behind but who it was for and when it was stored. */
async function stored(db: TestDb, { brandId, connectionId }: { brandId: string; connectionId: string }) {
  const tables = [
    'charges',
    'balance_transactions',
    'subscriptions',
    'subscription_items',
    'subscription_versions',
  ];
  const rows: Record<string, unknown> = {};
  for (const table of tables) {
    rows[table] = await db.column(
      `select to_jsonb(t) - '{brand_id,connection_id,seen_at}'::text[] from raw.stripe_${table} t
       where brand_id = $1 and connection_id = $2 order by id`,
      [brandId, connectionId],
    );
  }
  rows.checks = await db.rows(
    `select distinct stream, check_name, expected, found, ok from ops.completeness
     where brand_id = $1 and connection_id = $2 order by 1, 2`,
    [brandId, connectionId],
  );
  rows.positions = await db.rows(
    `select stream, state, cause, position from ops.positions
     where brand_id = $1 and connection_id = $2 order by stream`,
    [brandId, connectionId],
  );
  return rows;
}

const countStored = async (db: TestDb, brandId: string) =>
  Number(
    (
      await db.column(
        `select (select count(*) from raw.stripe_charges where brand_id = $1)
              + (select count(*) from raw.stripe_balance_transactions where brand_id = $1)
              + (select count(*) from raw.stripe_subscriptions where brand_id = $1)`,
        [brandId],
      )
    )[0],
  );

/** How often the lists gave an object that they had given before: each request is asked once more. */
async function givenTwice(url: string, since: number): Promise<number> {
  const answer = await fetch(`${url}/_sandbox/requests?since=${since}`);
  const { requests } = (await answer.json()) as { requests: { path: string; query: string }[] };
  const ids: string[] = [];
  for (const request of requests.filter(({ path }) => LISTS.test(path))) {
    const again = await fetch(`${url}/stripe${request.path}`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    const { data = [] } = (await again.json()) as { data?: { id: string }[] };
    ids.push(...data.map(({ id }) => id));
  }
  return ids.length - new Set(ids).size;
}

// Brand A is read by one that nobody disturbs, brand B with the same account by workers that are killed.
test('a first load whose workers are killed again and again ends as one that nobody disturbed', async () => {
  const seed = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
  const random = randomFrom(seed);
  await using db = await freshDb();
  await using calm = await anAccountOf(db, FILES);
  for (const stream of STREAMS) expect(await calm.sync(stream)).toMatchObject({ rejected: 0 });
  const stormy = await connectStripe(db, calm.sandbox);
  const { brandId, connectionId } = stormy;
  const first = (await calm.asked()).length;
  await setFaults(calm.sandbox, { kind: 'slow', on: 'stripe', ms: 60, count: 0 });
  for (const stream of STREAMS) {
    const payload = { brandId, connectionId, stream: `stripe.${stream}`, now: NOW };
    await db.transaction((tx) => enqueue(tx, syncStream, payload));
  }
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await countStored(db, brandId);
    await using worker = aRealWorker(db);
    await eventually(async () => expect(await countStored(db, brandId)).toBeGreaterThan(before));
    await sleep(random() * 300);
    await worker.kill();
  }
  await setFaults(calm.sandbox);
  await using _ = aRealWorker(db);
  await eventually(async () => {
    await db.query('update graphile_worker._private_jobs set run_at = now() where run_at > now()');
    const left = await db.column("select id from graphile_worker.jobs where task_identifier = 'sync_stream'");
    expect(left).toEqual([]);
  });
  const crashed = await db.column("select id from ops.job_runs where outcome = 'crashed'");
  expect(crashed.length, `seed ${seed}`).toBeGreaterThan(0); // the storm hit somebody
  const twice = await givenTwice(calm.sandbox.url, first);
  expect(twice, `seed ${seed}`).toBeLessThanOrEqual(KILLS * PAGES_IN_HAND * PAGE_SIZE);
  // A job that crashed rests, so the ledger may have come before the charges that it is held against.
  for (const account of [calm, stormy]) await account.sync('balance_transactions');
  const expected = await stored(db, calm);
  expect(await stored(db, stormy), `seed ${seed}`).toEqual(expected);
  expect(expected.subscription_versions).toHaveLength(SUBSCRIPTIONS);
  expect(expected.positions).toEqual(STREAMS.toSorted().map(() => expect.objectContaining({ state: 'ok' })));
  expect(expected.checks).toContainEqual(expect.objectContaining({ check_name: 'balance USD', ok: true }));
});
