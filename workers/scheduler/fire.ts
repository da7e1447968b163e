/** Makes the job of a slot: of a schedule that came due, was resumed, or is filled in for the past. */
import { NightshiftError } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import type { Owner, Schedule } from '#sql/schedules/schedules.ts';
import { keepBrand } from '#sql/tenants/removing.ts';
import { enqueue } from '#tasks/enqueue.ts';
import type { Slot, Task } from '#tasks/task.ts';

/** The number of the job, or why there is none. It may wait for a row of the queue: the last of its transaction. */
export type Fired = { jobId: string } | { error: string };

/** A fault that passes is thrown: the slot is then tried again. */
export async function fire(
  tx: Tx,
  tasks: readonly Task[],
  schedule: Owner & Pick<Schedule, 'task' | 'payload'>,
  slot: Slot,
): Promise<Fired> {
  const task = tasks.find(({ name }) => name === schedule.task);
  if (task === undefined) return { error: `there is no task ${schedule.task}` };
  const own = ownPayload(schedule);
  const { brandId, connectionId } = schedule;
  try {
    if (brandId && connectionId) await keepConnection(tx, brandId, connectionId);
    else if (brandId) await keepBrand(tx, brandId);
    return { jobId: await enqueue(tx, task, task.atSlot?.(own, slot) ?? own) };
  } catch (error) {
    if (!(error instanceof NightshiftError) || error.verdict !== 'give_up') throw error;
    return { error: error.message };
  }
}

/** Whose the work is, and what an operator added to it. */
export function ownPayload({ brandId, connectionId, payload }: Owner & Pick<Schedule, 'payload'>) {
  return { ...payload, ...(brandId && { brandId }), ...(connectionId && { connectionId }) };
}
