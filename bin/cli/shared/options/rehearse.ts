/** Applies a change; with --dry-run the change is made, measured and rolled back. */
import type { Db, Tx } from '#sql/db/pool.ts';

const ROLLED_BACK = Symbol('rolled back');

/** Returns the result of `fn`, which is committed or, with `dryRun`, rolled back. */
export async function attempt<T>(
  db: Db,
  dryRun: boolean | undefined,
  fn: (tx: Tx) => Promise<T>,
): Promise<T> {
  if (!dryRun) return db.transaction(fn);
  const results: T[] = [];
  await db
    .transaction(async (tx) => {
      results.push(await fn(tx));
      throw ROLLED_BACK;
    })
    .catch((error: unknown) => {
      if (error !== ROLLED_BACK) throw error;
    });
  return results[0] as T; // nothing but `fn` can throw before it is there
}
