import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { copyLines } from '#sql/db/copy.ts';
import { openDb, type Tx } from '#sql/db/pool.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { defineTask } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { ownPostgres } from '../support/db/own_postgres.ts';
import { smallDisk } from '../support/db/small_disk.ts';
import { runs } from '../support/queue.ts';
import { claimJob, runClaimed } from '../support/run.ts';

/** A task with one attempt, whose body is one transaction. */
const oneTransaction = (body: (tx: Tx) => Promise<unknown>) =>
  defineTask({
    name: 'one_transaction',
    payload: z.strictObject({}),
    attempts: 1,
    timeoutSeconds: 30,
    async run(_, { db }) {
      await db.transaction(body);
      return {};
    },
  });

const raise = (code: string) =>
  oneTransaction((tx) =>
    tx.query(`do $$ begin raise exception 'so it is' using errcode = '${code}'; end $$`),
  );

const queued = async (db: TestDb) =>
  (
    await db.rows<{ attempts: number; locked: boolean; waits: number }>(
      `select attempts, locked_by is not null as locked, extract(epoch from run_at - now())::float8 as waits
       from graphile_worker._private_jobs`,
    )
  )[0];

/** Runs it once, and tells what was recorded. */
async function ranOnce(
  db: TestDb,
  task: ReturnType<typeof oneTransaction>,
  jobsDb = db as Pick<TestDb, 'pool'>,
) {
  const id = await db.transaction((tx) => enqueue(tx, task, {}));
  await runClaimed(task, await claimJob(db, id), jobsDb as TestDb, { control: db });
  return { job: await queued(db), run: (await runs(db))[0] };
}

const RETURNED = { job: { attempts: 0, locked: false }, run: { attempt: 1, outcome: 'released' } };

const FAULTS = '08006 25006 40001 40P01 53000 53100 53200 53300 57P01 57P02 57P03 57P05 58030'.split(' ');
test.each(FAULTS)(
  'a fault of the database, or a conflict (%s) spends no attempt, not even of one',
  async (code) => {
    await using db = await freshDb();
    const { job, run } = await ranOnce(db, raise(code));
    expect({ job, run }).toMatchObject({ ...RETURNED, run: { ...RETURNED.run, error_code: code } });
    expect(job?.waits).toBeGreaterThan(0);
  },
);

test('a job that meets others for the sixth time in a row fails as any other', async () => {
  await using db = await freshDb();
  const task = raise('40P01');
  const id = await db.transaction((tx) => enqueue(tx, task, {}));
  const outcomes: string[] = [];
  for (let n = 0; n < 6; n++) outcomes.push((await runClaimed(task, await claimJob(db, id), db)).outcome);
  expect(outcomes).toEqual([...Array(5).fill('released'), 'dead']);
  expect(await db.column('select state from ops.jobs')).toEqual(['dead']);
});

// The statement's own: it would fail on every other day too.
test.each(['22012', '23505', '53400', '57014', 'P0001'])('an error (%s) spends one', async (code) => {
  await using db = await freshDb();
  const { run } = await ranOnce(db, raise(code));
  expect(run).toMatchObject({ attempt: 1, outcome: 'dead', error_code: code });
});

test('a session that an administrator ends within a transaction spends no attempt', async () => {
  await using db = await freshDb();
  const task = oneTransaction((tx) => tx.query('select pg_terminate_backend(pg_backend_pid())'));
  expect(await ranOnce(db, task)).toMatchObject(RETURNED);
});

test('a session that ends between two statements, with the server silent, spends no attempt', async () => {
  await using db = await freshDb();
  const task = oneTransaction(async (tx) => {
    const { rows } = await tx.query('select pg_backend_pid() as pid');
    await db.query('select pg_terminate_backend($1, 10000)', [rows[0].pid]);
    await sleep(50); // the news of it arrive
    await tx.query('select 1');
  });
  expect(await ranOnce(db, task)).toMatchObject({
    ...RETURNED,
    run: { ...RETURNED.run, error_code: 'NS_DATABASE_UNREACHABLE' },
  });
});

test.each(['pg_terminate_backend(pg_backend_pid())', "public.fail('53100')"])(
  'a fault in the midst of a COPY, here %s, spends no attempt',
  async (fault) => {
    await using db = await freshDb();
    await db.query(`
      create table public.copied (line text);
      create function public.fail(code text) returns void language plpgsql as $$
      begin raise exception 'so it is' using errcode = code; end $$;
      create function public.meet_fault() returns trigger language plpgsql as $$
      begin perform ${fault}; return new; end $$;
      create trigger meet_fault before insert on public.copied for each row when (new.line = 'last')
      execute function public.meet_fault()`);
    const lines = [
      ...Array.from({ length: 50_000 }, (_, line) => `line ${line}`),
      'last',
      ...Array(50_000).fill('more'),
    ];
    const task = oneTransaction((tx) => copyLines(tx, 'copy public.copied from stdin', lines));
    expect(await ranOnce(db, task)).toMatchObject(RETURNED);
    expect(await db.column('select line from public.copied')).toEqual([]);
  },
);

test('a session that our own idling ended spends an attempt: it may idle so each time', async () => {
  await using db = await freshDb();
  const task = oneTransaction(async (tx) => {
    await tx.query("set local idle_in_transaction_session_timeout = '10ms'");
    await sleep(500);
    await tx.query('select 1');
  });
  expect((await ranOnce(db, task)).run).toMatchObject({ outcome: 'dead', error_code: '25P03' });
});

test('a server that has no more clients to give spends no attempt', async () => {
  await using db = await freshDb();
  const role = `limited_${db.name}`;
  await db.query(`create role ${role} login password 'limited' connection limit 0`);
  const url = new URL(db.url);
  Object.assign(url, { username: role, password: 'limited' });
  {
    await using jobs = openDb(url.href, { applicationName: 'nightshift test' });
    const { job, run } = await ranOnce(
      db,
      oneTransaction((tx) => tx.query('select 1')),
      jobs,
    );
    expect({ job, run }).toMatchObject(RETURNED);
    const [message] = await db.column('select error_message from ops.job_runs');
    expect(message).toContain('too many connections');
  }
  await db.query(`drop role ${role}`);
});

test.skipIf(!existsSync('/dev/full'))('a full disk spends no attempt', async () => {
  await using db = await freshDb();
  const full = "copy (select generate_series(1, 1000000)) to '/dev/full'"; // written by the server
  const { job, run } = await ranOnce(
    db,
    oneTransaction((tx) => tx.query(full)),
  );
  expect({ job, run }).toMatchObject({ ...RETURNED, run: { ...RETURNED.run, error_code: '53100' } });
});

// A COPY that fills the disk half way, as the load of a page does, and goes through once there is room.
test('a job that finds the disk full waits until there is room, its attempts unspent', async ({ skip }) => {
  await using postgres = await ownPostgres();
  const { db } = postgres;
  const [dataDirectory] = await db.column('show data_directory');
  await using disk = await smallDisk(16, String(dataDirectory));
  if (!disk) return skip('Only root may mount a small file system.');
  await db.query(`create tablespace small location '${disk.path}'`);
  await db.query('create table public.copied (line text) tablespace small');
  await db.query('create table public.filler (line text) tablespace small');
  await db.query(`insert into public.filler select repeat('x', 1000) from generate_series(1, 12000)`);
  const lines = Array.from({ length: 8_000 }, () => 'x'.repeat(1_000));
  const task = oneTransaction((tx) => copyLines(tx, 'copy public.copied from stdin', lines));
  const id = await db.transaction((tx) => enqueue(tx, task, {}));
  for (let turn = 0; turn < 2; turn++) await runClaimed(task, await claimJob(db, id), db);
  expect(await queued(db)).toMatchObject({ attempts: 0 });
  await db.query('truncate public.filler');
  await db.query('checkpoint'); // until then the file of what was there keeps its place
  await runClaimed(task, await claimJob(db, id), db);
  const full = { attempt: 1, outcome: 'released', error_code: '53100' };
  expect(await runs(db)).toMatchObject([full, full, { attempt: 1, outcome: 'succeeded' }]);
});

// At the end of a run: the work is done, and so is the job as soon as the server takes it.
test('an end that meets a server that only reads is written once it writes again', async () => {
  await using db = await freshDb();
  const readOnly = (how: 'on' | 'off') =>
    db.query(`alter database ${db.name} set default_transaction_read_only = ${how}`);
  await using control = openDb(db.url, { applicationName: 'nightshift test control', max: 1 });
  const task = oneTransaction(async () => {
    await readOnly('on');
    await control.query('select 1'); // its session is one that only reads, and stays so
    setTimeout(() => void readOnly('off'), 500);
  });
  const id = await db.transaction((tx) => enqueue(tx, task, {}));
  expect(await runClaimed(task, await claimJob(db, id), db, { control })).toMatchObject({
    outcome: 'succeeded',
  });
  expect(await queued(db)).toBeUndefined();
});

test('the pause grows with each fault in a row up to a minute, and is short again after progress', async () => {
  await using db = await freshDb();
  let commits = false;
  const task = defineTask({
    ...raise('53100'),
    async run(payload, context) {
      if (commits) await context.db.transaction((tx) => tx.query('select 1'));
      return raise('53100').run(payload, context);
    },
  });
  const id = await db.transaction((tx) => enqueue(tx, task, {}));
  const pause = async () => {
    await runClaimed(task, await claimJob(db, id), db);
    return (await queued(db))?.waits ?? Number.NaN;
  };
  for (const full of [5, 10, 20, 40, 60, 60]) {
    const seconds = await pause();
    expect(seconds).toBeGreaterThan(full / 2 - 1);
    expect(seconds).toBeLessThanOrEqual(full);
  }
  commits = true;
  for (let turn = 0; turn < 2; turn++) {
    const seconds = await pause();
    expect(seconds).toBeGreaterThan(1); // and never at once
    expect(seconds).toBeLessThanOrEqual(5);
  }
  expect(new Set((await runs(db)).map(({ attempt }) => attempt))).toEqual(new Set([1]));
});
