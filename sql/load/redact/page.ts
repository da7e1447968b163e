/**
 * Redacts the items of a page that are of erased persons, before they are compared with what is stored: so an erasure
 * outlasts every later reading, and an object that did not change rewrites nothing. Only for brands that have erased
 * somebody; `lockConnection` says so.
 */
import type { Tx } from '../../db/pool.ts';
import { type IdentifierOf, personKeyOf } from '../../tenants/persons.ts';
import type { Sealer } from '../../tenants/secrets.ts';
import { digestOf, type PackedItem, type Part } from '../pack.ts';
import { rootColumnOf, rowsWhere, statement } from '../statements.ts';
import type { ConnectionKey } from '../stream_key.ts';
import type { Deletion, Table } from '../table.ts';
import { isPseudonym, pseudonymsOf } from './erased.ts';
import { cellOf, IS_ERASED, type Names, redactLine, renamedWithin } from './row.ts';

export type RedactTarget = ConnectionKey & { tables: readonly Table[]; sealer?: Sealer };
export type GivenPage = { items: readonly PackedItem[]; deletions: readonly Deletion[] };

const NOBODY: Names = new Map();

export async function redactPage(tx: Tx, target: RedactTarget, page: GivenPage): Promise<GivenPage> {
  const { brandId, connectionId, tables, sealer } = target;
  const [root] = tables;
  if (!root?.personal || page.items.length + page.deletions.length === 0) return page;
  if (sealer === undefined)
    throw new TypeError(`${root.name} cannot be loaded without the key of erased persons`);
  const erased = { brandId, key: await personKeyOf(tx, sealer, brandId) };
  const items = await redactItems(tx, root, { ...target, ...erased }, page.items);
  const isKeyed = root.personal.of?.some(
    ({ column, as }) => column === rootColumnOf(root) && as === 'customer',
  );
  if (!isKeyed) return { ...page, items };
  const renamed = await pseudonymsOf(
    tx,
    erased,
    page.deletions.map(({ id }) => [id, { kind: 'customer', connectionId, id }] as const),
  );
  const deletions = page.deletions.map(({ id, deletedAt }) => ({ id: renamed.get(id) ?? id, deletedAt }));
  return { items, deletions };
}

type Erased = Parameters<typeof pseudonymsOf>[1];

async function redactItems(
  tx: Tx,
  root: Table,
  target: ConnectionKey & Erased,
  items: readonly PackedItem[],
): Promise<PackedItem[]> {
  const { connectionId } = target;
  const { of = [], through } = root.personal ?? {};
  const persons = items.flatMap((item) =>
    of.flatMap(({ column, as }): [Named, IdentifierOf][] => {
      const name = cellOf(root, lineOf(root, item), column);
      if (name === null) return [];
      const known = { item, name };
      return as === 'email'
        ? [[known, { kind: 'email', digest: name }]]
        : [[known, { kind: 'customer', connectionId, id: name }]];
    }),
  );
  const objects = items.map((item): [PackedItem, IdentifierOf] => [
    item,
    { kind: 'object', connectionId, table: root.name, id: item.id },
  ]);
  const ofPersons = await pseudonymsOf(tx, target, persons);
  const alone = await pseudonymsOf(tx, target, objects);
  const parents = await erasedParents(tx, target, through, root, items);
  // Whoever it names now: what was taken out of it once does not come back.
  const before = await erasedRows(
    tx,
    target,
    { name: root.name, column: rootColumnOf(root) },
    items.map(({ id }) => id),
  );
  const namesOf = new Map<PackedItem, Map<string, string>>();
  for (const [known] of persons) {
    const pseudonym = isPseudonym(known.name) ? known.name : ofPersons.get(known);
    if (pseudonym === undefined) continue;
    const names = namesOf.get(known.item) ?? new Map();
    namesOf.set(known.item, names.set(known.name, pseudonym));
  }
  return items.map((item) => {
    const names = namesOf.get(item);
    if (names !== undefined) return redactItem(item, names);
    const parent = through && cellOf(root, lineOf(root, item), through.column);
    const isErased = alone.has(item) || before.has(item.id) || parents.has(parent ?? '');
    return isErased ? redactItem(item, NOBODY) : item;
  });
}

/** What names the person of an item. */
type Named = { item: PackedItem; name: string };

/** The ids, among those that the items name, of stored rows that are redacted. */
async function erasedParents(
  tx: Tx,
  target: ConnectionKey,
  through: NonNullable<Table['personal']>['through'],
  root: Table,
  items: readonly PackedItem[],
): Promise<Set<string>> {
  const found = new Set<string>();
  if (through === undefined) return found;
  const ids = new Set(items.map((item) => cellOf(root, lineOf(root, item), through.column) ?? ''));
  for (const name of through.tables) {
    for (const id of await erasedRows(tx, target, { name, column: 'id' }, [...ids])) found.add(id);
  }
  return found;
}

async function erasedRows(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  { name, column }: { name: string; column: string },
  ids: readonly string[],
): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string }>({
    ...statement(`
      select o.${column} as id from unnest($3::text[]) as w (id)
      cross join lateral (${rowsWhere(name, column)}) o
      where o.payload ${IS_ERASED}`),
    values: [brandId, connectionId, ids],
  });
  return new Set(rows.map(({ id }) => id));
}

function lineOf(root: Table, { parts }: PackedItem): string {
  return parts.get(root)?.lines ?? '';
}

function redactItem(item: PackedItem, names: Names): PackedItem {
  const [root] = item.tables;
  const parts = new Map(
    [...item.parts].map(([table, part]): [Table, Part] => {
      if (part.rows === 0 || !table.personal) return [table, part];
      const lines = part.lines.split('\n').map((line) => redactLine(table, line, names));
      return [table, { ...part, lines: lines.join('\n') }];
    }),
  );
  return {
    ...item,
    id: idOf(item, names),
    parts,
    digest: root?.digested ? digestOf(parts) : undefined,
    keys: new Map([...item.keys].map(([key, values]) => [key, values.map((one) => names.get(one) ?? one)])),
  };
}

function idOf({ id, tables: [root] }: PackedItem, names: Names): string {
  if (root === undefined) return id;
  const column = rootColumnOf(root);
  if (root.personal?.within?.includes(column)) return renamedWithin(id, names);
  return root.personal?.of?.some((one) => one.column === column) ? (names.get(id) ?? id) : id;
}
