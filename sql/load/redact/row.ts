/**
 * What is left of a row once its person is erased: one function for what is stored and for what comes later, so that the
 * two are equal.
 */
import { escaped, jsonText, lineColumns, unescaped } from '../../db/copy.ts';
import type { Personal, Table } from '../table.ts';

/** The pseudonyms of identifiers. */
export type Names = ReadonlyMap<string, string>;

/** The payload of such a row has it, whatever else it keeps. */
export const ERASED = { erased: true } as const;
/** The same as a condition of SQL on a payload. */
export const IS_ERASED = `@> '${JSON.stringify(ERASED)}'`;

export type Redaction = {
  /** The columns that may change. */
  columns: readonly string[];
  /** The value of such a column, as text: null for none. */
  redact(column: string, value: string | null, names: Names): string | null;
};

const made = new WeakMap<Table, Redaction>();

export function redactionOf(table: Table): Redaction {
  let redaction = made.get(table);
  if (redaction === undefined) {
    redaction = makeRedaction(table, table.personal ?? {});
    made.set(table, redaction);
  }
  return redaction;
}

function makeRedaction(
  { columns }: Table,
  { of = [], within = [], empties = [], keeps = [] }: Personal,
): Redaction {
  const own = [...of.map(({ column }) => column), ...within, ...empties, 'payload'];
  const paths = keeps.map((path) => path.split('.'));
  return {
    columns: own.filter((column) => column in columns),
    redact(column, value, names) {
      if (column === 'payload') return jsonText({ ...keptOf(value, paths, names), ...ERASED });
      if (value === null || empties.includes(column)) return null;
      return within.includes(column) ? renamedWithin(value, names) : (names.get(value) ?? value);
    },
  };
}

/** A line for COPY. */
export function redactLine(table: Table, line: string, names: Names): string {
  const { columns, redact } = redactionOf(table);
  const cells = line.split('\t');
  const places = lineColumns(table);
  for (const column of columns) {
    const at = places.indexOf(column);
    const value = redact(column, unescaped(cells[at] ?? '\\N'), names);
    cells[at] = value === null ? '\\N' : escaped(value);
  }
  return cells.join('\t');
}

/** The value of a column in a line. */
export function cellOf(table: Table, line: string, column: string): string | null {
  return unescaped(line.split('\t')[lineColumns(table).indexOf(column)] ?? '\\N');
}

export function renamedWithin(text: string, names: Names): string {
  let renamed = text;
  for (const [name, pseudonym] of names) renamed = renamed.replaceAll(name, pseudonym);
  return renamed;
}

/** A shorter number is too common to be looked for in texts: rows that name it are found by their columns. */
const DIGITS_MIN = 8;
const CHARS_MIN = 5;

export function isTelling(id: string): boolean {
  return id.length >= (/^\d+$/.test(id) ? DIGITS_MIN : CHARS_MIN);
}

type Fields = Record<string, unknown>;

function keptOf(payload: string | null, paths: readonly string[][], names: Names): Fields {
  const given: unknown = payload === null || paths.length === 0 ? null : JSON.parse(payload);
  const kept: Fields = {};
  if (isFields(given)) for (const path of paths) copyPath(given, kept, path, names);
  return kept;
}

function copyPath(from: Fields, to: Fields, [key = '', ...below]: readonly string[], names: Names): void {
  const value = from[key];
  if (value === undefined) return;
  if (below.length === 0) {
    to[key] = renamedIn(value, names);
  } else if (isFields(value)) {
    const inner = isFields(to[key]) ? to[key] : {};
    copyPath(value, inner, below, names);
    if (Object.keys(inner).length > 0) to[key] = inner;
  }
}

/** What is kept may name the person again, such as a discount its customer. */
function renamedIn(value: unknown, names: Names): unknown {
  if (typeof value === 'string') return renamed(value, names);
  if (Array.isArray(value)) return value.map((item) => renamedIn(item, names));
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [renamed(key, names), renamedIn(item, names)]),
  );
}

function renamed(text: string, names: Names): string {
  let given = names.get(text) ?? text;
  for (const [name, pseudonym] of names) if (isTelling(name)) given = given.replaceAll(name, pseudonym);
  return given;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
