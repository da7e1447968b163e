/** Brands that queue jobs, and a worker that begins them one by one. */
import { type EnqueueOptions, enqueue } from '#tasks/enqueue.ts';
import type { TestDb } from './db/db.ts';
import { effect } from './queue_tasks.ts';

export const brand = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
export const [A, B, C] = [brand(1), brand(2), brand(3)];

type Work = { label: string; lane?: string; key?: string };
export const add = (db: TestDb, brandId: string, work: Work, options: EnqueueOptions = {}) =>
  db.transaction((tx) => enqueue(tx, effect, { brandId, ...work }, options));

/** In one transaction, as a backfill does: all have the same clock. */
export const addMany = (db: TestDb, brandId: string, label: string, jobs: number, more: Partial<Work> = {}) =>
  db.transaction(async (tx) => {
    for (let n = 0; n < jobs; n++) await enqueue(tx, effect, { brandId, label: `${label}${n}`, ...more });
  });

/** Claims the job that a worker would take next, and begins its run. */
export async function begin(db: TestDb): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string; label: string }>(
    `select j.id::text, j.payload ->> 'label' as label from graphile_worker._private_jobs j
     left join graphile_worker._private_job_queues q on q.id = j.job_queue_id
     where j.is_available and j.run_at <= now() and q.locked_at is null
     order by j.priority, j.run_at, j.id limit 1`,
  );
  const [job] = rows;
  if (job === undefined) return undefined;
  await db.query(
    `with claimed as (
       update graphile_worker._private_jobs set locked_by = 'pool', locked_at = now(), attempts = 1 where id = $1 returning *),
     laned as (
       update graphile_worker._private_job_queues q set locked_by = 'pool', locked_at = now()
       from claimed where q.id = claimed.job_queue_id)
     select from claimed`,
    [job.id],
  );
  await db.query(
    `select ops.begin_run(id, locked_by, date_trunc('milliseconds', locked_at), 1, key)
     from graphile_worker._private_jobs where id = $1`,
    [job.id],
  );
  return job.label;
}

export async function beginAll(db: TestDb): Promise<string[]> {
  const begun: string[] = [];
  for (let next = await begin(db); next !== undefined; next = await begin(db)) begun.push(next);
  return begun;
}
