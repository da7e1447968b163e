/** Decides what happens to a job after its run, as a pure function. */
import { messageOf, NightshiftError, verdictOf } from '#runtime/errors.ts';
import { isBlameless } from '#sql/db/faults.ts';
import type { RunEnd, RunError } from '#sql/queue/jobs.ts';
import type { Tally } from '#tasks/task.ts';

// A failed job waits 5 s, then twice as long each time, at most an hour. Half of it is random (equal jitter), so that
// jobs that failed together do not return together.
export const BACKOFF_FIRST_SECONDS = 5;
export const BACKOFF_MAX_SECONDS = 3_600;
// A provider's own wait counts for at most a day; an extra tenth spreads the jobs. If it names none, or one in the
// past, `ops.end_run` adds a pause.
export const RETRY_AFTER_MAX_SECONDS = 24 * 3_600;
export const RETRY_AFTER_SPREAD = 0.1;

/** The attempts so far, including this run, and their maximum. */
export type Attempts = { attempt: number; attemptsMax: number };

type Random = () => number;

export function endOfSuccess(tally: Tally, { attempt }: Attempts): RunEnd {
  const outcome = tally.incomplete === undefined ? 'succeeded' : 'partial';
  return { outcome, attempts: attempt, tally };
}

/** A fault of the database, or a deadlock, costs the job only a pause, which `ops.end_run` determines; five deadlocks at most. */
export function endOfFailure(
  error: unknown,
  { attempt, attemptsMax }: Attempts,
  random: Random = Math.random,
): RunEnd {
  const base = { error: describe(error), attempts: attempt };
  if (isBlameless(error)) return { ...base, outcome: 'released', attempts: attempt - 1 };
  const verdict = verdictOf(error);
  if (verdict === 'give_up') return { ...base, outcome: 'dead' };
  if (verdict === 'hold') return { ...base, outcome: 'held', attempts: attempt - 1 };
  const wait = error instanceof NightshiftError ? error.retryAfterMs : undefined;
  if (wait !== undefined) {
    const delaySeconds = retryAfterSeconds(wait, random);
    return { ...base, outcome: 'snoozed', attempts: attempt - 1, delaySeconds };
  }
  if (attempt >= attemptsMax) return { ...base, outcome: 'dead' };
  return { ...base, outcome: 'retrying', delaySeconds: backoffSeconds(attempt, random) };
}

/** The worker stops: the job is free for others at once, and this run does not count. */
export function endOfRelease({ attempt }: Attempts): RunEnd {
  return { outcome: 'released', attempts: attempt - 1 };
}

export function backoffSeconds(attempt: number, random: Random = Math.random): number {
  const full = Math.min(BACKOFF_FIRST_SECONDS * 2 ** (attempt - 1), BACKOFF_MAX_SECONDS);
  return full * (0.5 + random() / 2);
}

function retryAfterSeconds(waitMs: number, random: Random): number {
  const seconds = Math.min(Math.max(waitMs / 1_000, 0), RETRY_AFTER_MAX_SECONDS);
  return seconds * (1 + random() * RETRY_AFTER_SPREAD);
}

function describe(error: unknown): RunError {
  const { hint } = error instanceof NightshiftError ? error : {};
  return { code: codeOf(error), message: messageOf(error), hint, stack: stackOf(error) };
}

function codeOf(error: unknown): string {
  if (error instanceof NightshiftError) return error.code;
  const { code, name } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return typeof code === 'string' ? code : (name ?? 'thrown');
}

const CAUSES_MAX = 5;

function stackOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = depth < CAUSES_MAX ? stackOf(error.cause, depth + 1) : undefined;
  return cause ? `${error.stack}\ncaused by: ${cause}` : error.stack;
}
