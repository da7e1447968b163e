/** Lists of a provider that is played out of tables, as the faults of the moment show them. */
import type { Draft } from '../ndjson.ts';
import { reordered } from '../random.ts';
import { type Changes, Refusal } from './declare.ts';

export type Page<Row> = {
  rows: readonly Row[];
  /** Where it begins, and where the next one does; undefined behind the last one. */
  from: number;
  next: number | undefined;
  /** Of the whole list. */
  count: number;
};

/** What faults call a row by: its id, or what stands for one. */
function nameOf({ id, refId, sg_message_id, email, category, date, platform }: Draft): string {
  return String(id ?? refId ?? sg_message_id ?? email ?? category ?? date ?? platform);
}

export function pageOf<Row extends Draft>(
  { late, isStruck }: Changes,
  all: readonly Row[],
  { from, size }: { from: number; size: number },
): Page<Row> {
  const there = late.size > 0 ? all.filter((row) => !late.has(nameOf(row))) : all;
  const start = from > 0 && isStruck('repeat_page') ? Math.max(0, from - size) : from;
  const next = start + size;
  const rows = there.slice(start, next);
  return {
    rows: rows.length > 1 && isStruck('reorder_page') ? reordered(rows) : rows,
    ...{ from: start, next: next < there.length ? next : undefined, count: there.length },
  };
}

/** A list that comes in one answer. */
export function wholeOf<Row extends Draft>(changes: Changes, all: readonly Row[]): readonly Row[] {
  return pageOf(changes, all, { from: 0, size: all.length }).rows;
}

/** For a request that names a place in a list by what an earlier answer gave it. */
export function assertCursor({ isStruck }: Changes, name: string): void {
  if (isStruck('expired_cursor')) throw new Refusal(400, `Invalid ${name}.`);
}

/** The present state of each row, of lines that share a key; the one before where a fault asks for it. */
export function statesOf(
  { showsOlder }: Changes,
  lines: readonly Draft[],
  keyOf: (line: Draft) => unknown,
): Draft[] {
  const states = new Map<unknown, Draft[]>();
  for (const line of lines) {
    const known = states.get(keyOf(line));
    if (known) known.push(line);
    else states.set(keyOf(line), [line]);
  }
  return [...states.values()].flatMap((all) => {
    const before = all.at(-2);
    return all.slice(-1).map((present) => (before && showsOlder(nameOf(before)) ? before : present));
  });
}
