import { expect, test } from 'vitest';
import { errorList } from '#runtime/error_list.ts';
import { sweepTurns } from '#sql/queue/workers.ts';
import { defineTask, TurnOver } from '#tasks/task.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { add, aWorker, effects, jobsLeft } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { type Place, twoBrands } from '../support/rows/two_brands.ts';
import { claimJob, runClaimed } from '../support/run.ts';

const open = (db: TestDb) =>
  db.column(
    `select b.slug from ops.current_pauses p join app.brands b on b.id = p.brand_id where p.by_breaker order by 1`,
  );
const minutes = (db: TestDb) =>
  db.column('select round(extract(epoch from until - paused_at) / 60)::int from ops.pauses where by_breaker');
const run = async (db: TestDb, id: string) => (await runClaimed(effect, await claimJob(db, id), db)).outcome;

/** Fails `times` runs of the connection, of jobs with attempts to spare. Gives the last job. */
async function fail(db: TestDb, place: Place, times: number): Promise<string> {
  let id = '';
  for (let n = 0; n < times; n++) {
    if (n % 2 === 0) id = await add(db, effect, { ...place, label: 'x', fail: 'retry' });
    await run(db, id);
  }
  return id;
}

/** As if the time had come, also for the jobs that a sweep has put off until then. */
const expire = async (db: TestDb) => {
  await db.query('select ops.wake_jobs(flag, until) from ops.pauses where by_breaker');
  await db.query(
    'update ops.pauses set until = now(), paused_at = now() - (until - paused_at) where by_breaker',
  );
};

test('five runs in a row that a provider was too busy for pause the connection, and spend no attempt', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme, brio] = await twoBrands(db);
  await fail(db, brio, 4); // which has a connection of the same id
  const last = await fail(db, acme, 4);
  expect(await open(db)).toEqual([]);
  expect(await run(db, last)).toBe('snoozed'); // its last attempt
  expect(await open(db)).toEqual(['acme']);
  expect(await minutes(db)).toEqual([1]);
  const waits =
    'select attempts, run_at >= (select until from ops.pauses) as waits from graphile_worker._private_jobs';
  expect(await db.rows(`${waits} where id = $1`, [last])).toEqual([{ attempts: 2, waits: true }]);
  const other = await add(db, effect, { ...acme, label: 'y', fail: 'retry' }); // was under way already
  expect(await run(db, other)).toBe('snoozed');
  const shown = await nightshift(['jobs', 'pauses', '--json'], { env: { DATABASE_URL: db.url } });
  expect(shown.json()).toMatchObject([
    {
      brand: 'acme',
      connection: 'mail',
      paused_by: 'breaker',
      reason: expect.stringContaining('NS_PROVIDER_UNAVAILABLE'),
    },
  ]);
});

test('a run that fails after the pause pauses for twice as long, an hour at most', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  await fail(db, acme, 5);
  const lengths = [];
  for (let n = 0; n < 7; n++) {
    await expire(db);
    expect(await open(db)).toEqual([]);
    expect(await run(db, await add(db, effect, { ...acme, label: 'x', fail: 'retry' }))).toBe('snoozed');
    lengths.push(...(await minutes(db)));
  }
  expect(lengths).toEqual([2, 4, 8, 16, 32, 60, 60]);
});

test('a run that succeeds closes it, and it takes five to open it again', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  await fail(db, acme, 5);
  await db.query('delete from graphile_worker._private_jobs');
  await add(db, effect, { ...acme, label: 'good' });
  await using _ = await aWorker(db);
  await add(db, effect, { label: 'of nobody' });
  await eventually(async () => expect(await effects(db)).toContain('of nobody'));
  expect(await effects(db)).not.toContain('good');
  await expire(db);
  await eventually(async () => expect(await effects(db)).toContain('good'));
  await eventually(async () => expect(await minutes(db)).toEqual([]));
  expect(await jobsLeft(db)).toEqual([]);
});

test('other errors, and five that are not in a row, open nothing', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  await fail(db, acme, 4);
  await run(db, await add(db, effect, { ...acme, label: 'good' }));
  await fail(db, acme, 4);
  expect(await open(db)).toEqual([]);
  await run(db, await add(db, effect, { ...acme, label: 'x', fail: 'plain' }));
  await run(db, await add(db, effect, { ...acme, label: 'x', fail: 'retry' }));
  expect(await open(db)).toEqual([]);
});

test('a run that makes room for others was answered: it closes a breaker, and stands between refusals', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const cut = defineTask({
    ...effect,
    name: 'cut',
    run: async () => {
      throw new TurnOver({ requests: 1 });
    },
  });
  const makeRoom = async () =>
    runClaimed(cut, await claimJob(db, await add(db, cut, { ...acme, label: 'x' })), db);
  await fail(db, acme, 4);
  await makeRoom();
  await fail(db, acme, 4);
  expect(await minutes(db)).toEqual([]);
  await fail(db, acme, 1);
  await expire(db);
  await makeRoom();
  expect(await minutes(db)).toEqual([]);
});

test('a run that succeeds without a request says nothing of the provider: it neither closes nor keeps away', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const quiet = defineTask({ ...effect, name: 'quiet', run: async () => ({ requests: 0 }) });
  const succeed = async () =>
    runClaimed(quiet, await claimJob(db, await add(db, quiet, { ...acme, label: 'x' })), db);
  await fail(db, acme, 3);
  await succeed();
  await fail(db, acme, 2);
  expect(await minutes(db)).toEqual([1]);
  await succeed();
  expect(await minutes(db)).toEqual([1]);
});

test('a breaker that closes wakes what waits for it, and nothing that its provider told to wait', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const told = await add(db, effect, { ...acme, label: 'x', fail: 'wait', retryAfterMs: 600_000 });
  await fail(db, acme, 4);
  await run(db, told);
  const put = await add(db, effect, { ...acme, label: 'put off' });
  await sweepTurns(db);
  await run(db, await add(db, effect, { ...acme, label: 'good' })); // was under way already
  await sweepTurns(db);
  const due = 'select run_at <= now() from graphile_worker._private_jobs where id = $1';
  expect(await db.column(due, [put])).toEqual([true]);
  expect(await db.column(due, [told])).toEqual([false]);
});

test('a person who resumes the connection closes it', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const last = await fail(db, acme, 5);
  const env = { DATABASE_URL: db.url };
  const resumed = await nightshift(['jobs', 'resume', '--brand', 'acme', '--connection', 'mail'], { env });
  expect(resumed).toMatchObject({ code: 0 });
  expect(await minutes(db)).toEqual([]);
  expect(await db.column('select run_at <= now() from ops.jobs where job_id = $1', [last])).toEqual([true]);
});

test('what it counts are errors that we have', async () => {
  await using db = await freshDb();
  const codes = await db.column(
    'select code from unnest($1::text[]) code where ops.is_overload(code) order by 1',
    [Object.keys(errorList)],
  );
  expect(codes).toEqual(['NS_PROVIDER_UNAVAILABLE', 'NS_RATE_LIMITED']);
});
