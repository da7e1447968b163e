/** Finds jobs on the queue, and runs of the past. */
import type { Reader } from '../db/reader.ts';

export const queueStates = ['waiting', 'running', 'retrying', 'held', 'paused', 'dead'] as const;
export const runOutcomes = [
  ...([
    'succeeded',
    'partial',
    'retrying',
    'snoozed',
    'held',
    'dead',
    'released',
    'cancelled',
    'crashed',
  ] as const),
];
export type State = (typeof queueStates)[number] | (typeof runOutcomes)[number];

/** What is left out does not matter. */
export type JobFilter = {
  task?: string | undefined;
  brandId?: string | undefined;
  connectionId?: string | undefined;
  state?: State | undefined;
  /** Jobs that were made, or runs that ended, at this instant or later. */
  since?: string | undefined;
  /** Part of the error, case-insensitive. */
  text?: string | undefined;
  /** The group of failures that a job bears now, or that a run belongs to. */
  failure?: string | undefined;
};

export type QueuedJob = {
  job_id: string;
  task: string;
  lane: string | null;
  priority: string;
  state: State;
  why: string | null;
  attempts: number;
  max_attempts: number;
  run_at: Date | null;
  created_at: Date;
  error: string | null;
};

/** Next job first. */
export async function findJobs(db: Reader, filter: JobFilter, max: number): Promise<QueuedJob[]> {
  const { rows } = await db.query<QueuedJob>(
    `select job_id::text, task, lane, priority, state, why, attempts, max_attempts, run_at, created_at,
            last_error as error
     from ops.jobs
     where ${matching('state', 'created_at', 'last_error')}
     order by state = 'dead', turn > now(), case when turn <= now() then priority_number end, turn, ops.jobs.job_id
     limit $8`,
    [...valuesOf(filter), max],
  );
  return rows;
}

export async function countJobs(db: Reader, filter: JobFilter): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `select count(*) as n from ops.jobs where ${matching('state', 'created_at', 'last_error')}`,
    valuesOf(filter),
  );
  return rows[0]?.n ?? 0;
}

/** Those of the jobs that the filter still finds, whatever their state: one may bear another failure by now. */
export async function stillFound(
  db: Reader,
  filter: JobFilter,
  ids: readonly string[],
): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select job_id::text as id from ops.jobs
     where job_id = any ($8::bigint[]) and ${matching('state', 'created_at', 'last_error')}`,
    [...valuesOf({ ...filter, state: undefined }), ids],
  );
  return new Set(rows.map(({ id }) => id));
}

/** A job on the queue as it is now; undefined if it is not on it. */
export async function queuedJob(
  db: Reader,
  id: string,
): Promise<{ task: string; state: State; brandId: string | null } | undefined> {
  const { rows } = await db.query<{ task: string; state: State; brandId: string | null }>(
    'select task, state, brand_id as "brandId" from ops.jobs where job_id = $1',
    [id],
  );
  return rows[0];
}

/** Those of the jobs that are dead, as far as has committed. Waits for nobody who is changing one. */
export async function deadJobs(db: Reader, ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    "select job_id::text as id from ops.jobs where job_id = any ($1::bigint[]) and state = 'dead'",
    [ids],
  );
  return rows.map(({ id }) => id);
}

/** A search reads so many runs, those of the connection if one is named. */
export const RUNS_READ_MAX = 100_000;

const ERROR = "concat_ws(': ', error_code, coalesce(error_message, tally ->> 'incomplete'))";

/**
 * Runs that have ended, latest first. `readTo` is when the earliest that was looked at began, where more
 * might be found before that.
 */
export async function findRuns(
  db: Reader,
  filter: JobFilter,
  max: number,
): Promise<{ runs: Record<string, unknown>[]; readTo: Date | undefined }> {
  const [of, whose] = narrowest(filter);
  const { rows: runs } = await db.query(
    `select job_id::text, task, lane, outcome, attempt, finished_at,
            round(extract(epoch from finished_at - started_at), 1)::float8 as seconds,
            tally, error_code, coalesce(error_message, tally ->> 'incomplete') as error, error_hint
     from (select * from ops.job_runs ${of} order by id desc limit ${RUNS_READ_MAX}) r
     where finished_at is not null and ${matching('outcome', 'finished_at', ERROR)}
     order by id desc limit $8`,
    [...valuesOf(filter), max],
  );
  const { rows: next } = await db.query<{ at: Date }>(
    `select started_at as at from ops.job_runs
     ${whose.of} order by id desc offset ${RUNS_READ_MAX} limit 1`,
    whose.values,
  );
  const [first] = next;
  const isOver = first !== undefined && (filter.since === undefined || first.at >= new Date(filter.since));
  return { runs, readTo: runs.length < max && isOver ? first.at : undefined };
}

/** By what an index finds the runs: as a part of the search, and by itself. */
function narrowest({
  brandId,
  connectionId,
  failure,
}: JobFilter): [string, { of: string; values: unknown[] }] {
  if (failure !== undefined)
    return ['where failure_group = $7', { of: 'where failure_group = $1', values: [failure] }];
  if (connectionId === undefined) return ['', { of: '', values: [] }];
  const of = 'where (brand_id, connection_id) = ($1, $2)';
  return ['where (brand_id, connection_id) = ($2, $3)', { of, values: [brandId, connectionId] }];
}

function matching(state: string, time: string, error: string): string {
  return `($1::text is null or task = $1)
    and ($2::uuid is null or brand_id = $2) and ($3::uuid is null or connection_id = $3)
    and ($4::text is null or ${state} = $4)
    and ($5::timestamptz is null or ${time} >= $5)
    and ($6::text is null or position(lower($6) in lower(coalesce(${error}, ''))) > 0)
    and ($7::text is null or failure_group = $7)`;
}

function valuesOf({ task, brandId, connectionId, state, since, text, failure }: JobFilter): unknown[] {
  return [task, brandId, connectionId, state, since, text, failure].map((value) => value ?? null);
}
