/** Workers that are killed in the midst of a run for all streams of an account, and between them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { streamsOf } from '#connectors/providers.ts';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { syncConnection } from '#tasks/sync_connection.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { eventually } from '../../support/eventually.ts';
import { aRealWorker } from '../../support/money/worker.ts';
import { setFaults } from '../../support/providers/sandbox.ts';
import { charge, type Files, NOW_SECONDS } from '../../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../../support/providers/stripe_sync.ts';
import { randomFrom } from '../../support/random.ts';

const NEW = 150;
const KILLS = 3;
const LATER = new Date((NOW_SECONDS + 3_600) * 1000).toISOString().replace('.000Z', 'Z');

const each = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));
const files = (count: number): Files => ({
  customers: each(count, (index) => ({ id: `cus_${index}`, created: NOW_SECONDS + index })),
  charges: each(count, (index) => charge(`ch_${index}`, { created: NOW_SECONDS + index })),
  balance_transactions: each(count, (index) => ({
    ...{ id: `txn_${index}`, amount: 1_000, fee: 30, currency: 'usd' },
    ...{ created: NOW_SECONDS + index, source: `ch_${index}` },
  })),
});

type Account = { brandId: string; connectionId: string };

/** What a run leaves behind, but who it was for and when it was stored. */
async function stored(db: TestDb, { brandId }: Account) {
  const rows: Record<string, unknown> = {};
  for (const table of ['customers', 'charges', 'balance_transactions'])
    rows[table] = await db.column(
      `select to_jsonb(t) - '{brand_id,connection_id,seen_at}'::text[] from raw.stripe_${table} t
       where brand_id = $1 order by id`,
      [brandId],
    );
  rows.streams = await db.rows(
    "select stream, state, complete_to from ops.positions where brand_id = $1 and stream <> 'stripe.balance_transactions' order by 1",
    [brandId],
  );
  return rows;
}

const countStored = async (db: TestDb, { brandId }: Account) =>
  Number(
    (
      await db.column(
        `select ((select count(*) from raw.stripe_customers where brand_id = $1)
             + (select count(*) from raw.stripe_charges where brand_id = $1))::int`,
        [brandId],
      )
    )[0],
  );

test('a run whose workers are killed ends as one that nobody disturbed', async () => {
  const seed = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
  const random = randomFrom(seed);
  await using db = await freshDb();
  await using calm = await anAccountOf(db, files(1));
  const stormy = await connectStripe(db, calm.sandbox);
  for (const account of [calm, stormy]) {
    await db.transaction((tx) => limitRequests(tx, account, 2_000));
    for (const { name } of streamsOf('stripe')) await account.sync(name.replace('stripe.', ''));
  }
  await calm.serve(files(NEW), { now: LATER });
  await calm.syncAll({ now: LATER });
  await setFaults(calm.sandbox, { kind: 'slow', on: 'stripe', ms: 40, count: 0 });
  const { brandId, connectionId } = stormy;
  await db.transaction((tx) => enqueue(tx, syncConnection, { brandId, connectionId, now: LATER }));
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await countStored(db, stormy);
    await using worker = aRealWorker(db);
    const isOver = async () => (await countStored(db, stormy)) === 2 * NEW;
    await eventually(async () =>
      expect((await countStored(db, stormy)) > before || (await isOver())).toBe(true),
    );
    await sleep(random() * 200);
    await worker.kill();
  }
  await setFaults(calm.sandbox);
  await using _ = aRealWorker(db);
  await eventually(async () => {
    await db.query(
      "update graphile_worker._private_jobs set run_at = now() where run_at > now() and payload ->> 'stream' is null",
    );
    expect(await db.column("select job_id from ops.jobs where task = 'sync_connection'")).toEqual([]);
  });
  const crashed = await db.column("select id from ops.job_runs where outcome = 'crashed'");
  expect(crashed.length, `seed ${seed}`).toBeGreaterThan(0); // the storm hit somebody
  const expected = await stored(db, calm);
  expect(await stored(db, stormy), `seed ${seed}`).toEqual(expected);
  expect(expected.customers).toHaveLength(NEW);
  const balance = "select ok from ops.completeness where check_name = 'balance USD' and brand_id = $1";
  expect(await db.column(balance, [brandId])).toEqual([true]);
});
