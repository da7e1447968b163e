/**
 * Waiting for PostgreSQL. A run's beginning and end must be written, and a server that restarts is
 * away for seconds: what fails for that reason is asked again until it is answered. The statements
 * are made to be asked twice, because a broken connection does not tell whether they had committed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { NightshiftError } from '#runtime/errors.ts';
import { isDatabaseFault } from '#sql/db/faults.ts';

const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 1_000;

// Besides faults of the database itself: classes of SQLSTATE in which the statement was right and the moment
// was wrong. Rolled back by concurrency (40), over a limit (53), waited too long (55), cancelled (57).
const PASSING_CLASSES = ['40', '53', '55', '57'];

/** Asks until there is an answer; ends early only for a lasting error, or when `giveUp` aborts. */
export async function untilAnswered<T>(giveUp: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (giveUp.aborted || !isPassing(error)) throw error;
      await sleep(pauseMs, undefined, { signal: giveUp }).catch(() => {
        throw error;
      });
    }
  }
}

/** Whether the database, not the statement, was at fault. What is no answer of a server counts as such. */
export function isPassing(error: unknown): boolean {
  if (error instanceof NightshiftError) return error.verdict === 'retry';
  if (!(error instanceof pg.DatabaseError)) return !(error instanceof TypeError);
  return isDatabaseFault(error) || PASSING_CLASSES.includes(error.code?.slice(0, 2) ?? '');
}
