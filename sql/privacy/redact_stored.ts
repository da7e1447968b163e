/**
 * Redacts stored rows of a person by what the loader does to rows that come: no row is deleted, so that nothing is
 * missing where rows are counted, and ids become pseudonyms, so that persons are counted as before. The digests of
 * objects are dropped, because these are of what was there before.
 */
import type { Tx } from '../db/pool.ts';
import { IS_ERASED, type Names, redactionOf } from '../load/redact/row.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { Table } from '../load/table.ts';
import { isOfPerson, type PersonHere, type PersonTables } from './person_tables.ts';
import { type Place, type Stretch, type Walk, walkOn } from './walk.ts';

type Cells = Record<string, string | null>;

export type Redacting = ConnectionKey & {
  tables: PersonTables;
  table: Table;
  person: PersonHere;
  names: Names;
};

/** Where the next stretch begins, and how many rows of this one were redacted. */
export type Redacted = Pick<Stretch<unknown>, 'next'> & { redacted: number };

/** Those of the next stretch; the caller holds the lock of the loads of the connection. */
export function redactNext(
  tx: Tx,
  { tables, table, person, names, ...key }: Redacting,
  after: Place | null,
): Promise<Redacted> {
  const named = (table.personal?.of ?? []).map(({ column }) => ` or o.${column} = any ($6::text[])`);
  // One that was redacted as a single object, or by another name, may still have this one.
  const isLeft = `(${IS_LEFT}${named.join('')})`;
  return redactWhere(
    tx,
    {
      ...{ ...key, table, names },
      condition: `${isLeft} and ${isOfPerson(tables, table.name)}`,
      values: [person.customers, person.emails, person.objects, [...names.keys()]],
    },
    after,
  );
}

export const IS_LEFT = `not coalesce(o.payload ${IS_ERASED}, false)`;

/** The same of rows `o` that a condition selects. */
export async function redactWhere(
  tx: Tx,
  { names, ...walk }: Omit<Walk, 'wanted'> & { names: Names },
  after: Place | null,
): Promise<Redacted> {
  const { table, brandId, connectionId } = walk;
  const { columns, redact } = redactionOf(table);
  const read = [...new Set([...table.key, ...columns])];
  const wanted = `jsonb_build_object(${read.map((column) => `'${column}', o.${column}::text`).join(', ')})`;
  const { rows, next } = await walkOn<Cells>(tx, { ...walk, wanted }, after);
  if (rows.length > 0) {
    const redacted = rows.map(
      (row): Cells =>
        Object.fromEntries(columns.map((column) => [column, redact(column, row[column] ?? null, names)])),
    );
    await write(tx, { brandId, connectionId, table, columns }, rows, redacted);
  }
  return { next, redacted: rows.length };
}

type Target = ConnectionKey & { table: Table; columns: readonly string[] };

/** A pseudonym may be there already, because the object came again since it was erased: then the older row goes. */
async function write(
  tx: Tx,
  { brandId, connectionId, table, columns }: Target,
  rows: readonly Cells[],
  redacted: readonly Cells[],
): Promise<void> {
  const { name, key, columns: types, digested } = table;
  const olds = key.map((column) => rows.map((row) => row[column]));
  const news = columns.map((column) => redacted.map((row) => row[column]));
  const texts = (count: number, from: number) =>
    Array.from({ length: count }, (_, index) => `$${from + index}::text[]`).join(', ');
  const given = [...key.map((_, index) => `k${index}`), ...columns.map((_, index) => `n${index}`)];
  const isRow = key.map((column, index) => `o.${column} = v.k${index}::${types[column]}`).join(' and ');
  const from = `unnest(${texts(given.length, 3)}) as v (${given.join(', ')})
    where o.brand_id = $1 and o.connection_id = $2 and ${isRow}`;
  const values = [brandId, connectionId, ...olds, ...news];
  // The key finds the rows, whatever statistics say.
  await tx.query(
    "select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)",
  );
  const renamed = key.filter((column) => columns.includes(column));
  if (renamed.length > 0) {
    const same = key.map((column, index) => {
      const at = columns.indexOf(column);
      return `p.${column} = v.${at === -1 ? `k${index}` : `n${at}`}::${types[column]}`;
    });
    const isMoved = renamed.map((column) => `o.${column} <> v.n${columns.indexOf(column)}::${types[column]}`);
    await tx.query(
      `delete from ${name} o using ${from} and (${isMoved.join(' or ')}) and exists (
         select from ${name} p where p.brand_id = $1 and p.connection_id = $2 and ${same.join(' and ')})`,
      values,
    );
  }
  const sets = columns.map((column, index) => `${column} = v.n${index}::${types[column]}`);
  await tx.query(
    `update ${name} o set ${[...sets, ...(digested ? ['digest = null'] : [])].join(', ')} from ${from}`,
    values,
  );
}
