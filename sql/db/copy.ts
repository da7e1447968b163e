/**
 * Loads rows by `copy … from stdin` in its text format, the fastest way that does not depend on the binary formats of
 * the server. Each value is checked against the type of its column, because PostgreSQL's own error would not name the
 * object.
 */
import { hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { coded } from '#runtime/errors.ts';
import { shown } from '#runtime/scrub.ts';
import type { ColumnType, Row, Table, Value } from '../load/table.ts';
import type { Tx } from './pool.ts';

/** Larger texts and buffers are mapped and unmapped each time, which costs more than filling them. */
const CHUNK_CHARS = 1 << 16;
const INTEGER_MAX = 2 ** 31 - 1;
const TIME_MS_MAX = Date.UTC(9999, 11, 31);
/** Programs write the first day of the year 1 for an unknown day; nothing was sold then. */
const TIME_MS_MIN = Date.UTC(1900, 0, 1);
const DAY = /^\d{4}-\d\d-\d\d$/;
const DECIMAL = /^-?\d{1,40}(\.\d{1,40})?$/;
/** So long a text fits an index entry twice. */
export const KEY_CHARS_MAX = 255;
const REPLACEMENT = '\ufffd';

export class RowUnfit extends coded('NS_ROW_UNFIT') {
  constructor(table: string, column: string, id: string, wanted: string, value?: unknown) {
    const has =
      value === undefined ? 'something else' : shown(value instanceof Date ? value.getTime() : value);
    super(`Column ${column} of ${table} wants ${wanted}, and ${shown(id)} has ${has} there.`, {
      hint: 'Its stream quarantines such a record: see ops.rejected_rows.',
      context: { table, column, id: id.slice(0, KEY_CHARS_MAX), wanted },
    });
  }
}

/** A value in COPY's text format; undefined when it does not fit the column. */
type Encode = (value: NonNullable<Value>) => string | undefined;

const encoders: Record<ColumnType, () => Encode> = {
  text: () => (value) => (typeof value === 'string' ? escaped(value) : undefined),
  'text[]': () => (value) => (isTextArray(value) ? escaped(arrayLiteral(value)) : undefined),
  boolean: () => (value) => (typeof value === 'boolean' ? String(value) : undefined),
  integer: () => (value) => (isInteger(value) ? String(value) : undefined),
  numeric: () => (value) => (typeof value === 'string' && DECIMAL.test(value) ? value : undefined),
  date: () => (value) => (typeof value === 'string' && isDay(value) ? value : undefined),
  timestamptz: instants,
  jsonb: () => (value) => escaped(jsonText(value)),
};

const ID = `text of at most ${KEY_CHARS_MAX} characters`;
const encodeKey: Encode = (value) => (isKey(value) ? escaped(value) : undefined);
const encodeId: Encode = (value) =>
  typeof value === 'string' && isIndexable(value) ? escaped(value) : undefined;
const encodeIndexed: Encode = (value) => (typeof value === 'string' ? escaped(indexable(value)) : undefined);

export type LineWriter = (row: Row, id: string) => string;

/** Whether it can be a key. NUL and lone surrogates cannot be stored, and replacing them could make two keys equal. */
export function isKey(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && isIndexable(value);
}

function isIndexable(value: string): boolean {
  return value.length <= KEY_CHARS_MAX && value.isWellFormed() && !value.includes('\0');
}

/**
 * The beginning of a text, for an index. Only for texts that identify nothing: users write them, and no record is lost
 * because one is long.
 */
export function indexable(text: string): string {
  return wellFormed(text.slice(0, KEY_CHARS_MAX));
}

/** The text as a key; its digest if no index can hold it. */
export function keyOf(text: string): string {
  return isKey(text) ? text : digestKey(text);
}

export function digestKey(text: string): string {
  return `sha256:${hash('sha256', text).slice(0, 32)}`;
}

/** Columns of keys and indexes, whose values must fit an index entry. */
export function indexedColumnsOf(table: Table): ReadonlySet<string> {
  return new Set([...idColumnsOf(table), ...(table.indexed ?? [])]);
}

/** Columns that identify something: cut, their values would identify something else. */
function idColumnsOf({ columns, key, rootColumn }: Table): ReadonlySet<string> {
  const ids = Object.keys(columns).filter((column) => column.endsWith('_id'));
  return new Set([...key, ...(rootColumn ? [rootColumn] : []), ...ids]);
}

/** An existing day in ISO 8601 form. */
export function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`);
  return DAY.test(text) && isStorable(at) && at.toISOString().startsWith(text);
}

export function isStorable(at: Date): boolean {
  return at.getTime() >= TIME_MS_MIN && at.getTime() <= TIME_MS_MAX;
}

/** The columns of a line: the key first, so that it is found without parsing the rest. */
export function lineColumns({ key, columns }: Table): string[] {
  return [...key, ...Object.keys(columns).filter((column) => !key.includes(column))];
}

/** Turns rows of a table into the beginning of a line for COPY. */
export function lineWriter(table: Table): LineWriter {
  const { name, columns, key, indexed = [] } = table;
  const ids = idColumnsOf(table);
  const fields = lineColumns(table).map((column) => {
    const type = columns[column] as ColumnType;
    if (type === 'text' && ids.has(column))
      return { column, type: ID, encode: key.includes(column) ? encodeKey : encodeId };
    if (type === 'text' && indexed.includes(column)) return { column, type, encode: encodeIndexed };
    return { column, type, encode: encoders[type]() };
  });
  const texts: string[] = [];
  return (row, id) => {
    for (const [index, { column, type, encode }] of fields.entries()) {
      const value = row[column];
      const text = value === null || value === undefined ? '\\N' : encode(value);
      if (text === undefined) throw new RowUnfit(name, column, id, type, value);
      texts[index] = text;
    }
    return texts.join('\t'); // a flat string; concatenation would leave a tree of pieces
  };
}

/** Cuts the key off a line. */
export function keyCut({ key }: Table): (line: string) => string {
  return (line) => {
    let end = -1;
    for (let count = 0; count < key.length; count++) end = line.indexOf('\t', end + 1);
    return end === -1 ? line : line.slice(0, end);
  };
}

/** Refuses a row with a column that the table does not have: its value would be lost silently. */
export function assertColumns({ name, columns }: Table, row: Row, id: string): void {
  const stray = Object.keys(row).find((column) => !(column in columns));
  if (stray !== undefined) throw new RowUnfit(name, stray, id, 'no such column');
}

/**
 * `statement` is the whole `copy … from stdin`. Lines are made while PostgreSQL processes earlier ones; if making one
 * fails, the copy fails and with it the transaction.
 */
export async function copyLines(tx: Tx, statement: string, lines: Iterable<string>): Promise<void> {
  await pipeline(Readable.from(chunks(lines), { highWaterMark: 1 }), tx.query(copyFrom(statement)));
}

function* chunks(lines: Iterable<string>): Generator<string> {
  let chunk: string[] = [];
  let chars = 0;
  for (const line of lines) {
    chunk.push(line);
    chars += line.length + 1;
    if (chars < CHUNK_CHARS) continue;
    yield `${chunk.join('\n')}\n`;
    chunk = [];
    chars = 0;
  }
  if (chars > 0) yield `${chunk.join('\n')}\n`;
}

// PostgreSQL's text cannot hold NUL. A record should not be lost for one, so Unicode's replacement character takes
// its place.
export function escaped(text: string): string {
  if (!/[\\\t\n\r\0]/.test(text)) return text;
  return text
    .replaceAll('\0', REPLACEMENT)
    .replaceAll('\\', '\\\\')
    .replaceAll('\t', '\\t')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
}

const UNESCAPED: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r' };

/** The text of a cell as `escaped` wrote it; null for none. */
export function unescaped(cell: string): string | null {
  if (cell === '\\N') return null;
  return cell.includes('\\') ? cell.replaceAll(/\\(.)/g, (_, sign: string) => UNESCAPED[sign] ?? sign) : cell;
}

/** JSON that jsonb accepts: it refuses NUL and lone surrogates even in escaped form. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'string') return wellFormed(inner);
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, item]) => [wellFormed(key), item]));
  });
}

/** As PostgreSQL can hold it. */
function wellFormed(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT);
}

function arrayLiteral(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

function isTextArray(value: Value): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isInteger(value: Value): boolean {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= INTEGER_MAX;
}

/** Neighbouring rows mostly have the same instants and formatting is expensive, so the last text is kept. */
function instants(): Encode {
  let last = Number.NaN;
  let text = '';
  return (value) => {
    if (!(value instanceof Date)) return undefined;
    const ms = value.getTime();
    if (!isStorable(value)) return undefined;
    if (ms === last) return text;
    last = ms;
    text = value.toISOString();
    return text;
  };
}
