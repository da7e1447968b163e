import { expect, test } from 'vitest';
import { z } from 'zod';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { claimJob, runClaimed } from '../support/run.ts';

type Options = Parameters<typeof enqueue>[3];
const add = (db: TestDb, label: string, options?: Options) =>
  db.transaction((tx) => enqueue(tx, effect, { label, key: 'k' }, options));
const JOBS = 'select id::text, attempts, max_attempts, key from graphile_worker._private_jobs order by id';

test('work with the key of a waiting job is that job, and does not postpone it', async () => {
  await using db = await freshDb();
  const runAt = new Date('2020-01-01T00:00:00Z');
  const id = await add(db, 'first', { runAt });
  expect(await add(db, 'second', { delaySeconds: 3_600 })).toBe(id);
  const stored = await db.rows('select run_at, payload from graphile_worker._private_jobs');
  expect(stored).toEqual([{ run_at: runAt, payload: { label: 'second', key: 'k' } }]);
  await add(db, 'third', { runAt: new Date('2030-01-01T00:00:00Z'), keyMode: 'replace' });
  expect(await db.column('select extract(year from run_at)::int from graphile_worker.jobs')).toEqual([2030]);
});

test('work with the key of a running job is a new job; the running one ends as if nothing had been', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  let second = '';
  const busy = defineTask({
    ...effect,
    async run(payload, context) {
      second = await add(db, 'second');
      return effect.run(payload, context);
    },
  });
  const first = await add(db, 'first');
  await runClaimed(busy, await claimJob(db, first), db);
  expect(second).not.toBe(first);
  expect(await db.rows(JOBS)).toEqual([{ id: second, attempts: 0, max_attempts: 3, key: 'effect:k' }]);
});

// Between claim and first statement the row still has its key: add_job takes it away, and sets the
// attempts of a job that runs to the maximum.
test('work that comes between the claim and the first statement is kept, and costs no attempts', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const id = await db.transaction((tx) => enqueue(tx, effect, { label: 'a', key: 'k', fail: 'retry' }));
  const claimed = await claimJob(db, id);
  const later = await add(db, 'later');
  expect(await db.column(`select attempts from graphile_worker.jobs where id = ${id}`)).toEqual([3]);

  expect(await runClaimed(effect, claimed, db)).toMatchObject({ outcome: 'retrying' });

  expect(await db.rows(JOBS)).toEqual([
    { id, attempts: 1, max_attempts: 3, key: null }, // the key belongs to the newer job now
    { id: later, attempts: 0, max_attempts: 3, key: 'effect:k' },
  ]);
});

// A job that gets the key and is claimed, both while add_job is about to insert, leaves it with nothing: it answers an
// empty row, and the work would be lost without a word.
test('work is not lost when a worker claims the job with its key in the midst of add_job', async () => {
  await using db = await freshDb();
  const first = [await add(db, 'queue knows the task')];
  await db.query('delete from graphile_worker._private_jobs');
  let calls = 0;
  const second = await db.transaction(async (tx) => {
    const racing = Object.create(tx) as typeof tx;
    const query = tx.query.bind(tx) as (text: string, values: unknown[]) => unknown;
    racing.query = ((text: string, values: unknown[]) => {
      calls += 1;
      if (calls > 1) return query(text, values);
      return addInTheMidst(
        db,
        () => query(text, values),
        async () => {
          const id = await add(db, 'first');
          first[0] = id;
          await claimJob(db, id);
        },
      );
    }) as typeof tx.query;
    return enqueue(racing, effect, { label: 'second', key: 'k' });
  });
  expect(calls).toBe(2);
  expect(await db.column('select id::text from graphile_worker.jobs order by id')).toEqual([
    ...first,
    second,
  ]);
});

/** Holds an insert of the second job up until something has happened. */
async function addInTheMidst(
  db: TestDb,
  addJob: () => unknown,
  happens: () => Promise<void>,
): Promise<unknown> {
  await db.query(`
    create function public.stall() returns trigger language plpgsql as $$
    begin
      if new.payload ->> 'label' = 'second' then perform pg_advisory_xact_lock(1); end if;
      return new;
    end $$;
    create trigger stall before insert on graphile_worker._private_jobs
    for each row execute function public.stall()`);
  await using gate = await openTransaction(db);
  await gate.tx.query('select pg_advisory_xact_lock(1)');
  const answer = addJob();
  await untilSomebodyWaitsFor(db, gate);
  await happens();
  await gate.commit();
  return await answer;
}

test('a key belongs to its task: the same key of another task is other work', async () => {
  await using db = await freshDb();
  const other = defineTask({ ...effect, name: 'other' });
  const first = await add(db, 'a');
  const second = await db.transaction((tx) => enqueue(tx, other, { label: 'a', key: 'k' }));
  expect(second).not.toBe(first);
});

test('what is enqueued in a transaction that rolls back never was', async () => {
  await using db = await freshDb();
  await expect(
    db.transaction(async (tx) => {
      await enqueue(tx, effect, { label: 'a' });
      throw new Error('No.');
    }),
  ).rejects.toThrow('No.');
  expect(await db.column('select id from graphile_worker.jobs')).toEqual([]);
});

test('a payload that the task refuses is not a job', async () => {
  await using db = await freshDb();
  const payload = { label: 'a', typo: 1 } as never;
  await expect(db.transaction((tx) => enqueue(tx, effect, payload))).rejects.toMatchObject({
    code: 'NS_PAYLOAD_INVALID',
    message: expect.stringContaining('typo'),
  });
});

test.each([
  [{ name: 'Bad Name' }, 'name'],
  [{ attempts: 0 }, 'attempts'],
  [{ timeoutSeconds: 0 }, 'timeoutSeconds'],
])('a task with %j is refused when it is defined', (wrong, word) => {
  const right = {
    name: 'right',
    payload: z.strictObject({}),
    attempts: 1,
    timeoutSeconds: 1,
    run: async () => ({}),
  };
  expect(() => defineTask({ ...right, ...wrong })).toThrow(word);
});

test('work that comes while a job rests after a failure is that job’s, and gives it no attempt back', async () => {
  await using db = await freshDb();
  const id = await add(db, 'first');
  const restsUntil = new Date(Date.now() + 600_000);
  await db.query('update graphile_worker._private_jobs set attempts = 2, run_at = $1', [restsUntil]);
  expect(await add(db, 'second')).toBe(id);
  expect(await db.rows("select attempts, run_at, payload ->> 'label' as label from ops.jobs")).toEqual([
    { attempts: 2, run_at: restsUntil, label: 'second' },
  ]);
  expect(await add(db, 'third', { keyMode: 'replace' })).toBe(id); // a person means now
  expect(await db.column('select attempts from ops.jobs')).toEqual([0]);
});
