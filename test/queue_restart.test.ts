import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from './support/eventually.ts';
import { ownPostgres } from './support/own_postgres.ts';
import { runProgram } from './support/program.ts';
import { add, effects, jobsLeft, runs } from './support/queue.ts';
import { effect, makeEffects } from './support/queue_tasks.ts';

const OUTAGE_MS = 2_000; // longer than what the job still has to do when the server goes
const JOB_MS = 2_000;

test('plain: a job that ends while PostgreSQL is away ends the worker', async () => {
  await using postgres = await ownPostgres();
  const { db } = postgres;
  await makeEffects(db);
  await using worker = runProgram('plain_worker.ts', [db.url, 'drain']);
  expect(await worker.line()).toBe('ready');
  await add(db, effect, { label: 'a', ms: JOB_MS });
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
  await postgres.stop('immediate');
  expect(await worker.ended()).toBe(1);
});

test.each(['immediate', 'fast'] as const)(
  'ours: a worker lives through a restart (%s): what ran ends well, what comes runs, the stop is clean',
  async (how) => {
    await using postgres = await ownPostgres();
    const { db } = postgres;
    await makeEffects(db);
    await using worker = runProgram('queue_worker.ts', [db.url]);
    expect(await worker.line()).toBe('ready');
    await add(db, effect, { label: 'a', ms: JOB_MS, lane: 'l' }); // ends in the outage
    await add(db, effect, { label: 'b', ms: 4 * JOB_MS }); // commits after it
    await eventually(async () => expect(await effects(db)).toEqual(['a']));

    await postgres.stop(how);
    await sleep(OUTAGE_MS);
    await postgres.start();

    await eventually(async () =>
      expect(await runs(db)).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]),
    );
    await add(db, effect, { label: 'c', lane: 'l' });
    await eventually(async () => expect(await effects(db)).toEqual(['a', 'b', 'c']));
    expect(await db.column('select ended_at from ops.workers')).toEqual([null]);
    worker.child.kill('SIGTERM');
    expect(await worker.ended()).toBe(0);
    expect(await jobsLeft(db)).toEqual([]);
  },
);

test('a worker that must stop while PostgreSQL is away says by its exit code that jobs are left', async () => {
  await using postgres = await ownPostgres();
  const { db } = postgres;
  await makeEffects(db);
  await using worker = runProgram('queue_worker.ts', [db.url, '0']);
  expect(await worker.line()).toBe('ready');
  await add(db, effect, { label: 'a', ms: 60_000 });
  expect(await worker.line()).toBe('begun a');
  await postgres.stop('immediate');
  worker.child.kill('SIGTERM');
  expect(await worker.line()).toBe('NS_JOBS_LEFT_BEHIND');
  expect(await worker.ended()).toBe(1);

  await postgres.start();
  await using heir = runProgram('queue_worker.ts', [db.url]);
  expect(await heir.line()).toBe('ready');
  expect(await heir.line()).toBe('begun a');
});

test('a worker whose task is in a transaction when PostgreSQL crashes tries the job again', async () => {
  await using postgres = await ownPostgres();
  const { db } = postgres;
  await makeEffects(db);
  await db.query('create table public.gate (n int)');
  await using worker = runProgram('queue_worker.ts', [db.url]);
  expect(await worker.line()).toBe('ready');
  await db.query(`
    create function public.stall() returns trigger language plpgsql as $$
    begin
      if not exists (select from public.gate) then perform pg_sleep(60); end if;
      return new;
    end $$;
    create trigger stall before insert on public.effects for each row execute function public.stall()`);
  await add(db, effect, { label: 'a' });
  expect(await worker.line()).toBe('begun a');
  await eventually(async () =>
    expect(await db.column("select pid from pg_stat_activity where wait_event = 'PgSleep'")).toHaveLength(1),
  );
  await db.query('create table public.flushed ()'); // takes the run's record to disk: its beginning did not wait
  await postgres.stop('immediate');
  await postgres.start();
  await db.query('insert into public.gate values (1)');
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
  await eventually(async () =>
    expect(await runs(db)).toMatchObject([{ outcome: 'retrying' }, { outcome: 'succeeded' }]),
  );
});
