/**
 * One run of a claimed job, from the beginning of its record to its end: begin, body, verdict,
 * settled. A body that does not heed its signal loses its claim and its transaction and is left to
 * itself: its slot is free again.
 */
import type { Log } from '#runtime/log.ts';
import { isBlameless } from '#sql/db/faults.ts';
import type { Db } from '#sql/db/pool.ts';
import {
  beginRun,
  type Claim,
  endRun,
  type Outcome,
  othersWait,
  type RunEnd,
  type RunRecord,
} from '#sql/queue/jobs.ts';
import { parsePayload } from '#tasks/enqueue.ts';
import { type Services, type Tally, type Task, TurnOver } from '#tasks/task.ts';
import { isPassing, untilAnswered } from './db_retry.ts';
import { deadline, JobTaken, TaskTimedOut, WorkerStopping } from './deadline.ts';
import { ClaimLost, type FencedDb, fencedDb } from './fenced_db.ts';
import { endOfFailure, endOfRelease, endOfSuccess } from './retry_policy.ts';

/** A job as the library hands it over. */
export type ClaimedJob = {
  id: string | number;
  key: string | null;
  payload: unknown;
  attempts: number;
  max_attempts: number;
  locked_by: string | null;
  locked_at: Date | null;
};

export type RunOptions = {
  /** For the body's own statements. */
  db: Db;
  /** For beginning and ending, which must get through when bodies have taken all of `db`. */
  control: Db;
  log: Log;
  services: Services;
  /** Aborts when the worker must stop: the run is then handed back. */
  stop: AbortSignal;
  /** Aborts when the job is found to be no longer ours. */
  lost: AbortSignal;
  /** Aborts when waiting for PostgreSQL makes no sense any more. */
  giveUp: AbortSignal;
  /** The names of all tasks that the worker runs. */
  tasks: readonly string[];
};

export type RunReport = { outcome: Outcome | 'lost'; tally?: Tally; error?: unknown };

export async function runJob(task: Task, job: ClaimedJob, options: RunOptions): Promise<RunReport> {
  const startedAt = performance.now();
  const { control, giveUp } = options;
  const claim = claimOf(job);
  const identity = { job: claim.jobId, task: task.name, attempt: job.attempts, ...subjectOf(job.payload) };
  const record: RunRecord = { attempt: job.attempts, key: job.key };
  const begin = async () => {
    const begun = await beginRun(control, claim, record);
    if (begun.state === 'running') record.id = begun.runId;
    return begun.state;
  };
  const begun = mayBeHeld(job) ? await untilAnswered(giveUp, begin) : 'running';
  if (begun !== 'running') {
    options.log.warn({ ...identity, outcome: begun }, 'job');
    return { outcome: begun };
  }
  const log = options.log.child(identity);
  const endOf = (tally: Tally) => endOfSuccess(tally, attemptsOf(job));
  const db = fencedDb({ db: options.db, control, claim, record, endOf });
  const beginning = beginSoon(record, db, begin);
  const { end, error, tally } = await runBody(task, job, { ...options, log, db });
  const begins = beginning.stop();
  await untilAnswered(giveUp, () => db.close()); // first, because a beginning may wait for a transaction that hangs
  await begins;
  const settle = (how: RunEnd) => untilAnswered(giveUp, () => endRun(control, claim, record, how));
  const settled = () =>
    settle({ ...end, progress: db.pendingProgress() }).catch((unwritable) => {
      // What it returned is no JSON, say. Without an end the job would be handed back, and run again for ever.
      if (isPassing(unwritable)) throw unwritable;
      return settle(endOfFailure(unwritable, attemptsOf(job)));
    });
  const { outcome, run } = db.ended() ?? (await settled());
  const ms = Math.round(performance.now() - startedAt);
  const level = outcome === 'released' && isBlameless(error) ? 'warn' : levels[outcome];
  log[level]({ run, ...tally, outcome, ms, ...(error === undefined ? {} : { err: error }) }, 'job');
  return { outcome, tally, error };
}

/** A run of a connection asks first: a held one must not reach the provider. */
function mayBeHeld({ payload }: ClaimedJob): boolean {
  return Object(payload).connectionId !== undefined;
}

const BEGIN_AFTER_MS = 25;

/**
 * A run that is short is one transaction, in which its record begins and ends. One that takes longer, and
 * has committed nothing yet, begins its record meanwhile, so that it can be seen.
 */
function beginSoon(record: RunRecord, db: FencedDb, begin: () => Promise<unknown>) {
  let beginning: Promise<unknown> | undefined;
  const look = () => {
    if (record.id !== undefined) return;
    // A transaction has the row, and the record with it once it commits.
    if (db.isBusy()) timer = setTimeout(look, BEGIN_AFTER_MS);
    else beginning = begin().catch(() => {}); // the next transaction, or the end, makes it good
  };
  let timer = setTimeout(look, BEGIN_AFTER_MS);
  return {
    stop: async () => {
      clearTimeout(timer);
      await beginning;
    },
  };
}

// `error` means that a person must act.
const levels = {
  succeeded: 'info',
  partial: 'warn',
  retrying: 'warn',
  snoozed: 'info',
  released: 'info',
  lost: 'warn',
  held: 'error',
  dead: 'error',
  cancelled: 'warn',
} as const;

type BodyOptions = Pick<RunOptions, 'log' | 'services' | 'stop' | 'lost' | 'tasks'> & { db: FencedDb };
type BodyEnd = { end: RunEnd; tally?: Tally; error?: unknown };

async function runBody(task: Task, job: ClaimedJob, { stop, lost, ...given }: BodyOptions): Promise<BodyEnd> {
  const attempts = attemptsOf(job);
  using leashed = deadline(task, { stop, lost });
  const { signal, outstayed } = leashed;
  signal.addEventListener('abort', () => {
    // Nothing of it may commit any more, and a statement hears no signal. Should this fail, the end asks again.
    if (signal.reason instanceof JobTaken) given.db.close().catch(() => {});
  });
  try {
    signal.throwIfAborted();
    const payload = parsePayload(task, job.payload);
    const { db, log, services } = given;
    const now = () => instantOf(payload) ?? new Date();
    const id = String(job.id);
    const context = {
      ...{ job: id, db, log, services, signal, now, progress: db.progress },
      othersWait: seldom(() => othersWait(db, id, given.tasks)),
    };
    const work = task.run(payload, context);
    const tally = await Promise.race([work, outstayed]);
    return { tally, end: endOfSuccess(tally, attempts) };
  } catch (thrown) {
    if (thrown instanceof TurnOver)
      return { tally: thrown.tally, end: { ...endOfRelease(attempts), tally: thrown.tally } };
    const reason: unknown = signal.reason;
    if (thrown instanceof ClaimLost || reason instanceof WorkerStopping || reason instanceof JobTaken) {
      return { error: thrown, end: endOfRelease(attempts) };
    }
    const error =
      reason instanceof TaskTimedOut ? new TaskTimedOut(task.name, task.timeoutSeconds, thrown) : thrown;
    return { error, end: endOfFailure(error, attempts) };
  }
}

const OTHERS_READ_MS = 3_000;

/** A run asks after each page; the question reads the head of the queue. */
function seldom(ask: () => Promise<boolean>): () => Promise<boolean> {
  let askedAt = -Infinity;
  return async () => {
    if (performance.now() - askedAt < OTHERS_READ_MS) return false;
    askedAt = performance.now();
    return ask();
  };
}

const attemptsOf = ({ attempts, max_attempts }: ClaimedJob) => ({
  attempt: attempts,
  attemptsMax: max_attempts,
});

/** Tests, the demo and runs for a past day name the instant that they count as done at. */
function instantOf({ now }: Record<string, unknown>): Date | undefined {
  return typeof now === 'string' ? new Date(now) : undefined;
}

export function claimOf({ id, locked_by, locked_at }: ClaimedJob): Claim {
  if (locked_by === null || locked_at === null) throw new TypeError(`Job ${id} was handed over unclaimed.`);
  return { jobId: String(id), poolId: locked_by, claimedAt: locked_at };
}

function subjectOf(payload: unknown): Record<string, unknown> {
  const { brandId, connectionId } = Object(payload);
  return { brandId, connectionId };
}
