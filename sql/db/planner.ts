/**
 * Whether a statement takes milliseconds or minutes must not depend on what PostgreSQL happens to know of its
 * tables: autovacuum may be off or late, and a table that was empty a moment ago counts as empty still. Every
 * index of `raw` begins with the brand and the connection, and without statistics each looks as good as another:
 * one was seen to be chosen that reads a whole connection for each row looked up.
 *
 * So rows are looked up as ranges of one value (`id >= x and id <= x order by id`), which only one index has in
 * their order, and sorting is switched off, which leaves the planner no other way. What must be sorted
 * is sorted all the same.
 */
import type pg from 'pg';
import type { Tx } from './pool.ts';

/** In a select list, until the transaction ends. */
export const FOLLOW_INDEXES = "set_config('enable_sort', 'off', true)";

/** Lets lookups take the index that has what they ask for in order, until the transaction ends. */
export async function followIndexes(tx: Tx): Promise<void> {
  await tx.query(`select ${FOLLOW_INDEXES}`);
}

/** Asks one thing in a transaction of its own in which lookups follow indexes. */
export function lookUp<R extends pg.QueryResultRow>(
  db: { transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T> },
  text: string,
  values: readonly unknown[],
): Promise<R[]> {
  return db.transaction(async (tx) => {
    await followIndexes(tx);
    const { rows } = await tx.query<R>(text, [...values]);
    return rows;
  });
}
