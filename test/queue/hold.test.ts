import { expect, test } from 'vitest';
import { releaseJobs } from '#sql/queue/jobs.ts';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { effect, makeEffects, Trouble } from '../support/queue_tasks.ts';
import { testSealer } from '../support/rows/factory.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';

type Place = { brandId: string; connectionId: string };

/** Two brands, each with a connection of the same id. */
async function twoBrands(db: TestDb): Promise<[Place, Place]> {
  const connectionId = '11111111-1111-4111-8111-111111111111';
  const places = ['a', 'b'].map(async (slug) => {
    const [brandId] = await db.column(
      `insert into app.brands (slug, name, time_zone, reporting_currency)
       values ($1, $1, 'UTC', 'EUR') returning id`,
      [slug],
    );
    await db.query(
      `insert into app.connections
         (brand_id, id, name, provider, level, account, base_url, auth, secret, secret_key_id)
       values ($1, $2, 'mail', 'mailer', 'brand', 'x', 'http://127.0.0.1', 'key', '', 'k')`,
      [brandId, connectionId],
    );
    return { brandId: String(brandId), connectionId };
  });
  return [await places[0], await places[1]] as [Place, Place];
}

const release = (db: TestDb, { brandId, connectionId }: Place) =>
  db.transaction(async (tx) => {
    await tx.query(
      'update app.connections set held_at = null, held_code = null, held_reason = null where (brand_id, id) = ($1, $2)',
      [brandId, connectionId],
    );
    return releaseJobs(tx, { brandId, connectionId });
  });
const heldAs = (db: TestDb) =>
  db.rows(
    'select b.slug, held_code, held_reason from app.connections c join app.brands b on b.id = c.brand_id where held_at is not null',
  );
const queue = (db: TestDb) =>
  db.rows(
    "select attempts, run_at = 'infinity' as parked, key from graphile_worker._private_jobs order by id",
  );
const outcomes = (db: TestDb) => db.column('select outcome from ops.job_runs order by id');

test('an error that needs a person holds the connection of that brand and parks the job', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [a] = await twoBrands(db);
  await expect(runTask(effect, { ...a, label: 'x', key: 'k', fail: 'hold' }, db)).rejects.toThrow(Trouble);
  expect(await heldAs(db)).toEqual([
    { slug: 'a', held_code: 'NS_PROVIDER_UNAVAILABLE', held_reason: 'The provider is in trouble.' },
  ]);
  expect(await queue(db)).toEqual([{ attempts: 0, parked: true, key: 'effect:k' }]);
  expect(await outcomes(db)).toEqual(['held']);
});

test('a job of a held connection parks itself and its body does not run; another brand’s runs', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [a, b] = await twoBrands(db);
  await expect(runTask(effect, { ...a, label: 'x', fail: 'hold' }, db)).rejects.toThrow(Trouble);

  const id = await db.transaction((tx) => enqueue(tx, effect, { ...a, label: 'y' }));
  expect(await runClaimed(effect, await claimJob(db, id), db)).toEqual({ outcome: 'held' });
  await runTask(effect, { ...b, label: 'z' }, db);

  expect(await db.column('select label from public.effects order by label')).toEqual(['x', 'z']);
  expect(await queue(db)).toMatchObject([{ parked: true }, { parked: true, attempts: 0 }]);
  const reasons = await db.column(
    "select error_message from ops.job_runs where outcome = 'held' order by id",
  );
  expect(reasons[1]).toContain('Connection mail is held: The provider is in trouble.');
});

// rescheduleJobs of the library takes attempts 0 for "leave them as they are".
test('a release puts the parked jobs back with all their attempts, and those of no other brand', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [a, b] = await twoBrands(db);
  for (const place of [a, b]) {
    const id = await db.transaction((tx) => enqueue(tx, effect, { ...place, label: 'x', fail: 'hold' }));
    await db.query('update graphile_worker._private_jobs set attempts = 2 where id = $1', [id]);
    await runClaimed(effect, await claimJob(db, id), db);
  }
  expect(await queue(db)).toMatchObject([
    { attempts: 2, parked: true },
    { attempts: 2, parked: true },
  ]);

  expect(await release(db, a)).toBe(1);

  expect(await queue(db)).toMatchObject([
    { attempts: 0, parked: false },
    { attempts: 2, parked: true },
  ]);
  expect(await heldAs(db)).toMatchObject([{ slug: 'b' }]);
});

// The job sees the hold, the release happens, the job parks itself: nobody would ever wake it.
test('a job that meets a hold while it is being released runs instead of being parked for good', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [a] = await twoBrands(db);
  await db.query('update app.connections set held_at = now()');
  const id = await db.transaction((tx) => enqueue(tx, effect, { ...a, label: 'x' }));
  const job = await claimJob(db, id);

  await using releasing = await openTransaction(db);
  await releasing.tx.query('update app.connections set held_at = null');
  const run = runClaimed(effect, job, db);
  await untilSomebodyWaitsFor(db, releasing);
  await releaseJobs(releasing.tx, a);
  await releasing.commit();

  expect(await run).toMatchObject({ outcome: 'succeeded' });
});

// A key is replaced while a run still uses the old one, which the provider refuses at that moment.
test('a run that was refused with an older key holds nothing, and is tried with the new one', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [a, b] = await twoBrands(db);
  const rotated = defineTask({
    ...effect,
    name: 'rotated',
    async run(payload, context) {
      if (payload.label === 'old key') {
        await db.transaction((tx) => replaceSecret(tx, testSealer, { ...a, actor: 'test' }, 'a new key'));
      }
      return effect.run(payload, context);
    },
  });
  await expect(runTask(rotated, { ...a, label: 'old key', fail: 'hold' }, db)).rejects.toThrow(Trouble);
  expect(await heldAs(db)).toEqual([]);
  expect(await outcomes(db)).toEqual(['retrying']);
  const due = 'select attempts, run_at <= now() as due from graphile_worker.jobs';
  expect(await db.rows(due)).toEqual([{ attempts: 0, due: true }]);

  await expect(runTask(rotated, { ...b, label: 'x', fail: 'hold' }, db)).rejects.toThrow(Trouble);
  await expect(runTask(rotated, { ...a, label: 'new key', fail: 'hold' }, db)).rejects.toThrow(Trouble);
  expect((await heldAs(db)).map(({ slug }) => slug).sort()).toEqual(['a', 'b']);
});

test('a hold without a connection that could be released makes the job dead, with the reason', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await expect(runTask(effect, { label: 'x', fail: 'hold' }, db)).rejects.toThrow(Trouble);
  expect(await outcomes(db)).toEqual(['dead']);
  expect(await queue(db)).toMatchObject([{ attempts: 3, parked: false }]);
});
