import { expect, test } from 'vitest';
import { z } from 'zod';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';

const claimEffect = async (db: TestDb, label: string) => {
  const id = await db.transaction((tx) => enqueue(tx, effect, { label, key: label, lane: label }));
  return claimJob(db, id);
};
const effects = (db: TestDb) => db.column('select label from public.effects order by label');
const lastRun = async (db: TestDb) =>
  (await db.rows('select * from ops.job_runs order by id desc limit 1'))[0];

test('a job that succeeds is gone, its effect is there and its run is on record', async () => {
  await using db = await freshDb();
  await makeEffects(db);

  const tally = await runTask(effect, { label: 'a', lane: 'a lane', key: 'k' }, db);

  expect(tally).toEqual({ effects: 1 });
  expect(await effects(db)).toEqual(['a']);
  expect(await db.column('select id from graphile_worker.jobs')).toEqual([]);
  const run = await lastRun(db);
  expect(run).toMatchObject({ task: 'effect', lane: 'a lane', job_key: 'effect:k', attempt: 1 });
  expect(run).toMatchObject({ outcome: 'succeeded', tally: { effects: 1 }, error_code: null });
  expect(run).toMatchObject({ payload: { label: 'a' }, finished_at: expect.any(Date) });
});

test('a run that says it is incomplete ends as partial, not as a success', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await runTask(effect, { label: 'a', incomplete: 'three rows were refused' }, db);
  expect(await lastRun(db)).toMatchObject({
    outcome: 'partial',
    tally: { incomplete: 'three rows were refused' },
  });
});

test('a run whose job was handed back to others commits nothing, and touches nobody’s row', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const zombie = await claimEffect(db, 'a');
  await db.query("select ops.hand_back_pool($1, 'crashed', null)", [zombie.locked_by]);
  const owner = await claimJob(db, String(zombie.id));

  expect(await runClaimed(effect, zombie, db)).toMatchObject({ outcome: 'lost' });

  expect(await effects(db)).toEqual([]);
  expect(await db.column('select locked_by from graphile_worker.jobs')).toEqual([owner.locked_by]);
  expect(await runClaimed(effect, owner, db)).toMatchObject({ outcome: 'succeeded' });
  expect(await effects(db)).toEqual(['a']);
});

// The job is taken over between two transactions of its run, by another pool or by the same one
// again: only the instant of the claim tells the two apart.
test.each(['another pool', 'the same pool'])(
  'a run that loses its job to %s midway cannot commit any more',
  async (who) => {
    await using db = await freshDb();
    await makeEffects(db);
    let next: Awaited<ReturnType<typeof claimJob>> | undefined;
    const robbed = defineTask({
      ...effect,
      name: 'robbed',
      async run({ label }, context) {
        await context.db.transaction((tx) => tx.query('insert into public.effects values ($1)', [label]));
        await db.query("select ops.hand_back_pool($1, 'crashed', null)", [job.locked_by]);
        next = await claimJob(
          db,
          String(job.id),
          who === 'the same pool' ? (job.locked_by ?? '') : undefined,
        );
        await context.db.transaction((tx) => tx.query("insert into public.effects values ('late')"));
        return {};
      },
    });
    const id = await db.transaction((tx) => enqueue(tx, robbed, { label: 'early' }));
    const job = await claimJob(db, id);

    expect(await runClaimed(robbed, job, db)).toMatchObject({
      outcome: 'lost',
      error: { code: 'NS_CLAIM_LOST' },
    });

    expect(await effects(db)).toEqual(['early']);
    const rows = await db.rows('select locked_by, attempts from graphile_worker.jobs');
    expect(rows).toEqual([{ locked_by: next?.locked_by, attempts: 2 }]);
  },
);

test('a claim is known by its instant to the millisecond, whatever microseconds the row has', async () => {
  await using db = await freshDb();
  const { id, locked_by } = await claimEffect(db, 'a');
  const holds = async (rowTime: string, claimTime: string) => {
    await db.query('update graphile_worker._private_jobs set locked_at = $2 where id = $1', [id, rowTime]);
    return (await db.column('select ops.hold_claim($1, $2, $3)', [id, locked_by, new Date(claimTime)]))[0];
  };
  expect(await holds('2026-03-01 10:00:00.123999Z', '2026-03-01T10:00:00.123Z')).toBe(true);
  expect(await holds('2026-03-01 10:00:00.124000Z', '2026-03-01T10:00:00.123Z')).toBe(false);
  expect(await holds('2026-03-01 10:00:00.122999Z', '2026-03-01T10:00:00.123Z')).toBe(false);
});

test('progress is on record with the transaction that follows it, also when the run then fails', async () => {
  await using db = await freshDb();
  const seen: unknown[] = [];
  const paging = defineTask({
    name: 'paging',
    payload: z.strictObject({}),
    attempts: 1,
    timeoutSeconds: 30,
    async run(_, context) {
      for (const page of [1, 2]) {
        context.progress({ page });
        await context.db.transaction(async () => {});
        seen.push((await lastRun(db))?.progress);
      }
      context.progress({ page: 3 });
      throw new Error('The third page never came.');
    },
  });
  await expect(runTask(paging, {}, db)).rejects.toThrow('third page');
  expect(seen).toEqual([{ page: 1 }, { page: 2 }]);
  expect(await lastRun(db)).toMatchObject({ outcome: 'dead', progress: { page: 3 } });
});

test('two brands have jobs with the same ids in one queue, and each run names its own', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const connectionId = '11111111-1111-4111-8111-111111111111';
  const brands = ['aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002'];
  for (const brandId of brands) await runTask(effect, { label: brandId, brandId, connectionId }, db);
  expect(await db.rows('select brand_id, connection_id from ops.job_runs order by id')).toEqual(
    brands.map((brand_id) => ({ brand_id, connection_id: connectionId })),
  );
});

test('what a run leaves behind is stored whatever characters are in it, without its secrets', async () => {
  await using db = await freshDb();
  const odd = defineTask({
    name: 'odd',
    payload: z.strictObject({ fail: z.boolean() }),
    attempts: 1,
    timeoutSeconds: 30,
    async run({ fail }) {
      if (fail) throw new Error('NUL \0 and half a pair \ud800, key shpat_0123456789abcdef');
      return { note: 'NUL \0 and half a pair \ud800' };
    },
  });
  await runTask(odd, { fail: false }, db);
  expect(await lastRun(db)).toMatchObject({ tally: { note: 'NUL  and half a pair \ufffd' } });
  await expect(runTask(odd, { fail: true }, db)).rejects.toThrow();
  const { error_message } = (await lastRun(db)) ?? {};
  expect(error_message).toBe('NUL  and half a pair \ufffd, key [secret]');
});

test('a job whose payload the task refuses is dead with the reason, and its body never runs', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await db.query(`select graphile_worker.add_job('effect', '{"label": 7, "odd": "\\u0000"}')`);
  const [id] = await db.column('select id from graphile_worker.jobs');
  const job = await claimJob(db, String(id));
  expect(await runClaimed(effect, job, db)).toMatchObject({ outcome: 'dead' });
  expect(await effects(db)).toEqual([]);
  expect(await lastRun(db)).toMatchObject({ outcome: 'dead', error_code: 'NS_PAYLOAD_INVALID' });
});

test('the record of a run begins with what it first commits, and not with what is rolled back', async () => {
  await using db = await freshDb();
  const seen: unknown[] = [];
  const look = async () => seen.push(await db.column('select last_commit_at is not null from ops.job_runs'));
  const trying = defineTask({
    name: 'trying',
    payload: z.strictObject({}),
    key: () => 'k',
    attempts: 1,
    timeoutSeconds: 30,
    async run(_, context) {
      const failing = context.db.transaction(async () => {
        throw new Error('No.');
      });
      await failing.catch(look);
      await context.db.transaction(async () => {});
      await look();
      return {};
    },
  });
  await runTask(trying, {}, db);
  expect(seen[1]).toEqual([true]);
  expect(await lastRun(db)).toMatchObject({ outcome: 'succeeded', attempt: 1, job_key: 'trying:k' });
  expect(await db.column('select count(*) from ops.job_runs')).toEqual([1]);
});

test('a run that commits nothing and takes a while can be seen while it does', async () => {
  await using db = await freshDb();
  const idle = defineTask({
    name: 'idle',
    payload: z.strictObject({}),
    key: () => 'k',
    attempts: 1,
    timeoutSeconds: 60,
    async run() {
      await eventually(async () => expect(await lastRun(db)).toMatchObject({ outcome: 'running' }));
      return { key: String(await db.column('select key from graphile_worker._private_jobs')) };
    },
  });
  expect(await runTask(idle, {}, db)).toEqual({ key: '' });
  expect(await db.rows('select outcome, attempt from ops.job_runs')).toEqual([
    { outcome: 'succeeded', attempt: 1 },
  ]);
});

// The beginning of a run does not wait for the disk, so a crash of the server can forget its record
// and give its number to another run.
test('a run whose record was forgotten ends on a record of its own, not on somebody else’s', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const forgotten = defineTask({
    ...effect,
    async run(payload, context) {
      await context.db.transaction(async () => {}); // the record begins
      await db.query(
        "update ops.job_runs set job_id = 999, pool_id = 'pool-other' where outcome = 'running'",
      );
      return effect.run(payload, context);
    },
  });
  expect(await runTask(forgotten, { label: 'a' }, db)).toEqual({ effects: 1 });
  expect(await db.rows('select job_id, outcome, last_commit_at from ops.job_runs order by id')).toEqual([
    { job_id: 999, outcome: 'running', last_commit_at: expect.any(Date) },
    { job_id: 1, outcome: 'succeeded', last_commit_at: null },
  ]);
});
