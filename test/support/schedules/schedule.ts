/** Schedules of a made-up task, and their ledgers. */
import { z } from 'zod';
import type { Policy } from '#sql/schedules/decide.ts';
import { insertSchedule, lockSchedule } from '#sql/schedules/schedules.ts';
import { defineTask, type Task } from '#tasks/task.ts';
import { decideDue, type Pass } from '#workers/scheduler/pass.ts';
import type { TestDb } from '../db/db.ts';

/** Does nothing; it says of which day it is. */
export const chime = defineTask({
  name: 'chime',
  payload: z.strictObject({ brandId: z.uuid().optional(), day: z.iso.date().optional() }),
  attempts: 1,
  timeoutSeconds: 10,
  run: async () => ({}),
  atSlot: (payload, { localDay }) => ({ ...payload, day: localDay }),
});

export const BY = 'test';
export const tasks: readonly Task[] = [chime];

export type ASchedule = Partial<Policy> & {
  expression: string;
  timeZone?: string | null;
  at: string;
  brandId?: string;
  name?: string;
  payload?: Record<string, unknown>;
  excludedDays?: string[];
  pauseAfterFailures?: number;
};

export async function aSchedule(db: TestDb, { at, ...given }: ASchedule): Promise<number> {
  const { brandId = null, name = 'chime', timeZone = 'UTC', payload = {}, ...rest } = given;
  const policy = { catchUp: 'latest', catchUpMax: 1, overlap: 'queue' } as const;
  const schedule = {
    ...policy,
    ...rest,
    brandId,
    connectionId: null,
    name,
    task: 'chime',
    payload,
    timeZone,
  };
  const id = await db.transaction((tx) => insertSchedule(tx, schedule, { at: new Date(at), by: BY }));
  if (id === undefined) throw new Error(`There is a schedule ${name} already.`);
  return id;
}

/** Decides what has come due, as often as it takes. */
export async function passAt(db: TestDb, id: number, now: string): Promise<Pass> {
  for (;;) {
    const pass = await db.transaction(async (tx) => {
      const schedule = await lockSchedule(tx, id, { wait: true });
      if (schedule === undefined) throw new Error(`There is no schedule ${id}.`);
      return decideDue(tx, schedule, { now: new Date(now), tasks, by: BY });
    });
    if (pass.isDone) return pass;
  }
}

/** `2026-03-08T07:00Z queued`, oldest first. */
export async function ledger(db: TestDb, id: number): Promise<string[]> {
  const rows = await db.column(
    `select to_char(slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') || ' ' || outcome
     from ops.schedule_slots where schedule_id = $1 order by slot`,
    [id],
  );
  return rows as string[];
}
