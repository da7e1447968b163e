/** Workers that are gone, and what they leave. */
import type { TestDb } from './db/db.ts';
import { claimJob } from './run.ts';

/** A worker that is registered and holds no lock: as one that was killed. */
async function aDeadWorker(db: TestDb, poolId: string): Promise<string> {
  await db.query(
    `insert into ops.workers (id, pool_id, lock_key, host, process_id, started_at)
     values (gen_random_uuid(), $1, (random() * 1e9)::bigint, 'gone', 1, now())`,
    [poolId],
  );
  return poolId;
}

/** The job as a worker leaves it that dies in the midst of the body, or before anything was begun. */
export async function crash(
  db: TestDb,
  id: string,
  how: { begun: boolean; committed?: boolean },
): Promise<void> {
  const poolId = await aDeadWorker(db, `pool-${id}-${Math.random()}`);
  const { attempts, key, locked_at } = await claimJob(db, id, poolId);
  await db.query(
    `update graphile_worker._private_job_queues q set locked_by = j.locked_by, locked_at = j.locked_at
     from graphile_worker._private_jobs j where j.id = $1 and q.id = j.job_queue_id`,
    [id],
  );
  if (!how.begun) return;
  const begun = await db.rows<{ run_id: number }>('select * from ops.begin_run($1, $2, $3, $4, $5)', [
    id,
    poolId,
    locked_at,
    attempts,
    key,
  ]);
  const run = begun[0]?.run_id;
  if (how.committed) await db.query('select ops.fence($1, $2, $3, $4, null)', [id, poolId, locked_at, run]);
}
