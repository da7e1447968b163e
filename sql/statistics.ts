/**
 * What PostgreSQL knows of its tables. One that was empty a moment ago counts as empty still, and is
 * then joined in a way that takes minutes instead of milliseconds. Autovacuum would mend that in a
 * minute or so, which is too late for the rollup that follows a first load at once.
 */
import type { Tx } from './pool.ts';
import type { Table } from './table.ts';

/**
 * PostgreSQL's own sample (100) takes a second of the processor for the tables of an order, many times in
 * a first load. A fifth of it tells large from small and frequent from rare. Autovacuum takes this for
 * part of an analyze and makes a whole one when it gets round to it.
 */
const STATISTICS_TARGET = 20;

export async function refreshStatistics(tx: Tx, tables: readonly Table[]): Promise<void> {
  await tx.query(`set local default_statistics_target = ${STATISTICS_TARGET}`);
  await tx.query(`analyze ${tables.map((table) => `${table.name} (${columnsOf(table)})`).join(', ')}`);
}

/** All by which rows are found: no query looks for a payload, and comparing samples of it is dearest. */
function columnsOf({ columns }: Table): string {
  const typed = Object.keys(columns).filter((column) => columns[column] !== 'jsonb');
  return ['brand_id', 'connection_id', ...typed, 'changed_at', 'deleted_at'].join(', ');
}
