/**
 * Drains a worker step by step: no more claims; running jobs may finish within the drain time; then their signals
 * abort; then waits for PostgreSQL end; at last the remaining jobs are handed back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { coded, messageOf } from '#runtime/errors.ts';
import type { Db } from '#sql/db/pool.ts';
import { closeWorker, returnJobs } from '#sql/queue/workers.ts';
import { untilAnswered } from './db_retry.ts';
import { ABORT_GRACE_MS } from './deadline.ts';

const SETTLE_MS = 3_000; // for writing the ends of aborted runs
const HAND_BACK_MS = 5_000;
/** The time that a stop may take beyond the drain time. */
export const STOP_SECONDS_MAX = (ABORT_GRACE_MS + SETTLE_MS + HAND_BACK_MS) / 1_000;

export class JobsLeftBehind extends coded('NS_JOBS_LEFT_BEHIND') {
  constructor(cause?: unknown) {
    const reason = cause === undefined ? 'a session still holds their rows' : messageOf(cause);
    super(`The worker ended and could not hand its jobs back: ${reason}.`, {
      hint: 'Nothing to do while another worker runs: it takes them over within a second.',
      cause,
    });
  }
}

/** Each aborts once, in this order. */
export type Stops = {
  claiming: AbortController;
  running: AbortController;
  waiting: AbortController;
  sweeping: AbortController;
};

export function makeStops(): Stops {
  const [claiming, running, waiting, sweeping] = [0, 0, 0, 0].map(() => new AbortController());
  return { claiming, running, waiting, sweeping } as Stops;
}

/** `idle` resolves when no job runs and no claim is made any more. */
export async function drain(stops: Stops, idle: Promise<void>, drainSeconds: number): Promise<void> {
  stops.claiming.abort();
  await within(drainSeconds * 1_000, idle);
  stops.running.abort();
  await within(ABORT_GRACE_MS + SETTLE_MS, idle);
  stops.waiting.abort();
  await idle;
  stops.sweeping.abort();
}

/** Throws JobsLeftBehind if the pool still holds jobs. */
export async function handBack(db: Db, poolId: string): Promise<void> {
  const closed = await untilAnswered(AbortSignal.timeout(HAND_BACK_MS), async () => {
    await returnJobs(db, poolId);
    return closeWorker(db, poolId);
  }).catch((error) => {
    throw new JobsLeftBehind(error);
  });
  if (!closed) throw new JobsLeftBehind();
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = new AbortController();
  await Promise.race([work, sleep(ms, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
}
