import { expect, test } from 'vitest';
import { z } from 'zod';
import { cancelJobs } from '#sql/queue/jobs.ts';
import { returnJobs, sweepWorkers } from '#sql/queue/workers.ts';
import { defineTask } from '#tasks/task.ts';
import { lookOnce } from '#workers/scheduler/scheduler.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { eventually } from '../support/eventually.ts';
import { add, aWorker, effects, jobsLeft, lockedLanes } from '../support/queue.ts';
import { effect, makeEffects, once } from '../support/queue_tasks.ts';
import { claimJob, quiet, runClaimed } from '../support/run.ts';
import { aSchedule, chime, ledger } from '../support/schedules/schedule.ts';

/** Writes, and keeps its transaction open for longer than any test waits. */
const stuck = defineTask({
  name: 'stuck',
  payload: z.strictObject({ label: z.string() }),
  lane: () => 'narrow',
  key: () => 'one',
  attempts: 3,
  timeoutSeconds: 300,
  async run({ label }, { db }) {
    await db.transaction(async (tx) => {
      await tx.query('insert into public.effects (label) values ($1)', [label]);
      await tx.query('select pg_sleep(200)');
    });
    return {};
  },
});

const because = { code: 'NS_JOB_CANCELLED', message: 'We say so.' };
const wish = (db: TestDb, id: string) =>
  db.transaction(async (tx) => (await cancelJobs(tx, [id], because))[0]?.result);
const outcomes = (db: TestDb) => db.column('select outcome from ops.job_runs order by id');
const requests = (db: TestDb) => db.column('select job_id::text from ops.cancel_requests');
const sleeps = (db: TestDb) =>
  db.column(
    `select count(*)::int from pg_stat_activity
     where datname = current_database() and query like '%pg_sleep(200)%' and pid <> pg_backend_pid()`,
  );

test('a job in the midst of a long transaction is broken off, and nothing of it is written', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const env = { DATABASE_URL: db.url };
  const id = await add(db, stuck, { label: 'never' });
  await using _ = await aWorker(db, { tasks: [stuck, effect] });
  await eventually(async () => expect(await sleeps(db)).toEqual([1]));
  const asked = await nightshift(['jobs', 'cancel', id, '--reason', 'wrong shop', '--json'], { env });
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.json()).toEqual([{ job_id: id, state: 'cancelling' }]);
  await eventually(async () => expect(await outcomes(db)).toEqual(['cancelled']));
  expect(await jobsLeft(db)).toEqual([]);
  expect(await requests(db)).toEqual([]);
  expect(await lockedLanes(db)).toEqual([]);
  await eventually(async () => expect(await sleeps(db)).toEqual([0]));
  await add(db, effect, { label: 'next', lane: 'narrow' });
  await eventually(async () => expect(await effects(db)).toEqual(['next']));
  expect(await db.rows('select action, target, before, after, details from ops.audit_log')).toEqual([
    {
      ...{ action: 'jobs.cancel', target: id, details: { task: 'stuck', reason: 'wrong shop' } },
      ...{ before: { state: 'running' }, after: { state: 'cancelling' } },
    },
  ]);
  const shown = await nightshift(['jobs', 'show', id], { env });
  expect(shown.stdout).toMatch(/NS_JOB_CANCELLED: \S+ cancelled it: wrong shop/);
});

test('what waits, is dead or held is cancelled at once; what is gone or has ended is told so', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const env = { DATABASE_URL: db.url };
  const [waiting, dead, held] = [
    await add(db, effect, { label: 'w' }),
    await add(db, once, { label: 'd', fail: 'give_up' }),
    await add(db, effect, { label: 'h' }),
  ];
  await runClaimed(once, await claimJob(db, dead), db);
  await db.query("update graphile_worker._private_jobs set run_at = 'infinity' where id = $1", [held]);
  for (const id of [waiting, dead, held]) {
    const cancelled = await nightshift(['jobs', 'cancel', id], { env });
    expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringContaining('is cancelled') });
  }
  expect(await jobsLeft(db)).toEqual([]);
  expect(await outcomes(db)).toEqual(['dead', 'cancelled', 'cancelled', 'cancelled']);
  const again = await nightshift(['jobs', 'cancel', waiting], { env });
  expect(again).toMatchObject({ code: 4, stderr: expect.stringContaining('has ended before: cancelled') });
  expect(await nightshift(['jobs', 'cancel', '99999'], { env })).toMatchObject({ code: 3 });
  const retried = await nightshift(['jobs', 'retry', waiting], { env });
  expect(retried).toMatchObject({ code: 4, stderr: expect.stringContaining('Queue the work anew') });
  expect(await db.column('select count(*)::int from ops.audit_log')).toEqual([3]);
});

test('a run that is to be cancelled begins no transaction any more, and ends as cancelled', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const job = await claimJob(db, await add(db, effect, { label: 'x' }));
  expect(await wish(db, String(job.id))).toBe('asked');
  expect(await wish(db, String(job.id))).toBe('asking');
  expect(await db.column('select why from ops.jobs')).toEqual(['it is being cancelled']);
  expect((await runClaimed(effect, job, db)).outcome).toBe('cancelled');
  expect([await effects(db), await jobsLeft(db), await requests(db)]).toEqual([[], [], []]);
});

test('a run that had done its work by then stays a success', async () => {
  await using db = await freshDb();
  const idle = defineTask({ ...once, name: 'idle', run: async () => ({}) });
  const job = await claimJob(db, await add(db, idle, { label: 'x' }));
  await wish(db, String(job.id));
  expect((await runClaimed(idle, job, db)).outcome).toBe('succeeded');
  await sweepWorkers(db);
  expect([await outcomes(db), await requests(db)]).toEqual([['succeeded'], []]);
});

test('a job whose worker is gone is cancelled instead of handed back', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'x' });
  await claimJob(db, id, 'gone');
  await wish(db, id);
  await returnJobs(db, 'gone');
  expect([await outcomes(db), await jobsLeft(db), await requests(db)]).toEqual([['cancelled'], [], []]);
});

test('a request that meets a run at its end is answered by the sweep', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'x' });
  await db.query(
    `insert into ops.cancel_requests (job_id, error) values ($1, '{"code":"NS_JOB_CANCELLED"}')`,
    [id],
  );
  {
    await using holder = await openTransaction(db);
    await holder.tx.query('select from graphile_worker._private_jobs for update');
    await sweepWorkers(db); // waits for nobody
    expect(await requests(db)).toEqual([id]);
  }
  await sweepWorkers(db);
  expect([await outcomes(db), await jobsLeft(db), await requests(db)]).toEqual([['cancelled'], [], []]);
});

test('a schedule that fires again breaks off the long transaction of its last job', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const slow = { ...chime, key: () => 'one', run: stuckRun };
  async function stuckRun(_: unknown, { db: jobs }: Parameters<typeof stuck.run>[1]) {
    await jobs.transaction((tx) => tx.query('select pg_sleep(200)'));
    return {};
  }
  const given = { expression: '0 * * * *', at: '2026-03-01T00:30:00Z', overlap: 'cancel' } as const;
  const id = await aSchedule(db, given);
  const look = (now: string) => lookOnce({ db, log: quiet, tasks: [slow], now: new Date(now) });
  await look('2026-03-01T01:00:00Z');
  await using _ = await aWorker(db, { tasks: [slow] });
  await eventually(async () => expect(await sleeps(db)).toEqual([1]));
  await eventually(() => look('2026-03-01T02:00:00Z')); // it may meet its row, and tries again in a second
  expect(await ledger(db, id)).toEqual(['2026-03-01T01:00Z queued', '2026-03-01T02:00Z queued']);
  const [first, second] = await db.column('select job_id from ops.schedule_slots order by slot');
  expect(first).not.toBe(second);
  const ends = () => db.column('select outcome from ops.job_runs where job_id = $1', [first]);
  await eventually(async () => expect(await ends()).toEqual(['cancelled']));
  await nightshift(['jobs', 'cancel', String(second)], { env: { DATABASE_URL: db.url } });
});
