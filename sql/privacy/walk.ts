/** Walks a raw table of a connection in the order of its key, some rows in a statement, from any place on. */
import type { Reader } from '../db/reader.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { Table } from '../load/table.ts';

/** Rows that one statement looks at. */
export const SCANNED_MAX = 2_000;

/** The key of a row, as text. */
export type Place = readonly string[];

export type Walk = ConnectionKey & {
  table: Table;
  /** A condition on row `o`. */
  condition: string;
  /** `$3` and what follows in it. */
  values: readonly (readonly string[])[];
  /** What is wanted of a row `o`: an expression that is JSON. */
  wanted: string;
};

export type Stretch<R> = {
  rows: R[];
  /** Where the next one goes on; null behind the last row. */
  next: Place | null;
};

export async function walkOn<R>(db: Reader, walk: Walk, after: Place | null): Promise<Stretch<R>> {
  const { table, condition, values, wanted, brandId, connectionId } = walk;
  const { key, columns, name } = table;
  const own = [brandId, connectionId, ...values];
  const at = own.length + 1;
  // A condition may need none of them, and PostgreSQL wants to know the type of each.
  const given = values.map((_, index) => `, $${index + 3}::text[]`).join('');
  const typed = key.map((column, index) => `($${at}::text[])[${index + 1}]::${columns[column]}`);
  const list = key.map((column) => `o.${column}`).join(', ');
  const text = `
    with scanned as materialized (
      select o.* from ${name} o
      where o.brand_id = $1 and o.connection_id = $2 ${after ? `and (${list}) > (${typed.join(', ')})` : ''}
      order by ${list} limit ${SCANNED_MAX}
    )
    select (select count(*)::int from scanned) as scanned,
           (select array[${key.map((column) => `o.${column}::text`).join(', ')}] from scanned o
            order by ${key.map((column) => `o.${column} desc`).join(', ')} limit 1) as last,
           (select coalesce(jsonb_agg(${wanted} order by ${list}), '[]') from scanned o
            where (${condition}) and num_nonnulls(true${given}) > 0) as rows`;
  const { rows } = await db.query<{ scanned: number; last: Place | null; rows: R[] }>(text, [
    ...own,
    ...(after ? [after] : []),
  ]);
  const { scanned = 0, last = null, rows: found = [] } = rows[0] ?? {};
  return { rows: found, next: scanned < SCANNED_MAX ? null : last };
}
