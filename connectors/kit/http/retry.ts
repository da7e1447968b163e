/**
 * The retry policy of all connectors. A transient failure is thrown as `RetryableError`; the loop waits and repeats the
 * request until attempts or waiting time are used up, then throws the error that it stands for.
 */
import { setTimeout } from 'node:timers/promises';
import type { NightshiftError } from '#runtime/errors.ts';

/** Requests, bytes and waiting time of this run so far. */
export type RequestStats = { requests: number; bytes: number; waitedMs: number };

export function newRequestStats(): RequestStats {
  return { requests: 0, bytes: 0, waitedMs: 0 };
}

export const ATTEMPTS_MAX = 6;
export const FIRST_DELAY_MS = 250;
export const DELAY_MS_MAX = 15_000;
/** The limit for waits after failures: network, 5xx, 429. The queue handles longer ones. */
export const FAILURE_WAIT_MS_MAX = 90_000;
/** The limit for waiting for our turn, which spends no attempt. */
export const TURN_WAIT_MS_MAX = 10 * 60_000;
/** The longest wait that a provider can demand: after a day we try again. */
export const RETRY_AFTER_MS_MAX = 24 * 60 * 60_000;

export class RetryableError extends Error {
  readonly failure: NightshiftError;
  readonly waitMs: number | undefined;
  readonly isTurn: boolean;

  /** `waitMs`: the provider's own wait, else back-off. `isTurn`: nothing failed, it is just not our turn yet. */
  constructor(failure: NightshiftError, options: { waitMs?: number; isTurn?: boolean } = {}) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.waitMs = options.waitMs;
    this.isTurn = options.isTurn ?? false;
  }
}

export type RetryOptions = { signal: AbortSignal; stats: RequestStats; attemptsMax?: number };

export async function withRetry<T>(once: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, attemptsMax = ATTEMPTS_MAX } = options;
  let failures = 0;
  const waited = { failure: 0, turn: 0 };
  for (;;) {
    signal.throwIfAborted();
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const kind = error.isTurn ? 'turn' : 'failure';
      if (!error.isTurn) failures++;
      const waitMs = error.waitMs ?? backOffMs(failures);
      const waitMsMax = error.isTurn ? TURN_WAIT_MS_MAX : FAILURE_WAIT_MS_MAX;
      if (failures >= attemptsMax || waited[kind] + waitMs > waitMsMax) throw error.failure;
      waited[kind] += waitMs;
      await pause(waitMs, options);
    }
  }
}

/** Doubles from the first delay; half of it is random, so that workers do not retry in step. */
function backOffMs(failures: number): number {
  const ms = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** (failures - 1));
  return Math.round(ms * (0.5 + Math.random() / 2));
}

/** Waits; if the job is stopped, throws the reason of its signal. */
export async function pause(ms: number, { signal, stats }: RetryOptions): Promise<void> {
  stats.waitedMs += ms;
  await setTimeout(ms, undefined, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
}
