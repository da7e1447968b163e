/**
 * What PostgreSQL knows of its tables. One that was empty a moment ago counts as empty still, and is
 * then joined in a way that takes minutes instead of milliseconds. Autovacuum would mend that in a
 * minute or so, which is too late for the rollup that follows a first load at once.
 */
import type { Tx } from './pool.ts';
import type { Table } from './table.ts';

export async function refreshStatistics(tx: Tx, tables: readonly Table[]): Promise<void> {
  await tx.query(`analyze ${tables.map(({ name }) => name).join(', ')}`);
}
