/**
 * The duration of a statement must not depend on statistics: autovacuum may be off or late, and PostgreSQL still takes
 * a table for empty that was empty a moment ago. Every index of `raw` begins with the brand and the connection, and
 * without statistics all of them look equally good: PostgreSQL was seen to choose one that reads a whole connection
 * for each row that is looked up.
 *
 * So rows are looked up as ranges of one value (`id >= x and id <= x order by id`), whose order only one index has, and
 * sorting is switched off, which leaves the planner no other way. A sort that no index avoids still happens.
 */
import type pg from 'pg';
import type { Tx } from './pool.ts';

/** For a select list; holds until the transaction ends. */
export const FOLLOW_INDEXES = "set_config('enable_sort', 'off', true)";

/** Makes lookups use the index with their order, until the transaction ends. */
export async function followIndexes(tx: Tx): Promise<void> {
  await tx.query(`select ${FOLLOW_INDEXES}`);
}

/** Runs one query in a transaction of its own in which lookups follow indexes. */
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
