import fc from 'fast-check';
import { expect, test } from 'vitest';
import { returnJobs, sweepTurns } from '#sql/queue/workers.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { freshDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { eventually } from '../support/eventually.ts';
import { assertHolds } from '../support/property.ts';
import { aWorker } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { A, add, addMany, B, begin, beginAll, brand, C } from '../support/turns.ts';

test('a brand with hundreds of jobs delays others with fifty by no more than twice their fair time', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await addMany(db, A, 'a', 400);
  await addMany(db, B, 'b', 50);
  await addMany(db, C, 'c', 50);
  await using _ = await aWorker(db);
  await eventually(async () => expect(await db.column('select count(*) from ops.jobs')).toEqual([0]));
  const ran = (await db.column(
    "select left(payload ->> 'label', 1) from ops.job_runs order by claimed_at, id",
  )) as string[];
  for (const other of ['b', 'c']) expect(ran.lastIndexOf(other)).toBeLessThan(2 * 3 * 50);
});

const step = fc.oneof(
  fc.record({ brand: fc.nat(3), jobs: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ begun: fc.integer({ min: 1, max: 8 }) }),
);

test('of two brands that wait, neither is served more than one job ahead of the other, whatever the order of enqueues', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 14 }), async (steps) => {
      await db.query('truncate ops.job_runs, graphile_worker._private_jobs');
      const waiting = new Map<string, number>();
      /** For each two: the balance of service since both have waited. */
      const balance = new Map<string, { least: number; most: number; now: number }>();
      const serve = async () => {
        const label = await begin(db);
        if (label === undefined) return;
        for (const other of waiting.keys()) {
          if (other === label) continue;
          const [x, y] = [label, other].toSorted();
          const pair = balance.get(`${x}${y}`) ?? { least: 0, most: 0, now: 0 };
          pair.now += label === x ? 1 : -1;
          pair.least = Math.min(pair.least, pair.now);
          pair.most = Math.max(pair.most, pair.now);
          balance.set(`${x}${y}`, pair);
          expect(pair.most - pair.least, `${x} and ${y}`).toBeLessThanOrEqual(2);
          expect(Math.abs(pair.now), `${x} and ${y}`).toBeLessThanOrEqual(1);
        }
        const left = (waiting.get(label) ?? 0) - 1;
        waiting.set(label, left);
        if (left > 0) return;
        waiting.delete(label);
        for (const pair of balance.keys()) if (pair.includes(label)) balance.delete(pair);
      };
      for (const given of steps) {
        if ('begun' in given) for (let n = 0; n < given.begun; n++) await serve();
        else {
          const label = 'wxyz'.charAt(given.brand);
          const payload = { brandId: brand(given.brand), label };
          await db.transaction(async (tx) => {
            for (let n = 0; n < given.jobs; n++) await enqueue(tx, effect, payload);
          });
          waiting.set(label, (waiting.get(label) ?? 0) + given.jobs);
        }
      }
      while (waiting.size > 0) await serve();
    }),
    15,
  );
});

test('a brand whose jobs were cancelled is not kept behind the others', async () => {
  await using db = await freshDb();
  await addMany(db, A, 'cancelled', 20);
  await db.query("select ops.cancel_job(id, '{}') from graphile_worker._private_jobs");
  await addMany(db, B, 'b', 4);
  await addMany(db, A, 'a', 2);
  expect((await beginAll(db)).slice(0, 4)).toEqual(expect.arrayContaining(['a0', 'a1']));
});

// The jobs of a lane come one behind the other, so claims pass over them: what they have served is not far ahead.
test('a brand that queues lane by lane does not put the others behind all of them', async () => {
  await using db = await freshDb();
  for (const lane of ['l1', 'l2', 'l3']) await addMany(db, A, lane, 10, { lane });
  expect([await begin(db), await begin(db), await begin(db)]).toEqual(['l10', 'l20', 'l30']);
  await addMany(db, B, 'b', 3);
  await db.query('update graphile_worker._private_job_queues set locked_at = null, locked_by = null');
  expect((await beginAll(db)).slice(0, 5)).toEqual(expect.arrayContaining(['b0', 'b1', 'b2']));
});

test('a job whose time has come takes its turn; until then it is behind all that have one', async () => {
  await using db = await freshDb();
  await addMany(db, A, 'a', 5);
  await add(db, B, { label: 'late' }, { delaySeconds: 1 });
  await db.query(
    "update graphile_worker._private_jobs set run_at = now() - interval '1 hour' where run_at > now()",
  );
  const due = (await db.column("select run_at from ops.jobs where payload ->> 'label' = 'late'"))[0];
  await sweepTurns(db);
  // It is late by its own time, not by its turn.
  expect(await db.column("select run_at from ops.jobs where payload ->> 'label' = 'late'")).toEqual([due]);
  expect((await beginAll(db)).indexOf('late')).toBeLessThanOrEqual(1);
});

test('what is urgent comes first, what is bulk comes last but not never', async () => {
  await using db = await freshDb();
  const id = await add(db, A, { label: 'bulk' }, { priority: 'bulk' });
  await add(db, A, { label: 'old bulk' }, { priority: 'bulk' });
  await addMany(db, A, 'normal', 2);
  await add(db, B, { label: 'urgent' }, { priority: 'urgent' });
  await sweepTurns(db);
  expect(await db.column('select priority from ops.jobs order by job_id')).toEqual([
    ...['bulk', 'bulk', 'normal', 'normal', 'urgent'],
  ]);
  await db.query(
    "update graphile_worker._private_jobs set updated_at = now() - interval '11 minutes' where id <> $1",
    [id],
  );
  await sweepTurns(db);
  expect(await beginAll(db)).toEqual(['urgent', 'normal0', 'normal1', 'old bulk', 'bulk']);
});

test('newer work under a key keeps the turn, and takes the more urgent of two priorities', async () => {
  await using db = await freshDb();
  const key = 'k';
  const id = await add(db, A, { label: 'first', key }, { priority: 'bulk' });
  await addMany(db, A, 'a', 2);
  await addMany(db, B, 'b', 2);
  expect(await add(db, A, { label: 'second', key })).toBe(id);
  expect(await add(db, A, { label: 'third', key }, { priority: 'bulk', keyMode: 'replace' })).toBe(id);
  expect(await db.column('select priority from ops.jobs where job_id = $1', [id])).toEqual(['normal']);
  expect((await beginAll(db)).slice(-1)).toEqual(['third']); // behind what its brand had queued in the meantime
});

test('two transactions of a brand do not wait for each other', async () => {
  await using db = await freshDb();
  await add(db, C, { label: 'queue knows the task' });
  await using other = await openTransaction(db);
  for (const label of ['first ever', 'with a row']) {
    await enqueue(other.tx, effect, { brandId: A, label });
    await add(db, A, { label });
  }
  await other.commit();
  await add(db, A, { label: 'one after the other' });
  await using third = await openTransaction(db);
  await enqueue(third.tx, effect, { brandId: A, label: 'holds the row' });
  await add(db, A, { label: 'does not wait' });
  await third.commit();
  expect(await db.column('select count(*)::int from ops.jobs')).toEqual([8]);
});

test('paused jobs stand in nobody’s way, and have no claim to go first when they are resumed', async () => {
  await using db = await freshDb();
  await addMany(db, A, 'a', 5);
  await addMany(db, B, 'b', 3);
  const flag = `brand:${A}`;
  await db.query("insert into ops.pauses (flag, brand_id, reason, paused_by) values ($1, $2, 'r', 'p')", [
    flag,
    A,
  ]);
  await sweepTurns(db);
  expect(await db.column('select distinct state from ops.jobs where brand_id = $1', [A])).toEqual(['paused']);
  expect(await beginAll(db)).toEqual(['b0', 'b1', 'b2']);
  await addMany(db, B, 'more', 3);
  await db.query('delete from ops.pauses');
  await db.query('select ops.wake_jobs($1, null)', [flag]);
  await sweepTurns(db);
  const begun = await beginAll(db);
  expect(begun).toHaveLength(8);
  expect(begun.slice(0, 6).filter((label) => label.startsWith('more'))).toHaveLength(3);
});

test('a job of a worker that stops keeps its turn', async () => {
  await using db = await freshDb();
  await addMany(db, A, 'a', 2);
  expect(await begin(db)).toBe('a0');
  await returnJobs(db, 'pool');
  expect(await beginAll(db)).toEqual(['a0', 'a1']);
});
