/** The rows of items as lines for COPY, and what else the loader reads out of them. */
import { hash } from 'node:crypto';
import { assertColumns, isStorable, type LineWriter, lineWriter, RowUnfit } from './copy.ts';
import { rootColumnOf } from './load_sql.ts';
import type { Item, Row, Table } from './table.ts';

const writers = new WeakMap<Table, LineWriter>();

/**
 * The lines of a table: its columns and the version of the item. A key that comes again takes the
 * place of the earlier one; items come oldest version first, so the newest claim to a child stays.
 */
export function* linesOf(table: Table, items: readonly Item[], digests: Digests): Generator<string> {
  const claims = new Map<string, { item: Item; index: number }>();
  for (const item of items) {
    for (const [index, row] of (item.rows[table.name] ?? []).entries())
      claims.set(keyOf(table, row), { item, index });
  }
  for (const { item, index } of claims.values()) {
    const digest = table.digested ? `\t${digests(item) ?? '\\N'}` : '';
    yield `${writtenRows(table, item)[index]}${item.changedAt.toISOString()}${digest}`;
  }
}

/** Of an item, where the root table is digested. Made when first asked for. */
export type Digests = (item: Item) => string | undefined;

export function digestsOf(tables: readonly Table[]): Digests {
  if (!tables[0]?.digested) return () => undefined;
  const known = new Map<Item, string>();
  return (item) => {
    const digest = known.get(item) ?? digestOf(tables, item);
    known.set(item, digest);
    return digest;
  };
}

/**
 * Stands for all that an item says. Equal digests mean equal rows; different ones mean nothing,
 * because amounts and JSON may be written in several ways.
 */
function digestOf(tables: readonly Table[], item: Item): string {
  let text = '';
  for (const table of tables) {
    if (item.rows[table.name] === undefined) continue;
    text += headingOf(table);
    for (const line of writtenRows(table, item)) text += `${line}\n`;
  }
  return uuidOf(hash('sha256', text));
}

const headings = new WeakMap<Table, string>();

function headingOf(table: Table): string {
  let heading = headings.get(table);
  if (heading === undefined) {
    heading = `${table.name} ${Object.keys(table.columns)}\n`;
    headings.set(table, heading);
  }
  return heading;
}

/** The first half of a digest, as PostgreSQL writes a uuid. */
function uuidOf(hex: string): string {
  const ends = [8, 12, 16, 20, 32];
  return ends.map((end, index) => hex.slice(ends[index - 1] ?? 0, end)).join('-');
}

// An item is written for its digest and then for COPY.
const written = new WeakMap<Item, Map<Table, string[]>>();

function writtenRows(table: Table, item: Item): readonly string[] {
  const ofItem = written.get(item) ?? new Map<Table, string[]>();
  written.set(item, ofItem);
  let lines = ofItem.get(table);
  if (lines === undefined) {
    const rows = item.rows[table.name] ?? [];
    if (rows[0]) assertColumns(table, rows[0], item.id);
    const write = writerOf(table);
    lines = rows.map((row) => write(row, item.id));
    ofItem.set(table, lines);
  }
  return lines;
}

/** Throws `RowUnfit` for an item that the database cannot hold. Its lines, made for that, are those that are loaded. */
export function assertFits(tables: readonly Table[], item: Item): void {
  const { id, changedAt } = item;
  if (!isStorable(changedAt))
    throw new RowUnfit(tables[0]?.name ?? '', 'changed_at', id, 'timestamptz', changedAt);
  for (const table of tables) writtenRows(table, item);
}

/** Refuses an item that is not one root row and rows that belong to it: they could never be compared. */
export function assertWhole(tables: readonly Table[], items: readonly Item[]): void {
  for (const table of tables) {
    const root = rootColumnOf(table);
    for (const { id, rows } of items) {
      const own = rows[table.name];
      if (table === tables[0] && own?.length !== 1)
        throw new RowUnfit(table.name, root, id, 'exactly one row');
      const stray = own?.find((row) => row[root] !== id);
      if (stray !== undefined) throw new RowUnfit(table.name, root, id, 'the id of its item');
    }
  }
}

/** Milliseconds of every instant of these items that touches a day, each once. */
export function instantsOf(tables: readonly Table[], items: readonly Item[]): Set<number> {
  const instants = new Set<number>();
  for (const { name, days = [] } of tables) {
    if (days.length === 0) continue;
    for (const { rows } of items) {
      for (const row of rows[name] ?? []) {
        for (const column of days) {
          const value = row[column];
          if (value instanceof Date) instants.add(value.getTime());
        }
      }
    }
  }
  return instants;
}

function keyOf({ key }: Table, row: Row): string {
  return key
    .map((column) => row[column])
    .map((value) => (value instanceof Date ? value.toISOString() : String(value)))
    .join('\n');
}

function writerOf(table: Table): LineWriter {
  let writer = writers.get(table);
  if (writer === undefined) {
    writer = lineWriter(table);
    writers.set(table, writer);
  }
  return writer;
}
