/** The rows of packed items as lines for COPY. */
import { keyCut } from '../db/copy.ts';
import type { PackedItem } from './pack.ts';
import type { Table } from './table.ts';

/**
 * The lines of a table, those of an item together: its columns, the version of the item and its digest
 * where there is one, and `stamps`. A repeated key replaces the earlier row; items come
 * oldest version first, so the newest claim to a child wins.
 */
export function* linesOf(table: Table, items: readonly PackedItem[], stamps = ''): Generator<string> {
  for (const { item, lines } of isClaimedTwice(table, items) ? claimed(table, items) : parts(table, items)) {
    const digest = table.digested ? `\t${item.digest ?? '\\N'}` : '';
    const end = `\t${item.changedAt.toISOString()}${digest}${stamps}`;
    yield lines.replaceAll('\n', `${end}\n`) + end;
  }
}

type Lines = { item: PackedItem; lines: string };

function* parts(table: Table, items: readonly PackedItem[]): Generator<Lines> {
  for (const item of items) {
    const part = item.parts.get(table);
    if (part !== undefined && part.rows > 0) yield { item, lines: part.lines };
  }
}

function isClaimedTwice(table: Table, items: readonly PackedItem[]): boolean {
  const keyOf = keyCut(table);
  const keys = new Set<string>();
  let count = 0;
  for (const item of items) {
    const { lines = '', rows = 0 } = item.parts.get(table) ?? {};
    count += rows;
    if (rows > 0) for (const line of lines.split('\n')) keys.add(keyOf(line));
  }
  return keys.size < count;
}

function claimed(table: Table, items: readonly PackedItem[]): Iterable<Lines> {
  const keyOf = keyCut(table);
  const claims = new Map<string, Lines>();
  for (const { item, lines } of parts(table, items)) {
    for (const line of lines.split('\n')) claims.set(keyOf(line), { item, lines: line });
  }
  return claims.values();
}
