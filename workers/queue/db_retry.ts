/**
 * Retries statements during outages of PostgreSQL. The beginning and the end of a run must be written, and a restarting
 * server is away for seconds: statements that fail for that reason are repeated until they succeed. They are
 * idempotent, because a broken connection does not show whether they committed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { NightshiftError } from '#runtime/errors.ts';
import { isDatabaseFault } from '#sql/db/faults.ts';

const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 1_000;

// Besides faults of the database itself: SQLSTATE classes of transient errors. Rolled back by concurrency (40), over a
// limit (53), waited too long (55), cancelled (57).
const PASSING_CLASSES = ['40', '53', '55', '57'];

/** Repeats until it succeeds; fails only for a permanent error, or when `giveUp` aborts. */
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

/** Whether the database was at fault, not the statement. An error that no server sent counts as such. */
export function isPassing(error: unknown): boolean {
  if (error instanceof NightshiftError) return error.verdict === 'retry';
  if (!(error instanceof pg.DatabaseError)) return !(error instanceof TypeError);
  return isDatabaseFault(error) || PASSING_CLASSES.includes(error.code?.slice(0, 2) ?? '');
}
