/** Fires the slots of a started backfill, so many at a time as it may have on the queue. */
import type { Tx } from '#sql/db/pool.ts';
import { backfillState, endBackfill, lockBackfill, settleBackfillSlot } from '#sql/schedules/backfills.ts';
import { lockSchedule } from '#sql/schedules/schedules.ts';
import type { Task } from '#tasks/task.ts';
import { fire } from './fire.ts';

export async function fillBackfill(tx: Tx, id: number, tasks: readonly Task[]): Promise<void> {
  const backfill = await lockBackfill(tx, id, { wait: false });
  if (backfill === undefined || backfill.endedAt !== null) return;
  const schedule = await lockSchedule(tx, backfill.scheduleId, { wait: false });
  if (schedule === undefined) return;
  const { active, next } = await backfillState(tx, backfill);
  if (active === 0 && next.length === 0) return endBackfill(tx, backfill);
  for (const slot of next.slice(0, Math.max(backfill.concurrency - active, 0))) {
    const fired = await fire(tx, tasks, schedule, slot, { priority: 'bulk' });
    await settleBackfillSlot(tx, backfill, slot.position, fired);
  }
}
