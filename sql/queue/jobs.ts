/**
 * The life of a job after the library has claimed it: begin, fenced transactions, end and handing back. The
 * statements are in migrations/0002_queue.sql, that of `ops.begin_run` in 0028_deliveries.sql; here are their types.
 * Besides these two, only pauses.ts and bin/cli/jobs/filter.ts know private tables of the queue.
 */
import type { QueryResult } from 'pg';
import { coded } from '#runtime/errors.ts';
import { scrubValue } from '#runtime/scrub.ts';
import type { BoundStatement, Db, Tx } from '../db/pool.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

/** The claim of a job. `claimedAt` is `locked_at` as the task got it, to the millisecond. */
export type Claim = { jobId: string; poolId: string; claimedAt: Date };

/** The fields of a run's record; it has an `id` once its beginning has committed. */
export type RunRecord = { id?: number; attempt: number; key: string | null };

export type Begun = { state: 'running' | 'held'; runId: number } | { state: 'lost' };

/** How a run ended: done, to run again, parked, or kept as dead. */
export type Outcome =
  | 'succeeded'
  | 'partial'
  | 'retrying'
  | 'snoozed'
  | 'released'
  | 'held'
  | 'dead'
  | 'cancelled';

export type RunError = { code: string; message: string; hint?: string; stack?: string };

export type RunEnd = {
  outcome: Outcome;
  /** The attempts that are spent after this run. */
  attempts: number;
  /** For a job that runs again: the seconds until then. */
  delaySeconds?: number;
  error?: RunError;
  tally?: Record<string, unknown>;
  progress?: Record<string, unknown>;
};

/** The outcome, and the number of the run's record. */
export type Ended = { outcome: Outcome | 'lost'; run: number | null };

type Queryable = Pick<Db, 'query'>;

const BEGIN_RUN = { name: 'begin run', text: 'select state, run_id from ops.begin_run($1, $2, $3, $4, $5)' };
const FENCE_FIRST = { name: 'fence first', text: 'select ops.fence_first($1, $2, $3, $4, $5, $6) as run_id' };
const FENCE = { name: 'fence', text: 'select ops.fence($1, $2, $3, $4, $5) as ours' };
const END_RUN = {
  name: 'end run',
  text: 'select ended as outcome, run from ops.end_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)',
};

/** Clears the key of our job row and begins the record. A job of a held connection is parked instead. */
export async function beginRun(
  db: Queryable,
  { jobId, poolId, claimedAt }: Claim,
  { attempt, key }: RunRecord,
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

/** Locks the job's row for this transaction, and begins the run's record if it has not begun. `fenced` reads the answer. */
export function fence(
  { jobId, poolId, claimedAt }: Claim,
  { id, attempt, key }: RunRecord,
  progress?: Record<string, unknown>,
): BoundStatement {
  const claim = [jobId, poolId, claimedAt];
  return id === undefined
    ? { ...FENCE_FIRST, values: [...claim, attempt, key, toJson(progress)] }
    : { ...FENCE, values: [...claim, id, toJson(progress)] };
}

/** The same for a transaction that ends the run too, and so makes its record at its end. */
export function fenceOfEnd({ jobId, poolId, claimedAt }: Claim, { id }: RunRecord): BoundStatement {
  return { ...FENCE, values: [jobId, poolId, claimedAt, id, null] };
}

/** Whether the job is still ours; the number of the run's record, if it has one. */
export function fenced(
  { rows }: QueryResult,
  { id }: RunRecord,
): { ours: boolean; runId: number | undefined } {
  const { ours, run_id: begun } = rows[0] ?? {};
  return { ours: ours === true || typeof begun === 'number', runId: begun ?? id };
}

/** Whether a job of another brand, or a more urgent one, could run and waits for a worker all the same. */
export async function othersWait(db: Queryable, jobId: string, tasks: readonly string[]): Promise<boolean> {
  const text = 'select ops.others_wait($1, $2) as wait';
  const { rows } = await db.query<{ wait: boolean }>(text, [jobId, tasks]);
  return rows[0]?.wait === true;
}

/** Writes the record and finishes the job, in one statement, which may be repeated until it answers. */
export async function endRun(db: Queryable, claim: Claim, record: RunRecord, end: RunEnd): Promise<Ended> {
  const { values, ...statement } = endStatement(claim, record, end);
  return ended(await db.query<Ended>(statement, values));
}

/** The same as the last statement of the transaction of its work; `ended` reads the answer. */
export function endWithWork(claim: Claim, record: RunRecord, end: RunEnd): BoundStatement {
  return endStatement(claim, record, end, true);
}

export function ended({ rows }: QueryResult<Ended>): Ended {
  return rows[0] ?? { outcome: 'lost', run: null };
}

function endStatement(
  { jobId, poolId, claimedAt }: Claim,
  { id, attempt, key }: RunRecord,
  { outcome, attempts, delaySeconds = 0, error, tally, progress }: RunEnd,
  withWork = false,
): BoundStatement {
  const settled = [outcome, attempts, delaySeconds, toJson(error), toJson(tally), toJson(progress)];
  return { ...END_RUN, values: [jobId, poolId, claimedAt, id, ...settled, attempt, key, withWork] };
}

/**
 * `asked`: it runs, and hears of it once this transaction has committed; `asking`: it was asked before; `busy`: its
 * row is being changed at this moment; `other`: it is not dead, and only a dead one was meant; `gone`: there is none.
 */
export type Cancelled = 'cancelled' | 'asked' | 'asking' | 'busy' | 'other' | 'gone';

/** Takes jobs off the queue for good, or those of them that are dead. Never waits for a run, nor for a row. */
export async function cancelJobs(
  tx: Tx,
  jobIds: readonly string[],
  error: RunError,
  { onlyDead = false } = {},
): Promise<{ id: string; result: Cancelled }[]> {
  const { rows } = await tx.query<{ id: string; result: Cancelled }>(
    `select id::text, coalesce(ops.cancel_job(id, $2, $3), 'gone') as result
     from unnest($1::bigint[]) with ordinality as j (id, place) order by place`,
    [jobIds, toJson(error), onlyDead],
  );
  return rows;
}

export class JobBusy extends coded('NS_JOB_BUSY') {
  constructor(id: string) {
    super(`Another process is changing job ${id}.`, { hint: 'Try again.' });
  }
}

/** Puts those of the jobs back that are dead, each with its full number of attempts. Returns their ids. */
export async function retryJobs(tx: Tx, jobIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>('select id::text from ops.retry_jobs($1) as id', [jobIds]);
  return rows.map(({ id }) => id);
}

/** Requeues the parked jobs of a connection, in the transaction that has released it. */
export async function releaseJobs(tx: Tx, { brandId, connectionId }: ConnectionKey): Promise<number> {
  const { rows } = await tx.query<{ jobs: number }>('select ops.release_jobs($1, $2) as jobs', [
    brandId,
    connectionId,
  ]);
  return rows[0]?.jobs ?? 0;
}

/** Scrubs the value, which also removes what jsonb refuses: NUL and lone surrogates. */
function toJson(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value, scrubValue);
}
