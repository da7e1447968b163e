/** What is paused, as a worker asks before each claim; the database is asked once a second at most. */
import type { Db } from '#sql/db/pool.ts';
import { pausedFlags } from '#sql/queue/pauses.ts';

export const PAUSES_READ_MS = 1_000;

/**
 * Gives the flags of jobs that must wait, null if none must. Where they cannot be read the claim fails, as it would by
 * itself: a job that is paused must not slip through.
 */
export function watchPauses(db: Pick<Db, 'query'>): () => Promise<string[] | null> {
  let asked: { at: number; flags: Promise<string[]> } | undefined;
  return async () => {
    if (asked === undefined || performance.now() - asked.at >= PAUSES_READ_MS) {
      asked = { at: performance.now(), flags: pausedFlags(db) };
      asked.flags.catch(() => {
        asked = undefined;
      });
    }
    const flags = await asked.flags;
    return flags.length > 0 ? flags : null;
  };
}
