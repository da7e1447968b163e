/** Fires the slots of a started backfill, so many at a time as it may have on the queue. */
import type { Db } from '#sql/db/pool.ts';
import {
  backfillState,
  endBackfill,
  lockBackfill,
  runningBackfills,
  settleBackfillSlot,
} from '#sql/schedules/backfills.ts';
import { lockSchedule } from '#sql/schedules/schedules.ts';
import type { Task } from '#tasks/task.ts';
import { fire } from './fire.ts';

export async function fillBackfills(db: Db, tasks: readonly Task[]): Promise<void> {
  for (const id of await runningBackfills(db)) await fill(db, id, tasks);
}

async function fill(db: Db, id: number, tasks: readonly Task[]): Promise<void> {
  await db.transaction(async (tx) => {
    const backfill = await lockBackfill(tx, id);
    if (backfill === undefined || backfill.endedAt !== null) return;
    const schedule = await lockSchedule(tx, backfill.scheduleId, { wait: false });
    if (schedule === undefined) return;
    const { active, next } = await backfillState(tx, backfill);
    if (active === 0 && next.length === 0) return endBackfill(tx, backfill);
    for (const slot of next.slice(0, Math.max(backfill.concurrency - active, 0)))
      await settleBackfillSlot(tx, backfill, slot.position, await fire(tx, tasks, schedule, slot));
  });
}
