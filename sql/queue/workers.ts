/** Hands back the jobs of dead workers, and jobs that a live worker holds without knowing. */
import type { Db } from '../db/pool.ts';
import type { Claim } from './jobs.ts';

type Queryable = Pick<Db, 'query'>;

const died = {
  code: 'NS_WORKER_DIED',
  message: 'The worker process ended while it ran the job.',
  hint: 'The job runs again by itself. Check its host for the reason: killed, out of memory, power.',
};

/** Hands back the jobs of every worker whose lock is free, except the caller's own. Returns their number. */
export async function sweepWorkers(db: Queryable, self?: string): Promise<number> {
  return count(db, 'select ops.sweep_workers($1, $2) as jobs', [died, self]);
}

/** Hands back jobs that have been locked for a while in the name of no live worker. */
export async function sweepStrangers(db: Queryable, graceSeconds: number): Promise<number> {
  const text = 'select ops.sweep_strangers(make_interval(secs => $1), $2) as jobs';
  return count(db, text, [graceSeconds, died]);
}

/** Hands back the remaining jobs of a pool at once, without spending an attempt. */
export async function returnJobs(db: Queryable, poolId: string): Promise<number> {
  return count(db, "select ops.hand_back_pool($1, 'released', null) as jobs", [poolId]);
}

/**
 * If the answer to a claim is lost, the job is ours and nobody runs it. So jobs that our own pool has held for a
 * while and that do not run are handed back.
 */
export async function returnStrays(
  db: Queryable,
  { poolId, running, graceSeconds }: { poolId: string; running: readonly string[]; graceSeconds: number },
): Promise<number> {
  const text = `
    select ops.hand_back_pool($1, 'released', null, now() - make_interval(secs => $2), $3::bigint[]) as jobs`;
  return count(db, text, [poolId, graceSeconds, running]);
}

/** Those of the claims that do not stand any more. */
export async function lostClaims<C extends Claim>(db: Queryable, claims: readonly C[]): Promise<C[]> {
  if (claims.length === 0) return [];
  const { rows } = await db.query<{ place: number }>(
    'select place from ops.lost_claims($1, $2, $3) as place',
    [
      claims.map(({ jobId }) => jobId),
      claims.map(({ poolId }) => poolId),
      claims.map(({ claimedAt }) => claimedAt),
    ],
  );
  return rows.flatMap(({ place }) => claims[place - 1] ?? []);
}

/** Records that a worker has stopped gracefully. False if it still holds jobs, which the rescuer hands back. */
export async function closeWorker(db: Queryable, poolId: string): Promise<boolean> {
  await db.query(
    "update ops.workers set ended_at = now(), ended_how = 'stopped' where pool_id = $1 and ended_at is null",
    [poolId],
  );
  await db.query('select ops.close_worker(id, pool_id, $2) from ops.workers where pool_id = $1', [
    poolId,
    died,
  ]);
  const { rows } = await db.query<{ closed: boolean }>(
    'select handed_back_at is not null as closed from ops.workers where pool_id = $1',
    [poolId],
  );
  return rows[0]?.closed === true;
}

/** So many jobs of each priority a sweep of the order looks at, and holds for a moment. */
const TURNS_MAX = 500;

/** Gives turns to jobs whose time has come, and takes those that are paused out of the way. */
export async function sweepTurns(db: Queryable): Promise<void> {
  await db.query('select ops.sweep_turns($1)', [TURNS_MAX]);
}

async function count(db: Queryable, text: string, values: unknown[]): Promise<number> {
  const { rows } = await db.query<{ jobs: number }>(text, values);
  return rows[0]?.jobs ?? 0;
}
