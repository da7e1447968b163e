import fc from 'fast-check';
import { expect, test } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask } from '#tasks/task.ts';
import {
  BACKOFF_FIRST_SECONDS,
  BACKOFF_MAX_SECONDS,
  backoffSeconds,
  endOfFailure,
  RETRY_AFTER_MAX_SECONDS,
  RETRY_AFTER_SPREAD,
} from '#workers/queue/retry_policy.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { effect, makeEffects, once, Trouble } from '../support/queue_tasks.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';

const JOBS = `
  select id::int, attempts, max_attempts, key, locked_by, last_error,
         extract(epoch from run_at - now())::float8 as waits
  from graphile_worker._private_jobs order by id`;
const jobs = (db: TestDb) => db.rows(JOBS);
const lastRun = async (db: TestDb) =>
  (await db.rows('select * from ops.job_runs order by id desc limit 1'))[0];

test('the pause doubles with each attempt up to its limit, and at least half of it is kept', async () => {
  const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  await assertHolds(
    fc.property(fc.integer({ min: 1, max: 100 }), chance, (attempt, random) => {
      const full = Math.min(BACKOFF_FIRST_SECONDS * 2 ** (attempt - 1), BACKOFF_MAX_SECONDS);
      const seconds = backoffSeconds(attempt, () => random);
      expect(seconds).toBeGreaterThanOrEqual(full / 2);
      expect(seconds).toBeLessThanOrEqual(full);
    }),
  );
  expect(backoffSeconds(3, () => 0)).toBe(10);
  expect(backoffSeconds(3, () => 0.5)).toBe(15); // jobs that failed together come back apart
});

test('a time that the provider names is kept, a little is added, and a day is the most', () => {
  const wait = (ms: number, random: number) =>
    endOfFailure(new Trouble('retry', ms), { attempt: 3, attemptsMax: 3 }, () => random);
  expect(wait(90_000, 0)).toMatchObject({ outcome: 'snoozed', attempts: 2, delaySeconds: 90 });
  expect(wait(90_000, 1).delaySeconds).toBe(90 * (1 + RETRY_AFTER_SPREAD));
  expect(wait(Number.MAX_SAFE_INTEGER, 0).delaySeconds).toBe(RETRY_AFTER_MAX_SECONDS);
  expect(wait(-5, 0).delaySeconds).toBe(0);
});

test('a failed attempt is spent, the error is kept whole, and the job waits its pause with its key', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await expect(runTask(effect, { label: 'a', key: 'k', lane: 'l', fail: 'retry' }, db)).rejects.toThrow(
    Trouble,
  );

  const [job] = await jobs(db);
  expect(job).toMatchObject({ attempts: 1, max_attempts: 3, key: 'effect:k', locked_by: null });
  expect(job?.waits).toBeGreaterThan(0);
  expect(job?.waits).toBeLessThanOrEqual(BACKOFF_FIRST_SECONDS);
  expect(await db.column('select locked_by from graphile_worker._private_job_queues')).toEqual([null]);
  expect(await lastRun(db)).toMatchObject({
    outcome: 'retrying',
    error_code: 'NS_PROVIDER_UNAVAILABLE',
    error_message: 'The provider is in trouble.',
    error_hint: 'Do what a person does.',
    error_stack: expect.stringContaining('queue_tasks.ts'),
  });
});

test('each attempt has a row, and after the last one the job is kept as dead with its reason', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await db.transaction((tx) => enqueue(tx, effect, { label: 'a', fail: 'plain' }));
  for (let attempt = 1; attempt <= 3; attempt++) await runClaimed(effect, await claimJob(db, id), db);

  const outcomes = await db.rows('select attempt, outcome, error_code from ops.job_runs order by id');
  expect(outcomes).toEqual([
    { attempt: 1, outcome: 'retrying', error_code: 'Error' },
    { attempt: 2, outcome: 'retrying', error_code: 'Error' },
    { attempt: 3, outcome: 'dead', error_code: 'Error' },
  ]);
  const [job] = await jobs(db);
  expect(job).toMatchObject({ attempts: 3, locked_by: null, last_error: 'Error: It broke.' });
});

test('an error that says give up makes the job dead at once', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await expect(runTask(effect, { label: 'a', fail: 'give_up' }, db)).rejects.toThrow(Trouble);
  expect((await jobs(db))[0]).toMatchObject({ attempts: 3, last_error: expect.stringContaining('trouble') });
  expect(await lastRun(db)).toMatchObject({ outcome: 'dead', attempt: 1 });
});

test('waiting for a provider spends no attempt, however often it happens', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const payload = { label: 'a', fail: 'wait', retryAfterMs: 120_000 } as const;
  const id = await db.transaction((tx) => enqueue(tx, once, payload));
  for (let turn = 0; turn < 3; turn++) await runClaimed(once, await claimJob(db, id), db);

  const [job] = await jobs(db);
  expect(job).toMatchObject({ attempts: 0, max_attempts: 1 });
  expect(job?.waits).toBeGreaterThan(100);
  expect(await db.column('select outcome from ops.job_runs')).toEqual(['snoozed', 'snoozed', 'snoozed']);
});

test('a provider that names no time is not asked without end: each wait in vain is longer, a minute at most', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const vain = defineTask({
    ...once,
    name: 'vain',
    run: async () => {
      throw new Trouble('retry', 0);
    },
  });
  const id = await db.transaction((tx) => enqueue(tx, vain, { label: 'a' }));
  const waits: number[] = [];
  for (let turn = 0; turn < 7; turn++) {
    await runClaimed(vain, await claimJob(db, id), db);
    const [seconds] = await db.column(
      'select extract(epoch from run_at - updated_at) from graphile_worker._private_jobs',
    );
    waits.push(Number(seconds));
  }
  for (const [index, seconds] of waits.entries()) {
    const full = Math.min(5 * 2 ** index, 60);
    expect(seconds).toBeGreaterThan(full / 2 - 1);
    expect(seconds).toBeLessThanOrEqual(full);
  }
  expect((await jobs(db))[0]).toMatchObject({ attempts: 0 });
});

// The end of a run may be written and its answer lost: it is asked for again.
test('an end that is written twice by a run without a record has happened once, with one record', async () => {
  await using db = await freshDb();
  const brief = defineTask({ ...effect, name: 'brief', run: async () => ({ done: 1 }) });
  let asked = 0;
  const deaf: TestDb = {
    ...db,
    async query(text, values) {
      const answer = await db.query<never>(text, values);
      if (JSON.stringify(text).includes('ops.end_run') && !asked++)
        throw new Error('Connection terminated unexpectedly');
      return answer;
    },
  };
  expect(await runTask(brief, { label: 'a', key: 'k' }, deaf)).toEqual({ done: 1 });
  expect(asked).toBe(2);
  expect(await db.rows('select attempt, job_key, outcome, tally from ops.job_runs')).toEqual([
    { attempt: 1, job_key: 'brief:k', outcome: 'succeeded', tally: { done: 1 } },
  ]);
  expect(await jobs(db)).toEqual([]);
});

test('an end that is written twice has has happened once', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const deaf: TestDb = {
    ...db,
    async query(text, values) {
      const answer = await db.query<never>(text, values);
      if (JSON.stringify(text).includes('ops.end_run') && !asked++)
        throw new Error('Connection terminated unexpectedly');
      return answer;
    },
  };
  let asked = 0;
  await expect(runTask(effect, { label: 'a', fail: 'retry' }, deaf)).rejects.toThrow(Trouble);
  expect(asked).toBe(2);
  expect((await jobs(db))[0]).toMatchObject({ attempts: 1 });
  asked = 0;
  expect(await runTask(effect, { label: 'b' }, deaf)).toEqual({ effects: 1 });
  expect(asked).toBe(2);
  expect(await db.column('select outcome from ops.job_runs order by id')).toEqual(['retrying', 'succeeded']);
});
