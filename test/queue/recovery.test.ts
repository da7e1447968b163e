import { once as event } from 'node:events';
import { expect, test } from 'vitest';
import { returnStrays, sweepStrangers, sweepWorkers } from '#sql/queue/workers.ts';
import { crash } from '../support/crash.ts';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';
import { add, aWorker, effects, jobsLeft, lockedLanes, runs } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { claimJob } from '../support/run.ts';

// Two processes of their own: what one has when it is killed, the other runs.
test('the jobs of a worker that is killed run elsewhere, their effects happen once', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using killed = runProgram('queue_worker.ts', [db.url]);
  expect(await killed.line()).toBe('ready');
  for (const label of ['a', 'b']) await add(db, effect, { label, ms: 60_000, lane: label, key: label });
  expect([await killed.line(), await killed.line()].sort()).toEqual(['begun a', 'begun b']);
  await using heir = runProgram('queue_worker.ts', [db.url]);
  expect(await heir.line()).toBe('ready');

  killed.child.kill('SIGKILL');

  expect([await heir.line(), await heir.line()].sort()).toEqual(['begun a', 'begun b']);
  const crashed = { attempt: 1, outcome: 'crashed', error_code: 'NS_WORKER_DIED' };
  const running = { attempt: 2, outcome: 'running', error_code: null };
  const records = ['effect:a', 'effect:b'].flatMap((job_key) => [
    { ...crashed, job_key },
    { ...running, job_key },
  ]);
  const stored = 'select attempt, outcome, error_code, job_key from ops.job_runs order by job_id, id';
  await eventually(async () => expect(await db.rows(stored)).toEqual(records));
  const workers = await db.rows(
    'select ended_how, handed_back_at is not null as clean from ops.workers order by started_at',
  );
  expect(workers).toEqual([
    { ended_how: 'crashed', clean: true },
    { ended_how: null, clean: false },
  ]);
});

test('a worker that starts takes over at once what the one before it had when it was killed', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await add(db, effect, { label: 'a', lane: 'l' });
  await crash(db, id, { begun: true });
  await using _ = await aWorker(db);
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
  await eventually(async () => expect(await jobsLeft(db)).toEqual([]));
  expect(await lockedLanes(db)).toEqual([]);
});

test('jobs are handed back even if the order of the queue cannot be kept', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await crash(db, await add(db, effect, { label: 'a' }), { begun: true });
  await db.query('drop function ops.sweep_turns(integer)');
  await using _ = await aWorker(db);
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
});

// The server process of a killed client lives on while its statement runs, with the row locked.
test('a job whose row a dead worker’s session still holds waits for the next sweep', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'a', lane: 'l' });
  await crash(db, id, { begun: true });
  await db.transaction(async (zombie) => {
    await zombie.query(`select from graphile_worker._private_jobs where id = ${id} for update`);
    expect(await sweepWorkers(db)).toBe(0);
    expect(await jobsLeft(db)).toMatchObject([{ locked: true }]);
    expect(await lockedLanes(db)).toEqual(['l']);
  });
  expect(await sweepWorkers(db)).toBe(1);

  expect(await jobsLeft(db)).toMatchObject([{ locked: false, due: true }]);
  expect(await lockedLanes(db)).toEqual([]);
  expect(await db.column('select handed_back_at is not null from ops.workers')).toEqual([true]);
});

test('a worker that holds its lock keeps its jobs', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'a' });
  await crash(db, id, { begun: true });
  await db.transaction(async (alive) => {
    await alive.query('select pg_advisory_xact_lock(lock_key) from ops.workers');
    expect(await sweepWorkers(db)).toBe(0);
  });
  expect(await sweepWorkers(db)).toBe(1);
});

// It is alive, and is about to take the lock again: what it runs would begin a second time.
test('a worker that has just lost its lock does not take itself for dead', async () => {
  await using db = await freshDb();
  const id = await add(db, effect, { label: 'a' });
  await crash(db, id, { begun: true });
  const [self] = await db.column('select id from ops.workers');
  expect(await sweepWorkers(db, String(self))).toBe(0);
  expect(await jobsLeft(db)).toMatchObject([{ locked: true }]);
  expect(await sweepWorkers(db, crypto.randomUUID())).toBe(1);
});

test('what is locked in a name that no living worker bears is handed back after a while', async () => {
  await using db = await freshDb();
  const young = await add(db, effect, { label: 'young' });
  const old = await add(db, effect, { label: 'old', lane: 'l' });
  for (const id of [young, old]) await claimJob(db, id, 'pool-nobody');
  const age = `update graphile_worker._private_jobs set locked_at = now() - interval '11 s' where id = ${old}`;
  await db.query(age);
  expect(await sweepStrangers(db, 10)).toBe(1);
  expect(await jobsLeft(db)).toMatchObject([
    { id: young, locked: true },
    { id: old, locked: false },
  ]);
});

// The claim committed and its answer was lost with the connection: the job is ours and nobody runs it.
test('a worker hands back what is locked in its name and not in its hands, without an attempt spent', async () => {
  await using db = await freshDb();
  const [lost, inHand] = [
    await add(db, effect, { label: 'lost' }),
    await add(db, effect, { label: 'in hand' }),
  ];
  for (const id of [lost, inHand]) await claimJob(db, id, 'pool-ours');
  const ours = { poolId: 'pool-ours', running: [inHand] };
  expect(await returnStrays(db, { ...ours, graceSeconds: 10 })).toBe(0);
  expect(await returnStrays(db, { ...ours, graceSeconds: 0 })).toBe(1);
  expect(await jobsLeft(db)).toMatchObject([
    { id: lost, attempts: 0, locked: false },
    { id: inHand, attempts: 1, locked: true },
  ]);
});

test('a worker that loses its lock takes it again, keeps its running job, and claims again', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using _ = await aWorker(db);
  await add(db, effect, { label: 'running', ms: 3_000 });
  await eventually(async () => expect(await runs(db)).toHaveLength(1));
  const holder =
    "select pid from pg_locks join ops.workers on (classid::bigint << 32) + objid::bigint = lock_key where locktype = 'advisory'";
  const [before] = await db.column(holder);
  await db.query('select pg_terminate_backend($1)', [before]);
  await eventually(async () => expect((await db.column(holder))[0]).not.toBe(before));
  await eventually(async () => expect(await db.column(holder)).toHaveLength(1));
  await add(db, effect, { label: 'next' });
  await eventually(async () =>
    expect(await runs(db)).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]),
  );
  expect(await db.column('select ended_at from ops.workers')).toEqual([null]);
});

test('two stops: the second ends a worker at once, and its job runs elsewhere', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using hurried = runProgram('queue_worker.ts', [db.url, '60']);
  await hurried.line();
  await add(db, effect, { label: 'a', ms: 60_000 });
  expect(await hurried.line()).toBe('begun a');
  hurried.child.kill('SIGTERM');
  const exit = event(hurried.child, 'exit');
  const again = setInterval(() => hurried.child.kill('SIGTERM'), 300);
  await exit;
  clearInterval(again);
  expect(await hurried.ended()).not.toBe(0);
  // The server lets go of the lock when it notices that the process is gone, a moment later.
  await eventually(async () => expect(await sweepWorkers(db)).toBe(1));
});

test('a worker that is told to stop ends with 0 and nothing in its name', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using worker = runProgram('queue_worker.ts', [db.url, '0']);
  await worker.line();
  await add(db, effect, { label: 'a', ms: 60_000 });
  expect(await worker.line()).toBe('begun a');
  worker.child.kill('SIGTERM');
  expect(await worker.ended()).toBe(0);
  // Without time to drain the job may be claimed once more before the library hears of the stop.
  expect(new Set((await runs(db)).map(({ outcome }) => outcome))).toEqual(new Set(['released']));
  expect(await jobsLeft(db)).toMatchObject([{ locked: false, due: true, attempts: 0 }]);
});
