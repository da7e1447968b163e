/** Tables of ours as copies of them are called, such as the scratch tables of a restore: the same statements redact both. */
import type { Table } from '../load/table.ts';
import { objectKey, type PersonTable, type PersonTables } from './person_tables.ts';
import type { TextTable } from './text_tables.ts';

/** The name of the copy; of a table that has none its own. */
export type NameOf = (live: string) => string;

export function personTablesIn(tables: PersonTables, nameOf: NameOf): PersonTables {
  const made = new Map<string, Table>();
  const copyOf = (table: Table): Table => {
    const copy = made.get(table.name) ?? copied(table, nameOf);
    made.set(table.name, copy);
    return copy;
  };
  return new Map(
    [...tables.values()].map(({ table, root, tables: all }): [string, PersonTable] => [
      nameOf(table.name),
      { table: copyOf(table), root: copyOf(root), tables: all.map(copyOf) },
    ]),
  );
}

function copied(table: Table, nameOf: NameOf): Table {
  const { personal } = table;
  // A name of another schema than raw, which only statements read.
  const named = (name: string) => nameOf(name) as Table['name'];
  const through = personal?.through && {
    ...personal.through,
    tables: personal.through.tables.map(named),
  };
  return {
    ...{ ...table, name: named(table.name) },
    ...(personal && { personal: { ...personal, ...(through && { through }) } }),
  };
}

/** Single objects, as `objectKey` names them. */
export function objectsIn(objects: readonly string[], nameOf: NameOf): string[] {
  return objects.map((object) => {
    const [table = '', ...id] = object.split(' ');
    return objectKey(nameOf(table), id.join(' '));
  });
}

export function textTableIn(table: TextTable, nameOf: NameOf): TextTable {
  return { ...table, name: nameOf(table.name), live: table.name };
}
