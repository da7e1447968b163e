/** The runs of a job: each record is one attempt. */
import type { Db } from '#sql/db/pool.ts';
import { span } from '../ui/format.ts';
import { instant } from '../ui/output.ts';

/** A job that waits for its provider again and again may have more; the latest are read. */
export const RUNS_MAX = 100;

export type Run = {
  attempt: number;
  task: string;
  outcome: string;
  started_at: Date;
  finished_at: Date | null;
  last_commit_at: Date | null;
  seconds: number;
  host: string | null;
  process_id: number | null;
  tally: Record<string, unknown> | null;
  progress: Record<string, unknown> | null;
  error_code: string | null;
  error_message: string | null;
  error_hint: string | null;
  payload: Record<string, unknown>;
};

/** In their order, which is that of the ids of the records. `hasMore`: there are earlier ones. */
export async function readRuns(db: Db, jobId: string): Promise<{ runs: Run[]; hasMore: boolean }> {
  const { rows } = await db.query<Run>(RUNS, [jobId]);
  return { runs: rows.slice(-RUNS_MAX), hasMore: rows.length > RUNS_MAX };
}

const RUNS = `
  select attempt, task, outcome, started_at, finished_at, last_commit_at, seconds, host, process_id, tally, progress,
         error_code, error_message, error_hint, payload
  from (
    select r.*, extract(epoch from coalesce(r.finished_at, now()) - r.started_at)::float8 as seconds, w.host, w.process_id
    from ops.job_runs r left join ops.workers w on w.pool_id = r.pool_id
    where r.job_id = $1 order by r.id desc limit ${RUNS_MAX + 1}) latest
  order by id`;

export function runLines(run: Run): string[] {
  const { attempt, outcome, started_at: at, seconds, tally } = run;
  const { error_code: code, error_message: message, error_hint: hint } = run;
  return [
    `  attempt ${attempt}  ${instant(at)}  ${outcome}, ${span(seconds * 1_000)}`,
    ...tallyLines(tally),
    ...(code === null ? [] : [`    ${code}: ${message}`]),
    ...(hint === null ? [] : [`    next: ${hint}`]),
  ];
}

/** What it did, in the order in which the task tells it; what is 0 or nothing is left out. */
function tallyLines(tally: Run['tally']): string[] {
  const told = Object.entries(tally ?? {}).filter(
    ([, value]) => value !== 0 && value !== null && value !== '',
  );
  const words = told.map(
    ([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return words.length === 0 ? [] : [`    ${words.join(', ')}`];
}
