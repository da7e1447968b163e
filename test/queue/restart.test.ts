import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { TestDb } from '../support/db/db.ts';
import { postgresOfFile } from '../support/db/own_postgres.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';
import { add, effects, jobsLeft, runs } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';

const aPostgres = postgresOfFile();
const OUTAGE_MS = 1_000; // in which the end of a run is tried, again and again

/** The path of a file that is not there yet: jobs wait for it. */
async function aGate() {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-gate-'));
  const path = join(dir, 'open');
  return {
    path,
    open: () => writeFile(path, ''),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Takes to disk what did not wait for it: the claim of a job, and the beginning of its record. */
const flush = (db: TestDb) => db.query('create table public.flushed ()');

test('plain: a job that ends while PostgreSQL is away ends the worker', async () => {
  await using postgres = await aPostgres();
  const { db } = postgres;
  await makeEffects(db);
  await using end = await aGate();
  await using worker = runProgram('plain_worker.ts', [db.url, 'drain']);
  expect(await worker.line()).toBe('ready');
  await add(db, effect, { label: 'a', endUntil: end.path });
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
  await postgres.stop('immediate');
  await end.open();
  expect(await worker.ended()).toBe(1);
});

test.each(['immediate', 'fast'] as const)(
  'ours: a worker lives through a restart (%s): what ran ends well, what comes runs, the stop is clean',
  async (how) => {
    await using postgres = await aPostgres();
    const { db } = postgres;
    await makeEffects(db);
    await using end = await aGate();
    await using commit = await aGate();
    await using worker = runProgram('queue_worker.ts', [db.url]);
    expect(await worker.line()).toBe('ready');
    await add(db, effect, { label: 'a', endUntil: end.path, lane: 'l' }); // ends in the outage
    await add(db, effect, { label: 'b', until: commit.path }); // commits after it
    await eventually(async () => expect(await effects(db)).toEqual(['a']));
    await eventually(async () => expect(await runs(db)).toHaveLength(2));
    await flush(db);

    await postgres.stop(how);
    await end.open();
    await sleep(OUTAGE_MS);
    await postgres.start();
    await commit.open();

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
  await using postgres = await aPostgres();
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

test('a worker whose task is in a transaction when PostgreSQL crashes runs the job again, at no cost', async () => {
  await using postgres = await aPostgres();
  const { db } = postgres;
  await makeEffects(db);
  await db.query('create table public.gate (n int)');
  await using worker = runProgram('queue_worker.ts', [db.url]);
  expect(await worker.line()).toBe('ready');
  await db.query(`
    create function public.stall() returns trigger language plpgsql as $$
    begin
      while not exists (select from public.gate) loop perform pg_sleep(0.1); end loop;
      return new;
    end $$;
    create trigger stall before insert on public.effects for each row execute function public.stall()`);
  await add(db, effect, { label: 'a' });
  expect(await worker.line()).toBe('begun a');
  await eventually(async () =>
    expect(await db.column("select pid from pg_stat_activity where wait_event = 'PgSleep'")).toHaveLength(1),
  );
  await flush(db);
  await postgres.stop('immediate');
  await postgres.start();
  await db.query('insert into public.gate values (1)');
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
  await eventually(async () =>
    expect(await runs(db)).toMatchObject([
      { attempt: 1, outcome: 'released' },
      { attempt: 1, outcome: 'succeeded' },
    ]),
  );
});
