/** Gives work to a fleet, whatever happens to the database meanwhile, and writes down what was acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { enqueue } from '#tasks/enqueue.ts';
import type { Task } from '#tasks/task.ts';
import type { TestDb } from '../db/db.ts';
import type { History } from './history.ts';

const POLL_MS = 100;
const BATCH = 500;

/**
 * Queues jobs, so many in a transaction. A job is lost only if its transaction was acknowledged: one whose answer never
 * came may be there or not, and is asked for under another label if it is tried again.
 */
export async function addAll<S extends z.ZodObject>(
  db: TestDb,
  history: History,
  task: Task<S>,
  payloads: readonly (z.input<S> & { label: string })[],
): Promise<void> {
  for (let from = 0; from < payloads.length; from += BATCH) {
    const batch = payloads.slice(from, from + BATCH);
    for (const { label } of batch) history.add({ what: 'asked', label });
    await db.transaction(async (tx) => {
      for (const payload of batch) await enqueue(tx, task, payload);
    });
    for (const { label } of batch) history.add({ what: 'acked', label });
  }
}

/** Work that is there when a fault comes, however fast it is done: a fault that hits nobody shows nothing. */
export type Supply = {
  add(jobs: number): Promise<void>;
  /** Adds what it takes until so many are left. */
  keep(jobs: number): Promise<void>;
};

export function supplyOf<S extends z.ZodObject>(
  { db, history }: { db: TestDb; history: History },
  task: Task<S>,
  nth: (n: number) => z.input<S> & { label: string },
): Supply {
  let made = 0;
  const add = async (jobs: number) => {
    const payloads = Array.from({ length: Math.max(jobs, 0) }, () => nth(made++));
    await addAll(db, history, task, payloads);
  };
  return { add, keep: async (jobs) => add(jobs - (await jobsLeft(db))) };
}

/** How many jobs wait or run; those that rest after a crash need not, if `hurry`. */
export async function jobsLeft(db: TestDb, hurry = false): Promise<number> {
  if (hurry)
    await db.query(`update graphile_worker._private_jobs set run_at = now()
      where run_at between now() and 'infinity'::timestamptz - interval '1 day' and attempts < max_attempts`);
  const [left] = await db.column(
    'select count(*)::int from graphile_worker._private_jobs where attempts < max_attempts or locked_at is not null',
  );
  return Number(left);
}

/** Waits until each job that is left is locked, by a worker that lives or by one that is gone, but no longer than told. */
export async function untilClaimed(db: TestDb, waitMs: number): Promise<void> {
  const free =
    'select id from graphile_worker._private_jobs where locked_at is null and attempts < max_attempts limit 1';
  const deadline = performance.now() + waitMs;
  while (performance.now() < deadline && (await db.column(free)).length > 0) await sleep(POLL_MS);
}

/** Waits until no job is left, but no longer than told; gives how many are. */
export async function untilDrained(db: TestDb, waitMs: number, { hurry = false } = {}): Promise<number> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const left = await jobsLeft(db, hurry);
    if (left === 0 || performance.now() > deadline) return left;
    await sleep(POLL_MS);
  }
}
