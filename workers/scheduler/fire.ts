/** Makes the job of a slot: of a schedule that came due, was resumed, or is filled in for the past. */
import pg from 'pg';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import { cancelJobs, JobBusy } from '#sql/queue/jobs.ts';
import type { Owner, Schedule } from '#sql/schedules/schedules.ts';
import { keepBrand } from '#sql/tenants/removing.ts';
import { enqueue, parsePayload } from '#tasks/enqueue.ts';
import type { Priority, Slot, Task } from '#tasks/task.ts';
import { isPassing } from '../queue/db_retry.ts';

/** The number of the job, or why there is none. It may wait for a row of the queue: the last of its transaction. */
export type Fired = { jobId: string } | { error: string };

/** `priority`: that of the task by default. */
type FireOptions = { replaces?: string | undefined; priority?: Priority };

/** What runs hears only of a request that has committed: see `askingFirst`. */
class AskFirst extends Error {
  readonly jobId: string;
  constructor(jobId: string) {
    super(`Job ${jobId} runs, and must be asked to end before another takes its place.`);
    this.jobId = jobId;
  }
}

const REPLACED = { code: 'NS_JOB_CANCELLED', message: 'Its schedule fired again.' };

/** Does the work again after it has met a job that runs and is to be replaced, once that was asked to end. */
export async function askingFirst<T>(db: Db, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AskFirst)) throw error;
    await db.transaction((tx) => cancelJobs(tx, [error.jobId], REPLACED));
    return work();
  }
}

/**
 * The job takes the place of `replaces`, if one can be made. A fault that passes is thrown: the slot is then
 * tried again. Whatever else is wrong stays so, and is the outcome of the slot.
 */
export async function fire(
  tx: Tx,
  tasks: readonly Task[],
  schedule: Owner & Pick<Schedule, 'task' | 'payload'>,
  slot: Slot,
  how: FireOptions = {},
): Promise<Fired> {
  await tx.query('savepoint firing');
  try {
    const jobId = await makeJob(tx, tasks, schedule, slot, how);
    await tx.query('release savepoint firing');
    return { jobId };
  } catch (error) {
    if (error instanceof AskFirst || mayPass(error)) throw error;
    await tx.query('rollback to savepoint firing');
    return { error: messageOf(error) };
  }
}

/** The owner is locked first, in the order of everybody who queues a job. */
async function makeJob(
  tx: Tx,
  tasks: readonly Task[],
  schedule: Owner & Pick<Schedule, 'task' | 'payload'>,
  slot: Slot,
  { replaces, priority }: FireOptions,
): Promise<string> {
  const { brandId, connectionId } = schedule;
  if (brandId && connectionId) await keepConnection(tx, { brandId, connectionId });
  else if (brandId) await keepBrand(tx, brandId);
  const task = tasks.find(({ name }) => name === schedule.task);
  if (task === undefined) throw new TypeError(`there is no task ${schedule.task}`);
  const payload = payloadOf(task, schedule, slot);
  parsePayload(task, payload);
  if (replaces !== undefined) await takePlaceOf(tx, replaces);
  return enqueue(tx, task, payload, priority && { priority });
}

async function takePlaceOf(tx: Tx, jobId: string): Promise<void> {
  const [{ result } = { result: 'gone' }] = await cancelJobs(tx, [jobId], REPLACED);
  if (result === 'asked') throw new AskFirst(jobId);
  if (result === 'busy') throw new JobBusy(jobId); // under the same key, the new job would be that one
}

/** Whose the work is, what an operator added to it, and of which slot it is. */
export function payloadOf(
  task: Task,
  { brandId, connectionId, payload }: Owner & Pick<Schedule, 'payload'>,
  slot: Slot,
): Record<string, unknown> {
  const own = { ...payload, ...(brandId && { brandId }), ...(connectionId && { connectionId }) };
  return task.atSlot?.(own, slot) ?? own;
}

/** What is neither ours nor the database's is a fault of the task; where the connection broke, the rollback throws. */
function mayPass(error: unknown): boolean {
  return (error instanceof NightshiftError || error instanceof pg.DatabaseError) && isPassing(error);
}
