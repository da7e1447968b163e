/** Which rows of the raw tables are of a person, as SQL, from what the tables declare. */

import { rootColumnOf } from '../load/statements.ts';
import type { Table } from '../load/table.ts';

export type PersonTable = { table: Table; root: Table; tables: readonly Table[] };
/** By name, each before those whose rows are of its persons. */
export type PersonTables = ReadonlyMap<string, PersonTable>;

/** A person as a connection knows it: ids and digests, each with its pseudonym once it is erased. */
export type PersonHere = {
  customers: readonly string[];
  emails: readonly string[];
  /** Single objects, as the name of the root table and the id. */
  objects: readonly string[];
};

export function personTablesOf(streams: readonly { tables: readonly Table[] }[]): PersonTables {
  const found = new Map<string, PersonTable>();
  for (const { tables } of streams) {
    const [root] = tables;
    if (!root) continue;
    for (const table of tables)
      if (table.personal && !found.has(table.name)) found.set(table.name, { table, root, tables });
  }
  return found;
}

export function objectKey(table: string, id: string): string {
  return `${table} ${id}`;
}

/**
 * Whether row `row` is of the person: `$3` its ids, `$4` its digests, `$5` its single objects, of brand `$1` and
 * connection `$2`.
 */
export function isOfPerson(tables: PersonTables, name: string, row = 'o'): string {
  const found = tables.get(name);
  if (!found) return 'false';
  const { table, root } = found;
  const { of = [], through } = table.personal ?? {};
  const inner = `${row}x`;
  const ofRow = (parent: string, parentColumn: string, column: string) => `exists (
      select from (
        select * from ${parent} ${inner} where ${inner}.brand_id = $1 and ${inner}.connection_id = $2
          and ${inner}.${parentColumn} >= ${row}.${column} and ${inner}.${parentColumn} <= ${row}.${column}
        order by ${inner}.${parentColumn}) ${inner}
      where ${isOfPerson(tables, parent, inner)})`;
  const tests = [
    ...of.map(({ column, as }) => `${row}.${column} = any (${as === 'customer' ? '$3' : '$4'}::text[])`),
    ...(table === root ? [`'${name} ' || ${row}.${rootColumnOf(table)} = any ($5::text[])`] : []),
    ...(table === root ? [] : [ofRow(root.name, rootColumnOf(root), rootColumnOf(table))]),
    ...(through?.tables ?? []).map((parent) => ofRow(parent, 'id', through?.column ?? '')),
  ];
  return `(${tests.join(' or ')})`;
}

/** Whether rows of the table can be of the person at all. */
export function mayHold(tables: PersonTables, name: string, person: PersonHere): boolean {
  const found = tables.get(name);
  if (!found) return false;
  const { table, root } = found;
  const { of = [], through } = table.personal ?? {};
  return (
    of.some(({ as }) => (as === 'customer' ? person.customers : person.emails).length > 0) ||
    (table === root
      ? person.objects.some((object) => object.startsWith(`${name} `))
      : mayHold(tables, root.name, person)) ||
    (through?.tables ?? []).some((parent) => mayHold(tables, parent, person))
  );
}
