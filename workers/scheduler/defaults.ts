/** Schedules that a brand, a connection or the platform has from its beginning: what tasks declare. */
import type { Db, Tx } from '#sql/db/pool.ts';
import { ownersWithout } from '#sql/schedules/owners.ts';
import { databaseTime, insertSchedule, type NewSchedule, type Owner } from '#sql/schedules/schedules.ts';
import type { DefaultSchedule, Task } from '#tasks/task.ts';

const BY = 'default';

/** Adds what the owner lacks. One that an operator removed is there again: to have none, pause it. */
export async function addDefaults(tx: Tx, tasks: readonly Task[], owner: Owner): Promise<number> {
  const at = await databaseTime(tx);
  let added = 0;
  for (const { task, schedule } of declared(tasks)) {
    if (schedule.of !== kindOf(owner)) continue;
    const id = await insertSchedule(tx, newSchedule(task, schedule, owner), { at, by: BY });
    if (id !== undefined) added++;
  }
  return added;
}

/**
 * The same for every owner that lacks one, an owner a transaction: of what was there before this release. One that
 * cannot be served keeps no other from it; the first error is thrown at the end.
 */
export async function addMissingDefaults(db: Db, tasks: readonly Task[]): Promise<void> {
  const errors: unknown[] = [];
  for (const { schedule } of declared(tasks)) {
    for (const owner of await ownersWithout(db, schedule.of, schedule.name))
      await db.transaction((tx) => addDefaults(tx, tasks, owner)).catch((error) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}

/** Whether the schedule is one that comes back when it is removed. */
export function isDefault(tasks: readonly Task[], { name, ...owner }: Owner & { name: string }): boolean {
  return declared(tasks).some(({ schedule }) => schedule.name === name && schedule.of === kindOf(owner));
}

function declared(tasks: readonly Task[]): { task: Task; schedule: DefaultSchedule }[] {
  return tasks.flatMap((task) => (task.schedules ?? []).map((schedule) => ({ task, schedule })));
}

function kindOf({ brandId, connectionId }: Owner): DefaultSchedule['of'] {
  if (connectionId !== null) return 'connection';
  return brandId === null ? 'platform' : 'brand';
}

function newSchedule(task: Task, schedule: DefaultSchedule, owner: Owner): NewSchedule {
  const {
    name,
    expression,
    timeZone = null,
    catchUp = 'latest',
    catchUpMax = 1,
    overlap = 'skip',
    payload = {},
  } = schedule;
  const id = owner.connectionId ?? owner.brandId ?? '';
  return {
    ...{ ...owner, name, task: task.name, payload, timeZone, catchUp, catchUpMax, overlap },
    expression: typeof expression === 'string' ? expression : expression(id),
    pauseAfterFailures: schedule.pauseAfterFailures ?? null,
  };
}
