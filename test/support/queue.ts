/** What tests of the queue ask of it again and again. */
import type { z } from 'zod';
import { enqueue } from '#tasks/enqueue.ts';
import type { Task } from '#tasks/task.ts';
import { startWorker, type WorkerOptions } from '#workers/queue/worker.ts';
import type { TestDb } from './db/db.ts';
import { effect, hasty, once } from './queue_tasks.ts';
import { quiet, testServices } from './run.ts';

/** A worker in this process. */
export function aWorker(db: TestDb, options: Partial<WorkerOptions> = {}) {
  const tasks = [effect, hasty, once];
  const usual = { url: db.url, concurrency: 4, drainSeconds: 10, log: quiet, tasks, services: testServices };
  return startWorker({ ...usual, ...options });
}

export function add<S extends z.ZodObject>(db: TestDb, task: Task<S>, payload: z.input<S>): Promise<string> {
  return db.transaction((tx) => enqueue(tx, task, payload));
}

export const effects = (db: TestDb) => db.column('select label from public.effects order by at, label');
export const runs = (db: TestDb) =>
  db.rows('select task, attempt, outcome, error_code from ops.job_runs order by id');
export const jobsLeft = (db: TestDb) =>
  db.rows(
    'select id::text, attempts, locked_by is not null as locked, run_at <= now() as due from graphile_worker.jobs order by id',
  );
export const lockedLanes = (db: TestDb) =>
  db.column('select queue_name from graphile_worker._private_job_queues where locked_by is not null');
