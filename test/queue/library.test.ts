/** Faults of graphile-worker 0.18: each is shown with the library as it comes, then with our worker. */
import { EventEmitter, once as event } from 'node:events';
import { Logger, makeWorkerUtils, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { sweepWorkers } from '#sql/queue/workers.ts';
import { defineTask } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { type Program, runProgram } from '../support/program.ts';
import { add, aWorker, effects, jobsLeft, runs } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { claimJob } from '../support/run.ts';

const logger = new Logger(() => () => {});

/** The library in this process. Its sweep runs at once instead of within the first minute. */
async function plain(db: TestDb, taskList: TaskList) {
  const events: WorkerEvents = new EventEmitter();
  const swept = event(events, 'resetLocked:success');
  const intervals = { minResetLockedInterval: 1, maxResetLockedInterval: 1 };
  // A sweep may be under way as the library stops: the pool waits for it, which a database handed on would break off.
  const pgPool = new pg.Pool({ connectionString: db.url });
  pgPool.on('error', () => {});
  const usual = { pgPool, logger, noHandleSignals: true, pollInterval: 50, parsedCronItems: [] };
  const runner = await run({ ...usual, ...intervals, taskList, events });
  return {
    swept,
    async [Symbol.asyncDispose]() {
      await runner.stop();
      await pgPool.end();
    },
  };
}

/** Starts a process and puts the jobs in its hands. */
async function inHand(db: TestDb, program: Program, labels: string[], ms: number): Promise<void> {
  expect(await program.line()).toBe('ready');
  for (const label of labels) await add(db, effect, { label, ms });
  for (const _ of labels) expect(await program.line()).toMatch(/^begun /);
}

/** The next deletion of a job goes wrong as told, once. */
async function spoilNextEnd(db: TestDb, how: string): Promise<void> {
  await db.query(`
    create sequence public.ends;
    create function public.spoil() returns trigger language plpgsql as $$
    begin
      if nextval('public.ends') = 1 then ${how}; end if;
      return old;
    end $$;
    create trigger spoil before delete on graphile_worker._private_jobs
    for each row execute function public.spoil()`);
}
const conflict = `raise exception 'conflict' using errcode = 'serialization_failure'`;
const crash = 'perform pg_terminate_backend(pg_backend_pid())';

const labels = ['a', 'b', 'c', 'd'];

test('plain: a graceful stop loses the last completion', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using worker = runProgram('plain_worker.ts', [db.url, 'drain']);
  await inHand(db, worker, labels, 1_000);
  worker.child.kill('SIGTERM');
  await worker.ended();
  expect(await effects(db)).toHaveLength(4);
  expect(await jobsLeft(db)).toContainEqual(expect.objectContaining({ locked: true })); // for four hours
});

test('ours: a graceful stop loses no completion', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using worker = runProgram('queue_worker.ts', [db.url]);
  await inHand(db, worker, labels, 1_000);
  worker.child.kill('SIGTERM');
  expect(await worker.ended()).toBe(0);
  expect(await effects(db)).toHaveLength(4);
  expect(await jobsLeft(db)).toEqual([]);
});

test('plain: with completion in batches one conflict ends the process, with exit code 0', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await spoilNextEnd(db, conflict);
  await using worker = runProgram('plain_worker.ts', [db.url, 'batch']);
  await inHand(db, worker, ['a'], 100);
  expect(await worker.ended()).toBe(0);
  expect(await jobsLeft(db)).toMatchObject([{ locked: true }]);
});

test('plain: a server process that dies as a job ends takes the worker with it', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await spoilNextEnd(db, crash);
  await using worker = runProgram('plain_worker.ts', [db.url, 'drain']);
  await inHand(db, worker, ['a'], 100);
  expect(await worker.ended()).toBe(1);
  expect(await jobsLeft(db)).toMatchObject([{ locked: true }]);
});

test.each([
  ['a conflict', conflict],
  ['the death of its server process', crash],
])('ours: %s as a job ends delays that end, and nothing else happens', async (_, how) => {
  await using db = await freshDb();
  await makeEffects(db);
  await spoilNextEnd(db, how);
  await using worker = runProgram('queue_worker.ts', [db.url]);
  await inHand(db, worker, ['a'], 100);
  await eventually(async () => expect(await jobsLeft(db)).toEqual([]));
  await add(db, effect, { label: 'b' });
  expect(await worker.line()).toBe('begun b');
  await eventually(async () =>
    expect(await runs(db)).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]),
  );
  expect(await effects(db)).toContain('a');
});

test('plain: the jobs of a crashed worker stay locked, sweep or no sweep', async () => {
  await using db = await freshDb();
  await claimJob(db, await add(db, effect, { label: 'a' }), 'pool-dead');
  await using worker = await plain(db, { effect: () => {} });
  await worker.swept;
  expect(await jobsLeft(db)).toMatchObject([{ locked: true }]);
});

test('plain: a crash on the last attempt makes a dead job without an error', async () => {
  await using db = await freshDb();
  const id = await add(db, { ...effect, attempts: 1 }, { label: 'a' });
  await claimJob(db, id, 'pool-dead');
  await db.query("update graphile_worker._private_jobs set locked_at = now() - interval '5 h'");
  await using worker = await plain(db, { effect: () => {} });
  await worker.swept;
  const dead = await db.rows(
    'select attempts, max_attempts, last_error, locked_by from graphile_worker.jobs',
  );
  expect(dead).toEqual([{ attempts: 1, max_attempts: 1, last_error: null, locked_by: null }]);
});

test('ours: a crash on the last attempt leaves a job that runs, and a record that says why', async () => {
  await using db = await freshDb();
  const id = await add(db, { ...effect, attempts: 1 }, { label: 'a' });
  await claimJob(db, id, 'pool-dead');
  await db.query(`insert into ops.workers (id, pool_id, lock_key, host, process_id, started_at)
                  values (gen_random_uuid(), 'pool-dead', 1, 'gone', 1, now())`);
  expect(await sweepWorkers(db)).toBe(1);
  expect(await jobsLeft(db)).toMatchObject([{ attempts: 0, locked: false, due: true }]);
  expect(await runs(db)).toMatchObject([{ outcome: 'crashed', error_code: 'NS_WORKER_DIED' }]);
});

test('plain: rescheduleJobs with attempts 0 leaves a dead job dead', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'a' });
  await db.query('update graphile_worker._private_jobs set attempts = max_attempts');
  const utils = await makeWorkerUtils({ pgPool: db.pool, logger });
  await utils.rescheduleJobs([id], { attempts: 0, runAt: new Date() });
  await utils.release();
  expect(await jobsLeft(db)).toMatchObject([{ attempts: 3 }]); // releaseJobs: queue_hold.test.ts
});

// The job goes to another owner while the body runs. What the first worker does at its end must not
// reach the row that is the other's now.
test.each(['plain', 'ours'])('%s: the end of a run whose job has gone to somebody else', async (whose) => {
  await using db = await freshDb();
  await makeEffects(db);
  const robbed = Promise.withResolvers<void>();
  const rob = async () => {
    await db.query(
      'select graphile_worker.force_unlock_workers(array(select locked_by from graphile_worker.jobs))',
    );
    const [id] = await db.column('select id from graphile_worker.jobs');
    await claimJob(db, String(id), 'pool-other');
    robbed.resolve();
  };
  const robbery = defineTask({ ...effect, run: () => rob().then(() => ({})) });
  {
    await using _ =
      whose === 'plain' ? await plain(db, { effect: rob }) : await aWorker(db, { tasks: [robbery] });
    await add(db, effect, { label: 'a' });
    await robbed.promise;
  }
  // The library's last statement is one that nobody waits for; ours has been by the time of the stop.
  const left = () => db.column('select locked_by from graphile_worker.jobs');
  if (whose === 'plain') await eventually(async () => expect(await left()).toEqual([]));
  else expect(await left()).toEqual(['pool-other']);
});

// The statements that we keep from the server are known by their names only. Every one that does
// reach it is looked at here, through all the ways in which a job can end.
test('no statement of the library that ends a job or frees a lock reaches the server', async () => {
  using sent = vi.spyOn(pg.Client.prototype, 'query');
  const names = () => sent.mock.calls.flatMap(([query]) => String(Object(query).name ?? ''));
  const ending = /^(complete|fail|clear|return|reset)/;
  const mix = async (db: TestDb) => {
    await makeEffects(db);
    for (const fail of [undefined, 'retry', 'give_up', 'wait'] as const) {
      for (const lane of [undefined, 'l']) await add(db, effect, { label: 'a', fail, lane });
    }
  };
  {
    await using db = await freshDb();
    await mix(db);
    await using worker = await plain(db, {
      effect: (payload) => expect(Object(payload).fail).toBe(undefined),
    });
    await worker.swept;
    await eventually(async () =>
      expect(new Set(names().filter((name) => ending.test(name))).size).toBeGreaterThanOrEqual(4),
    );
  }
  sent.mockClear();
  {
    await using db = await freshDb();
    await mix(db);
    await using _ = await aWorker(db);
    await eventually(async () =>
      expect(await db.column("select id from ops.job_runs where outcome <> 'running'")).toHaveLength(8),
    );
  }
  expect(names()).toContain('get_job/graphile_worker');
  expect(names().filter((name) => ending.test(name))).toEqual([]);
});
