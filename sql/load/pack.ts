/**
 * The packed form of an item: its rows as lines for COPY, and the few other facts that a load needs. Rows are many
 * small objects; the lines of an item are one text per table. So a reader of large pages packs each item at once, and
 * its rows are freed before the next one is read.
 */
import { hash } from 'node:crypto';
import { assertColumns, isStorable, type LineWriter, lineWriter, RowUnfit } from '../db/copy.ts';
import type { Mark } from '../dirty/marks.ts';
import type { Subject } from '../dirty/subject.ts';
import type { Invalidation } from './invalidations.ts';
import { rootColumnOf } from './statements.ts';
import type { Item, Row, Table } from './table.ts';

/** The target of items. */
export type Shelf = {
  /** The first one is the root table. */
  tables: readonly Table[];
  dependents?: readonly Invalidation[] | undefined;
};

export type Part = {
  /** The rows, one a line without the version of the item; the key comes first in each. */
  lines: string;
  rows: number;
  /** Whether a row has an empty column whose stored value is kept. */
  saysLess: boolean;
};

export type PackedItem = {
  id: string;
  changedAt: Date;
  /** The target that it is packed for. */
  tables: readonly Table[];
  /** By table. One that is absent was not read: its stored children are left alone. */
  parts: ReadonlyMap<Table, Part>;
  /** The digest of all its rows; only if the root table has digests. */
  digest: string | undefined;
  /** Milliseconds of every instant that marks a day, each once, by subject. */
  instants: ReadonlyMap<Subject, ReadonlySet<number>>;
  /** Marks of the dates and of the objects that it touches: objects by their ids alone. */
  named: readonly Mark[];
  /** The keys for the invalidation queries. */
  keys: ReadonlyMap<Invalidation, readonly string[]>;
};

const packed = new WeakMap<Item, PackedItem>();

/** Throws `RowUnfit` for an item that the database cannot hold. A packed item is returned as it is. */
export function pack(shelf: Shelf, item: Item | PackedItem): PackedItem {
  const known = 'parts' in item ? item : (packed.get(item) ?? packRows(shelf, item));
  if (known.tables !== shelf.tables) throw new TypeError(`${item.id} is packed for other tables`);
  if (!('parts' in item)) packed.set(item, known);
  return known;
}

function packRows({ tables, dependents = [] }: Shelf, item: Item): PackedItem {
  const { id, changedAt } = item;
  if (!isStorable(changedAt))
    throw new RowUnfit(tables[0]?.name ?? '', 'changed_at', id, 'timestamptz', changedAt);
  assertWhole(tables, item);
  const parts = new Map<Table, Part>();
  for (const table of tables) {
    const rows = item.rows[table.name];
    if (rows !== undefined) parts.set(table, partOf(table, rows, id));
  }
  return {
    id,
    changedAt,
    tables,
    parts,
    digest: tables[0]?.digested ? digestOf(parts) : undefined,
    ...touchedBy(tables, item),
    keys: keysOf(dependents, item),
  };
}

/** Refuses an item that is not exactly one root row with its children: it could never be compared. */
function assertWhole(tables: readonly Table[], { id, rows }: Item): void {
  for (const table of tables) {
    const root = rootColumnOf(table);
    const own = rows[table.name];
    if (table === tables[0] && own?.length !== 1) throw new RowUnfit(table.name, root, id, 'exactly one row');
    if (own?.some((row) => row[root] !== id)) throw new RowUnfit(table.name, root, id, 'the id of its item');
  }
}

const writers = new WeakMap<Table, LineWriter>();

function partOf(table: Table, rows: readonly Row[], id: string): Part {
  let write = writers.get(table);
  if (write === undefined) {
    write = lineWriter(table);
    writers.set(table, write);
  }
  if (rows[0]) assertColumns(table, rows[0], id);
  const lines: string[] = [];
  for (const row of rows) lines.push(write(row, id));
  const { remembers = [] } = table;
  const saysLess =
    remembers.length > 0 && rows.some((row) => remembers.some((column) => row[column] == null));
  return { lines: lines.join('\n'), rows: rows.length, saysLess };
}

/**
 * Equal digests mean equal rows; different ones mean nothing, because amounts and JSON may be written
 * in several ways.
 */
export function digestOf(parts: ReadonlyMap<Table, Part>): string {
  const texts: string[] = [];
  for (const [table, { lines }] of parts)
    texts.push(table.name, String(Object.keys(table.columns)), lines, '');
  return uuidOf(hash('sha256', texts.join('\n')));
}

/** The first half of a digest, as PostgreSQL writes a uuid. */
function uuidOf(hex: string): string {
  const ends = [8, 12, 16, 20, 32];
  return ends.map((end, index) => hex.slice(ends[index - 1] ?? 0, end)).join('-');
}

function touchedBy(tables: readonly Table[], item: Item): Pick<PackedItem, 'instants' | 'named'> {
  const instants = new Map<Subject, Set<number>>();
  const named: Mark[] = [];
  for (const { name, columns, marks = {} } of tables) {
    for (const [column, subject] of Object.entries(marks)) {
      const of = instants.get(subject) ?? new Set();
      instants.set(subject, of);
      const partition = columns[column] === 'date' ? 'day' : 'object';
      for (const row of item.rows[name] ?? []) {
        const value = row[column];
        if (value instanceof Date) of.add(value.getTime());
        else if (typeof value === 'string') named.push({ subject, [partition]: value });
      }
    }
  }
  return { instants, named };
}

function keysOf(
  dependents: readonly Invalidation[],
  { rows }: Item,
): ReadonlyMap<Invalidation, readonly string[]> {
  const keys = new Map<Invalidation, readonly string[]>();
  for (const one of dependents) {
    const values = (rows[one.table] ?? []).map((row) => row[one.column]);
    keys.set(
      one,
      values.filter((value) => typeof value === 'string'),
    );
  }
  return keys;
}
