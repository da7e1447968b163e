/**
 * What the fence costs, and how long a killed worker is missed. Jobs per second are taken from the
 * start of the first body to the start of the last, of our worker and of graphile-worker as it comes
 * (a notification and a poll per second, no local queue), in one process each and in turns. pg-boss and
 * BullMQ stand beside them in the same turns.
 */
import { Logger, run } from 'graphile-worker';
import { z } from 'zod';
import { makeLog } from '../runtime/log.ts';
import type { Tx } from '../sql/db/pool.ts';
import { enqueue } from '../tasks/enqueue.ts';
import { defineTask, type Services, type Task } from '../tasks/task.ts';
import { startWorker } from '../workers/queue/worker.ts';
import { bullMq, pgBoss, redisVersion } from './queue_peers.ts';
import type { Figure } from './support/bench.ts';
import { startClock } from './support/job_clock.ts';
import { compare } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';

const JOBS = 2_000;
const ROUNDS = 3;
const CONCURRENCY = 4;
const POLL_MS = 1_000;
const WRITE = 'insert into public.effects (job) values ($1)';

type Body = 'nothing' | 'a row' | 'a row before their end';

export async function benchQueue(server: BenchServer): Promise<Figure[]> {
  const figures: Figure[] = [];
  const redis = await redisVersion();
  if (redis === undefined)
    console.error('BullMQ is left out: no Redis answers at REDIS_URL, nor on this machine.');
  for (const body of ['nothing', 'a row', 'a row before their end'] as const) {
    const db = await server.freshDatabase();
    await db.query('create table public.effects (job integer not null)');
    const work = body === 'nothing' ? async () => {} : (job: number) => db.query(WRITE, [job]);
    const load = { jobs: JOBS, concurrency: CONCURRENCY, work };
    const taken = await compare(ROUNDS, {
      plain: () => plainWorker(db, body),
      ours: () => ourWorker(db, body),
      'pg-boss': () => pgBoss(db, load),
      ...(redis && { [`BullMQ on Redis ${redis}`]: () => bullMq(load) }),
    });
    const { ours = 0, plain = 0, ...peers } = taken as Record<string, number>;
    figures.push(
      { name: `jobs that write ${body}, fenced`, value: perSecond(ours), unit: 'jobs/s' },
      { name: `jobs that write ${body}, graphile-worker`, value: perSecond(plain), unit: 'jobs/s' },
      {
        name: `jobs that write ${body}, fenced / graphile-worker`,
        value: plain / ours,
        unit: 'x',
        ...(body !== 'a row before their end' && { bar: { atLeast: 0.9 } }), // beside it, for who needs two transactions
      },
      ...Object.entries(peers).map(([name, ms]) => ({
        ...{ name: `jobs that write ${body}, ${name}`, value: perSecond(ms), unit: 'jobs/s' },
      })),
    );
  }
  return figures;
}

const perSecond = (ms: number) => (JOBS / ms) * 1_000;

function benchTask(body: Body, started: () => void): Task {
  return defineTask({
    name: 'bench',
    payload: z.strictObject({ job: z.int() }),
    attempts: 3,
    timeoutSeconds: 60,
    async run({ job }, { db }) {
      started();
      const write = async (tx: Tx) => {
        await tx.query(WRITE, [job]);
        return { job };
      };
      if (body === 'a row') return db.finish(write);
      if (body === 'a row before their end') return db.transaction(write);
      return { job };
    },
  }) as unknown as Task;
}

/** Each queued as its users do it: ours have their turns then, and no sweep has to give them any meanwhile. */
async function fill(db: BenchDb, task?: Task): Promise<void> {
  await db.query('truncate public.effects, ops.job_runs, ops.turns');
  if (task)
    await db.transaction(async (tx) => {
      for (let job = 1; job <= JOBS; job++) await enqueue(tx, task, { job });
    });
  else
    await db.query(
      `select graphile_worker.add_job('bench', json_build_object('job', n), max_attempts => 3)
       from generate_series(1, $1::integer) n`,
      [JOBS],
    );
  await db.query('vacuum analyze graphile_worker._private_jobs');
  await db.query('checkpoint');
}

async function ourWorker(db: BenchDb, body: Body): Promise<number> {
  const clock = startClock(JOBS);
  const task = benchTask(body, clock.started);
  await fill(db, task);
  await using _worker = await startWorker({
    url: db.url,
    concurrency: CONCURRENCY,
    drainSeconds: 10,
    log: makeLog('silent', 'bench'),
    tasks: [task],
    services: { allowedHosts: [] } as unknown as Services,
  });
  return await clock.allStarted;
}

async function plainWorker(db: BenchDb, body: Body): Promise<number> {
  const clock = startClock(JOBS);
  await fill(db);
  const runner = await run({
    connectionString: db.url,
    maxPoolSize: 2 * CONCURRENCY + 2,
    concurrency: CONCURRENCY,
    pollInterval: POLL_MS,
    parsedCronItems: [],
    noHandleSignals: true,
    logger: new Logger(() => () => {}),
    taskList: {
      async bench(payload, { withPgClient }) {
        clock.started();
        if (body === 'nothing') return;
        await withPgClient(async (tx) => {
          await tx.query('begin');
          await tx.query(WRITE, [Object(payload).job]);
          await tx.query('commit');
        });
      },
    },
  });
  const took = await clock.allStarted;
  await runner.stop();
  return took;
}
