/** The same jobs on other queues: pg-boss on the same PostgreSQL, BullMQ on a Redis where there is one. */
import { randomBytes } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { PgBoss } from 'pg-boss';
import { startClock } from './support/job_clock.ts';
import type { BenchDb } from './support/server.ts';

/** What is to be worked off: so many jobs, so many at a time, and what each does. */
export type Load = { jobs: number; concurrency: number; work: (job: number) => Promise<unknown> };

const REDIS_URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const REDIS_WAIT_MS = 1_000;

/** Jobs come in batches as large as may run at a time, because single ones wait for a poll each. */
export async function pgBoss(db: BenchDb, { jobs, concurrency, work }: Load): Promise<number> {
  const clock = startClock(jobs);
  const boss = new PgBoss({ connectionString: db.url, max: 2 * concurrency + 2, schema: 'pgboss' });
  boss.on('error', () => {}); // what fails shows in the jobs that never start
  await boss.start();
  const name = `bench-${randomBytes(4).toString('hex')}`;
  try {
    await boss.createQueue(name);
    await boss.insert(
      name,
      Array.from({ length: jobs }, (_, job) => ({ data: { job } })),
    );
    const options = { batchSize: concurrency, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
    await boss.work<{ job: number }>(name, options, async (batch) => {
      await Promise.all(
        batch.map(({ data }) => {
          clock.started();
          return work(data.job);
        }),
      );
    });
    return await clock.allStarted;
  } finally {
    await boss.stop();
  }
}

/** Undefined where no Redis answers. */
export async function redisVersion(): Promise<string | undefined> {
  const redis = new Redis(REDIS_URL, {
    lazyConnect: true,
    connectTimeout: REDIS_WAIT_MS,
    retryStrategy: () => null,
  });
  redis.on('error', () => {}); // the answer to `connect` says it
  try {
    await redis.connect();
    return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}

/** Redis answers before anything is on disk, and its jobs cannot commit with the rows that they write. */
export async function bullMq({ jobs, concurrency, work }: Load): Promise<number> {
  const clock = startClock(jobs);
  const connection = { url: REDIS_URL, maxRetriesPerRequest: null };
  const queue = new Queue(`bench-${randomBytes(4).toString('hex')}`, { connection });
  try {
    await queue.addBulk(
      Array.from({ length: jobs }, (_, job) => ({
        ...{ name: 'bench', data: { job } },
        opts: { removeOnComplete: true },
      })),
    );
    const body = async ({ data }: { data: { job: number } }) => {
      clock.started();
      await work(data.job);
    };
    const worker = new Worker(queue.name, body, { connection, concurrency });
    worker.on('error', () => {}); // what fails shows in the jobs that never start
    try {
      return await clock.allStarted;
    } finally {
      await worker.close();
    }
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
  }
}
