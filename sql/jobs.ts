/**
 * What happens to a job after the library has claimed it: begin, fenced transactions, the end, handing
 * back. The statements stand in migrations/0003_queue.sql, the only place that knows the private
 * tables of the queue; here are their types.
 */
import { scrub } from '#runtime/scrub.ts';
import type { Db, Tx } from './pool.ts';

/** Whose a job is. `claimedAt` is `locked_at` as the task was handed it, to the millisecond. */
export type Claim = { jobId: string; poolId: string; claimedAt: Date };

export type Begun = { state: 'running' | 'held'; runId: number } | { state: 'lost' };

/** How a run ended: done, to run again (retrying, waiting, returned), parked, or kept as dead. */
export type Outcome = 'succeeded' | 'partial' | 'retrying' | 'waiting' | 'returned' | 'held' | 'dead';

export type RunError = { code: string; message: string; hint?: string; stack?: string };

export type RunEnd = {
  outcome: Outcome;
  /** What the job has spent when this is over. */
  attempts: number;
  /** Of a job that runs again: not before so many seconds from now. */
  delaySeconds?: number;
  error?: RunError;
  tally?: Record<string, unknown>;
  progress?: Record<string, unknown>;
};

type Queryable = Pick<Db, 'query'>;

const TEXT_LENGTH_MAX = 10_000;

const BEGIN_RUN = { name: 'begin run', text: 'select state, run_id from ops.begin_run($1, $2, $3, $4, $5)' };
const FENCE = { name: 'fence', text: 'select ops.fence($1, $2, $3, $4, $5) as ours' };
const END_RUN = {
  name: 'end run',
  text: 'select ops.end_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as outcome',
};

/** Our row gives up its key, the record begins. A job of a held connection is parked instead. */
export async function beginRun(
  db: Queryable,
  { jobId, poolId, claimedAt }: Claim,
  { attempt, key }: { attempt: number; key: string | null },
): Promise<Begun> {
  const { rows } = await db.query<{ state: Begun['state']; run_id: number }>(BEGIN_RUN, [
    jobId,
    poolId,
    claimedAt,
    attempt,
    key,
  ]);
  const [{ state, run_id: runId } = { state: 'lost' as const, run_id: 0 }] = rows;
  return state === 'lost' ? { state } : { state, runId };
}

/** Locks the job's row for this transaction; false if the job is no longer ours. */
export async function fence(
  tx: Tx,
  { jobId, poolId, claimedAt }: Claim,
  runId: number,
  progress?: Record<string, unknown>,
): Promise<boolean> {
  const values = [jobId, poolId, claimedAt, runId, toJson(progress)];
  const { rows } = await tx.query<{ ours: boolean }>({ ...FENCE, values });
  return rows[0]?.ours === true;
}

/** Writes the record and settles the job, in one statement. May be asked again until it answers. */
export async function endRun(
  db: Queryable,
  { jobId, poolId, claimedAt }: Claim,
  runId: number,
  { outcome, attempts, delaySeconds = 0, error, tally, progress }: RunEnd,
): Promise<Outcome | 'lost'> {
  const settled = [outcome, attempts, delaySeconds, toJson(error), toJson(tally), toJson(progress)];
  const { rows } = await db.query<{ outcome: Outcome | 'lost' }>(END_RUN, [
    jobId,
    poolId,
    claimedAt,
    runId,
    ...settled,
  ]);
  return rows[0]?.outcome ?? 'lost';
}

/** Puts the parked jobs of a connection back, in the transaction that has just released it. */
export async function releaseJobs(tx: Tx, brandId: string, connectionId: string): Promise<number> {
  const { rows } = await tx.query<{ jobs: number }>('select ops.release_jobs($1, $2) as jobs', [
    brandId,
    connectionId,
  ]);
  return rows[0]?.jobs ?? 0;
}

/** Text that PostgreSQL takes: jsonb knows neither NUL nor half a surrogate pair. No secret gets in. */
function toJson(value: object | undefined): string | null {
  if (value === undefined) return null;
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'string' ? storable(item) : item));
}

function storable(text: string): string {
  return scrub(text.replaceAll('\0', '').toWellFormed().slice(0, TEXT_LENGTH_MAX).toWellFormed());
}
