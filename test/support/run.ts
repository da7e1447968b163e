/** Runs one job through the real fence, without a long-running worker. */
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { makeLog } from '#runtime/log.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { enqueue } from '#tasks/enqueue.ts';
import type { Services, Tally, Task } from '#tasks/task.ts';
import { type ClaimedJob, type RunReport, runJob } from '#workers/queue/run_job.ts';
import { testKeyring } from './rows/factory.ts';

const never = new AbortController().signal;
export const quiet = makeLog('silent', 'test');
export const testServices: Services = {
  ...testKeyring,
  ecbUrl: 'http://127.0.0.1:9/no-feeds-in-this-test',
};

export type RunTaskOptions = {
  services?: Partial<Services>;
  stop?: AbortSignal;
  poolId?: string;
  /** Where runs begin and end; as everything else if not said. */
  control?: Db;
  /** Tasks that the worker runs besides. */
  tasks?: readonly string[];
};

/** Enqueues, claims and runs; gives the tally, or throws what the run threw. */
export async function runTask<S extends z.ZodObject>(
  task: Task<S>,
  payload: z.input<S>,
  db: Db,
  options: RunTaskOptions = {},
): Promise<Tally> {
  const job = await db.transaction(async (tx) => {
    const id = await enqueue(tx, task, payload);
    return claimJob(tx, id, options.poolId);
  });
  const { tally, error, outcome } = await runClaimed(task, job, db, options);
  if (error !== undefined) throw error;
  if (!tally) throw new Error(`The job did not run: ${outcome}.`);
  return tally;
}

/** Runs a job that was claimed before, and tells how it ended. */
export function runClaimed<S extends z.ZodObject>(
  task: Task<S>,
  job: ClaimedJob,
  db: Db,
  { services, stop = never, control = db, tasks = [] }: RunTaskOptions = {},
): Promise<RunReport> {
  const given = { ...testServices, ...services };
  const known = [task.name, ...tasks];
  const signals = { stop, giveUp: never, lost: never };
  return runJob(task, job, { db, control, log: quiet, services: given, tasks: known, ...signals });
}

/** Claims one job as the library does, but this one whatever else waits, and whatever its lane does. */
export async function claimJob(
  tx: Pick<Tx, 'query'> | Pick<Db, 'query'>,
  id: string,
  poolId = `pool-test-${randomBytes(6).toString('hex')}`,
): Promise<ClaimedJob> {
  const { rows } = await (tx as Pick<Db, 'query'>).query<ClaimedJob>(
    `update graphile_worker._private_jobs
     set attempts = attempts + 1, locked_by = $2, locked_at = clock_timestamp() where id = $1 returning *`,
    [id, poolId],
  );
  const [job] = rows;
  if (!job) throw new Error(`There is no job ${id}.`);
  return job;
}
