import { expect, test } from 'vitest';
import type { Db } from '#sql/db/pool.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';

const WRITE = 'insert into public.effects (label) values ($1)';

/** Writes its effect in the transaction that ends the run. */
const finishing = defineTask({
  ...effect,
  name: 'finishing',
  run: ({ label, incomplete }, { db }) =>
    db.finish(async (tx) => {
      await tx.query(WRITE, [label]);
      return { done: 1, ...(incomplete !== undefined && { incomplete }) };
    }),
});

const effects = (db: TestDb) => db.column('select label from public.effects order by label');
const runs = (db: TestDb) =>
  db.rows('select attempt, job_key, lane, outcome, tally from ops.job_runs order by id');
const jobs = (db: TestDb) => db.column('select id from graphile_worker._private_jobs');

test('work and end are one transaction: the job is gone, its lane is free, its record complete', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  expect(await runTask(finishing, { label: 'a', key: 'k', lane: 'l' }, db)).toEqual({ done: 1 });

  expect(await effects(db)).toEqual(['a']);
  expect(await jobs(db)).toEqual([]);
  expect(await db.column('select locked_by from graphile_worker._private_job_queues')).toEqual([null]);
  expect(await runs(db)).toEqual([
    { attempt: 1, job_key: 'finishing:k', lane: 'l', outcome: 'succeeded', tally: { done: 1 } },
  ]);
  const [same] = await db.column(
    'select r.xmin = e.xmin from ops.job_runs r, public.effects e where e.label = $1',
    ['a'],
  );
  expect(same).toBe(true);
});

test('an incomplete tally ends it as partial', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await runTask(finishing, { label: 'a', incomplete: 'a row was refused' }, db);
  expect(await runs(db)).toMatchObject([{ outcome: 'partial', tally: { incomplete: 'a row was refused' } }]);
});

test('what earlier transactions began, it ends: there is one record, with the progress', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const twoSteps = defineTask({
    ...effect,
    name: 'two_steps',
    run: async ({ label }, { db, progress }) => {
      await db.transaction((tx) => tx.query(WRITE, [`${label}1`]));
      progress({ step: 2 });
      return db.finish(async (tx) => {
        await tx.query(WRITE, [`${label}2`]);
        return { steps: 2 };
      });
    },
  });
  expect(await runTask(twoSteps, { label: 'a' }, db)).toEqual({ steps: 2 });
  expect(await effects(db)).toEqual(['a1', 'a2']);
  expect(await db.rows('select outcome, tally, progress from ops.job_runs')).toEqual([
    { outcome: 'succeeded', tally: { steps: 2 }, progress: { step: 2 } },
  ]);
});

test('an error in it leaves neither work nor end, and the attempt is spent', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const failing = defineTask({
    ...effect,
    name: 'failing',
    run: ({ label }, { db }) =>
      db.finish(async (tx) => {
        await tx.query(WRITE, [label]);
        throw new Error('It broke.');
      }),
  });
  await expect(runTask(failing, { label: 'a' }, db)).rejects.toThrow('It broke.');
  expect(await effects(db)).toEqual([]);
  expect(await runs(db)).toMatchObject([{ attempt: 1, outcome: 'retrying' }]);
});

test('a run that lost its job commits neither', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await db.transaction((tx) => enqueue(tx, finishing, { label: 'a' }));
  const zombie = await claimJob(db, id);
  await db.query("select ops.hand_back_pool($1, 'crashed', null)", [zombie.locked_by]);
  const owner = await claimJob(db, id);
  expect(await runClaimed(finishing, zombie, db)).toMatchObject({ outcome: 'lost' });
  expect(await effects(db)).toEqual([]);
  expect(await runClaimed(finishing, owner, db)).toMatchObject({ outcome: 'succeeded' });
  expect(await effects(db)).toEqual(['a']);
});

test('one that is to be cancelled commits neither', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await db.transaction((tx) => enqueue(tx, finishing, { label: 'a' }));
  const job = await claimJob(db, id);
  await db.query("select ops.cancel_job($1, '{}')", [id]);
  await runClaimed(finishing, job, db);
  expect(await effects(db)).toEqual([]);
  expect(await runs(db)).toMatchObject([{ outcome: 'cancelled' }]);
});

test('a commit whose answer is lost has happened once, and the run hears that it succeeded', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const bracketed: Db['bracketed'] = async (bracket) => {
    await db.bracketed(bracket);
    throw new Error('Connection terminated unexpectedly');
  };
  const id = await db.transaction((tx) => enqueue(tx, finishing, { label: 'a' }));
  const report = await runClaimed(finishing, await claimJob(db, id), { ...db, bracketed });
  expect(report).toMatchObject({ outcome: 'succeeded' });
  expect(await effects(db)).toEqual(['a']);
  expect(await jobs(db)).toEqual([]);
  expect(await runs(db)).toMatchObject([{ outcome: 'succeeded', tally: { done: 1 } }]);
});

test('what a run does after its end is refused, and the end stands', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const restless = defineTask({
    ...effect,
    name: 'restless',
    run: async ({ label }, { db }) => {
      const tally = await db.finish(async (tx) => {
        await tx.query(WRITE, [label]);
        return { done: 1 };
      });
      await db.transaction((tx) => tx.query(WRITE, ['late']));
      return tally;
    },
  });
  const id = await db.transaction((tx) => enqueue(tx, restless, { label: 'a' }));
  expect(await runClaimed(restless, await claimJob(db, id), db)).toMatchObject({ outcome: 'succeeded' });
  expect(await effects(db)).toEqual(['a']);
  expect(await runs(db)).toMatchObject([{ outcome: 'succeeded' }]);
});
