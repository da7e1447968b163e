import { expect, test } from 'vitest';
import { sweepWorkers } from '#sql/queue/workers.ts';
import { jobStates } from '../../bin/cli/shared/queue_state.ts';
import { crash } from '../support/crash.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { add, jobsLeft, lockedLanes, runs } from '../support/queue.ts';
import { effect, makeEffects, once, steps } from '../support/queue_tasks.ts';
import { claimJob, runClaimed } from '../support/run.ts';

const waits = async (db: TestDb) =>
  (
    await db.column('select extract(epoch from run_at - now())::float8 from graphile_worker.jobs')
  )[0] as number;

test('a job rests longer with each crash in a row, not at all after the first or after progress', async () => {
  await using db = await freshDb();
  const id = await add(db, steps, { label: 'a', steps: 1 });
  const rest = async (how: { begun: boolean; committed?: boolean }) => {
    await crash(db, id, how);
    await sweepWorkers(db);
    return waits(db);
  };
  expect(await rest({ begun: true })).toBeLessThanOrEqual(0);
  for (const full of [5, 10, 20]) {
    const seconds = await rest({ begun: full !== 10 }); // also when it crashed before its record began
    expect(seconds).toBeGreaterThan(full / 2 - 1);
    expect(seconds).toBeLessThanOrEqual(full);
  }
  expect(await rest({ begun: true, committed: true })).toBeLessThanOrEqual(0);
  expect(await rest({ begun: true })).toBeLessThanOrEqual(0);
  expect(await rest({ begun: true })).toBeGreaterThan(1);
  for (let more = 0; more < 12; more++) await rest({ begun: true });
  expect(await waits(db)).toBeLessThanOrEqual(600);
  expect(await waits(db)).toBeGreaterThan(290);
});

test('a job whose last attempt crashed is tried once more instead of being dead without a word', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await add(db, once, { label: 'a', fail: 'plain' });
  await crash(db, id, { begun: true });
  await sweepWorkers(db);
  expect(await jobsLeft(db)).toMatchObject([{ attempts: 0, locked: false, due: true }]);
  await runClaimed(once, await claimJob(db, id), db);
  expect(await runs(db)).toMatchObject([{ outcome: 'crashed' }, { outcome: 'dead', error_code: 'Error' }]);
});

// It is likely to be what ends them: an endless loop, more memory than there is.
test.each([
  { task: effect, crashes: 3 },
  { task: once, crashes: 3 },
])(
  'a job that ends each worker ($task.name) is dead after $crashes crashes, and says why',
  async ({ task, crashes }) => {
    await using db = await freshDb();
    const id = await add(db, task, { label: 'a', key: 'k', lane: 'l' });
    for (let crashed = 0; crashed < crashes; crashed++) {
      expect((await jobStates(db, [id]))[0]?.state).not.toBe('dead');
      await crash(db, id, { begun: crashed !== 1 });
      await sweepWorkers(db);
    }
    expect(await jobStates(db, [id])).toMatchObject([
      {
        state: 'dead',
        error_code: 'NS_WORKER_DIED',
        error_message: expect.stringContaining('So did those of the 2 runs before'),
        error_hint: expect.stringContaining(`npx nightshift jobs retry ${id}`),
      },
    ]);
    expect(await lockedLanes(db)).toEqual([]);
    expect(await db.column('select key from graphile_worker.jobs')).toEqual([null]); // new work is a new job
  },
);

test('a job that commits something before each crash is not taken for what ends the workers', async () => {
  await using db = await freshDb();
  const id = await add(db, once, { label: 'a' });
  for (let crashed = 0; crashed < 5; crashed++) {
    await crash(db, id, { begun: true, committed: true });
    await sweepWorkers(db);
  }
  expect((await jobStates(db, [id]))[0]?.state).toBe('crashed');
});

test('a crash keeps the key of the job, unless newer work has it; it never spends all attempts', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'a', key: 'k' });
  await crash(db, id, { begun: true });
  await sweepWorkers(db);
  expect(await db.column('select key from graphile_worker.jobs')).toEqual(['effect:k']);

  await crash(db, id, { begun: false });
  const newer = await add(db, effect, { label: 'b', key: 'k' }); // sets the attempts of the first to 3
  await sweepWorkers(db);
  expect(await db.rows('select id::text, key, attempts from graphile_worker.jobs order by id')).toEqual([
    { id, key: null, attempts: 2 },
    { id: newer, key: 'effect:k', attempts: 0 },
  ]);
});

test('a crash that is not on record spends one attempt, also if newer work came meanwhile', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await add(db, effect, { label: 'a', key: 'k', fail: 'retry' });
  await crash(db, id, { begun: false });
  await add(db, effect, { label: 'b', key: 'k' });
  await sweepWorkers(db);
  expect((await jobsLeft(db))[0]).toMatchObject({ id, attempts: 1 });
  await runClaimed(effect, await claimJob(db, id), db);
  expect((await runs(db)).map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
    [1, 'crashed'],
    [2, 'retrying'],
  ]);
});
