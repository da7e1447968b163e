/**
 * A brand queues 5,000 jobs, and then two others 50 each: how many jobs begin before the last of theirs. In the order of
 * arrival those are all. Beside it what a turn costs when a job is queued, and what a claim costs while 5,000
 * paused jobs would come first: before a sweep has moved them out of the way, and after.
 */
import { z } from 'zod';
import { makeLog } from '../../runtime/log.ts';
import { sweepTurns } from '../../sql/queue/workers.ts';
import { enqueue } from '../../tasks/enqueue.ts';
import { defineTask, type Services } from '../../tasks/task.ts';
import { startWorker } from '../../workers/queue/worker.ts';
import type { Figure } from '../support/bench.ts';
import { startClock } from '../support/job_clock.ts';
import { compare, median, timed } from '../support/measure.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

const MANY = 5_000;
const FEW = 50;
const BATCH = 100;
const ENQUEUES = 2_000;
const ROUNDS = 3;
const CLAIMS = 9;
const SWEEPS = 12; // of 500 jobs each

const brands = ['1', '2', '3'].map((n) => `00000000-0000-4000-8000-00000000000${n}`);
const [A = '', B = '', C = ''] = brands;

const jobTask = (started: () => void) =>
  defineTask({
    name: 'fair',
    payload: z.strictObject({ brandId: z.string() }),
    attempts: 1,
    timeoutSeconds: 60,
    run: async () => {
      started();
      return {};
    },
  });
const fair = jobTask(() => {});

/** How a job was queued before: by its time alone. */
const BY_TIME = `select graphile_worker.add_job('fair', json_build_object('brandId', $1::text), max_attempts => 1,
  flags => ops.job_flags('fair', jsonb_build_object('brandId', $1::text)))`;

type Way = 'turns' | 'arrival';

export async function benchFair(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const last = await lastBegun(db);
  const figures: Figure[] = [
    {
      ...{ name: 'jobs begun up to the last of 2 x 50 behind 5,000, by turns', value: last, unit: 'jobs' },
      bar: { below: 2 * brands.length * FEW },
    },
  ];
  figures.push(...(await costOfTurns(db)), ...(await costOfPaused(db)));
  return figures;
}

/** The place at which the last job of the two small brands began. */
async function lastBegun(db: BenchDb): Promise<number> {
  await empty(db);
  for (const [brandId, jobs] of [[A, MANY] as const, [B, FEW] as const, [C, FEW] as const])
    await queue(db, 'turns', brandId, jobs);
  const clock = startClock(MANY + 2 * FEW);
  await using _worker = await startWorker({
    url: db.url,
    concurrency: 4,
    drainSeconds: 10,
    log: makeLog('silent', 'bench'),
    tasks: [jobTask(clock.started) as never],
    services: { allowedHosts: [] } as unknown as Services,
  });
  await clock.allStarted;
  const { rows } = await db.query<{ place: number }>(
    `select max(place)::int as place from (
       select brand_id, row_number() over (order by claimed_at, id) as place from ops.job_runs) r
     where brand_id <> $1`,
    [A],
  );
  return rows[0]?.place ?? 0;
}

async function queue(db: BenchDb, way: Way, brandId: string, jobs: number): Promise<void> {
  for (let left = jobs; left > 0; left -= BATCH)
    await db.transaction(async (tx) => {
      for (let n = 0; n < Math.min(left, BATCH); n++)
        await (way === 'arrival' ? tx.query(BY_TIME, [brandId]) : enqueue(tx, fair, { brandId }));
    });
}

async function costOfTurns(db: BenchDb): Promise<Figure[]> {
  const one = (way: Way) => async () => {
    await empty(db);
    return timed(async () => {
      for (let n = 0; n < ENQUEUES; n++) await queue(db, way, A, 1);
    });
  };
  const { turns, arrival } = await compare(ROUNDS, { turns: one('turns'), arrival: one('arrival') });
  return [
    { name: 'jobs queued one by one, with turns', value: (ENQUEUES / turns) * 1_000, unit: 'jobs/s' },
    { name: 'jobs queued one by one, with turns / by arrival', value: arrival / turns, unit: 'x' },
  ];
}

/** Of a paused brand with 5,000 jobs and another with one: the claim of that one, which is taken back. */
async function costOfPaused(db: BenchDb): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const pauses of [1, MANY]) {
    await empty(db);
    await queue(db, 'turns', A, MANY);
    await queue(db, 'turns', B, 1);
    // Behind them all: its own turn would be the first.
    await db.query(
      "update graphile_worker._private_jobs set run_at = now() where payload ->> 'brandId' = $1",
      [B],
    );
    const before = await claimMs(db, await pause(db, pauses));
    for (let n = 0; n < SWEEPS; n++) await sweepTurns(db);
    const after = await claimMs(db, await pause(db, pauses));
    const what = `a claim past 5,000 paused jobs, ${pauses} paused ${pauses === 1 ? 'flag' : 'flags'}`;
    figures.push({ name: `${what}, at first`, value: before, unit: 'ms' });
    figures.push({ name: `${what}, after the sweeps`, value: after, unit: 'ms' });
  }
  await db.query('truncate ops.pauses');
  return figures;
}

/** Pauses the brand, and others that have no jobs. */
async function pause(db: BenchDb, pauses: number): Promise<string[]> {
  const { rows } = await db.query<{ flags: string[] }>(
    `with paused as (
       insert into ops.pauses (flag, reason, paused_by)
       select case when n = 1 then 'brand:' || $1::text else 'brand:' || gen_random_uuid() end, 'bench', 'bench'
       from generate_series(1, $2::int) n where not exists (select from ops.pauses) returning flag)
     select array(select flag from paused union select flag from ops.pauses) as flags`,
    [A, pauses],
  );
  return rows[0]?.flags ?? [];
}

/** The library's statement, for one job without a lane. */
const CLAIM = `
  select id from graphile_worker._private_jobs jobs
  where jobs.is_available = true and run_at <= now() and task_id = any (array(select id from graphile_worker._private_tasks))
    and (jobs.job_queue_id is null or jobs.job_queue_id in (
      select id from graphile_worker._private_job_queues where is_available = true for update skip locked))
    and (flags ?| $1::text[]) is not true
  order by priority asc, run_at asc limit 1 for update skip locked`;

async function claimMs(db: BenchDb, flags: readonly string[]): Promise<number> {
  const taken: number[] = [];
  for (let n = 0; n < CLAIMS; n++) taken.push(await timed(() => db.query(CLAIM, [flags])));
  return median(taken);
}

async function empty(db: BenchDb): Promise<void> {
  await db.query('truncate graphile_worker._private_jobs, ops.job_runs, ops.turns, ops.pauses');
}
