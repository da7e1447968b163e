import { expect, test } from 'vitest';
import { sweepTurns } from '#sql/queue/workers.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask, TurnOver } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { effect } from '../support/queue_tasks.ts';
import { claimJob, runClaimed } from '../support/run.ts';
import { A, add, addMany, begin, beginAll } from '../support/turns.ts';

const turns = (db: TestDb, brandId: string) =>
  db.column('select turn from ops.jobs where brand_id = $1 order by turn', [brandId]);

test('jobs that a brand queues while another transaction of it holds its row have turns of their own', async () => {
  await using db = await freshDb();
  await add(db, A, { label: 'first' });
  await using other = await openTransaction(db);
  await enqueue(other.tx, effect, { brandId: A, label: 'holds the row' });
  await addMany(db, A, 'a', 20);
  expect(new Set((await turns(db, A)).map(Number)).size).toBe(21);
});

test('a brand whose row is locked gets the turns of its due jobs with the next sweep, one each', async () => {
  await using db = await freshDb();
  await add(db, A, { label: 'first' });
  for (let n = 0; n < 5; n++) await add(db, A, { label: 'due' }, { delaySeconds: 1 });
  await db.query('update graphile_worker._private_jobs set run_at = now() where run_at > now()');
  const waiting = 'select count(*)::int from graphile_worker._private_jobs where not ops.is_turn(run_at)';
  await using other = await openTransaction(db);
  await enqueue(other.tx, effect, { brandId: A, label: 'holds the row' });
  await sweepTurns(db);
  expect(await db.column(waiting)).toEqual([5]);
  await other.commit();
  await using sweeper = await openTransaction(db);
  await sweeper.tx.query('select ops.sweep_turns(500)');
  await sweepTurns(db); // finds the other at it
  await sweeper.commit();
  expect(await db.column(waiting)).toEqual([0]);
  expect(new Set((await turns(db, A)).map(Number)).size).toBe(7);
});

test('a brand that cancels the last of its jobs gets no turn twice', async () => {
  await using db = await freshDb();
  await addMany(db, A, 'a', 3);
  await db.query("select ops.cancel_job(job_id, '{}') from ops.jobs where payload ->> 'label' = 'a2'");
  await addMany(db, A, 'more', 3);
  expect(new Set((await turns(db, A)).map(Number)).size).toBe(5);
  expect(await beginAll(db)).toEqual(['a0', 'a1', 'more0', 'more1', 'more2']);
});

test('one job of the bulk is lifted at a time', async () => {
  await using db = await freshDb();
  for (let n = 0; n < 3; n++) await add(db, A, { label: `bulk${n}` }, { priority: 'bulk' });
  await db.query("update graphile_worker._private_jobs set updated_at = now() - interval '11 minutes'");
  const lifted = () => db.column("select count(*)::int from ops.jobs where priority = 'normal'");
  for (let n = 0; n < 3; n++) await sweepTurns(db);
  expect(await lifted()).toEqual([1]);
  expect(await begin(db)).toBe('bulk0');
  await sweepTurns(db);
  expect(await lifted()).toEqual([2]);
});

test('a job whose worker is killed for the first time keeps its turn', async () => {
  await using db = await freshDb();
  await addMany(db, A, 'a', 2);
  expect(await begin(db)).toBe('a0');
  await db.query("select ops.hand_back_pool('pool', 'crashed', '{}')");
  expect(await begin(db)).toBe('a0');
});

test('newer work with a time keeps the more urgent of two priorities', async () => {
  await using db = await freshDb();
  const runAt = new Date(Date.now() + 60_000);
  await add(db, A, { label: 'a', key: 'k' }, { priority: 'urgent' });
  await add(db, A, { label: 'b', key: 'k' }, { priority: 'bulk', keyMode: 'replace', runAt });
  expect(await db.column('select priority from ops.jobs')).toEqual(['urgent']);
});

const cut = defineTask({
  ...effect,
  name: 'cut',
  run: async () => {
    throw new TurnOver({ requests: 1 });
  },
});

test('a job that makes room goes on in the one that waits for the same work, and in no other', async () => {
  await using db = await freshDb();
  const queue = (label: string) =>
    db.transaction((tx) => enqueue(tx, cut, { brandId: A, label, key: 'k', lane: 'l' }));
  for (const [label, left] of [['same', 1] as const, ['other', 2] as const]) {
    await db.query('delete from graphile_worker._private_jobs');
    const job = await claimJob(db, await queue('same'));
    await db.query('update graphile_worker._private_jobs set key = null');
    await queue(label);
    expect(await runClaimed(cut, job, db)).toMatchObject({ outcome: 'released' });
    expect(await db.column('select count(*)::int from ops.jobs')).toEqual([left]);
  }
});
