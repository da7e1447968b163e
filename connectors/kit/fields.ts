/**
 * Reads the fields of a provider's object and checks their types, while the row is made. A first load reads millions of
 * small objects; a schema library would check each in a pass of its own and copy it, which more than doubles the time.
 * A field that is missing or of another type throws `InvalidField`, which quarantines the record; fields that no column
 * reads are not checked.
 */
import { isCurrency } from '#runtime/currencies.ts';
import { shown } from '#runtime/scrub.ts';
import { isDay, isStorable, RowUnfit } from '#sql/db/copy.ts';
import type { Json } from '#sql/load/table.ts';
import { decimal } from './money.ts';

export type Fields = { readonly [key: string]: unknown };

/** Why one record cannot be stored. The sync does not fail: the record is quarantined. */
export class InvalidField extends Error {
  /** `path` grows outwards as the error leaves the enclosing objects. */
  path: string;
  readonly problem: string;

  constructor(path: string, problem: string) {
    super();
    this.path = path;
    this.problem = problem;
  }

  override get message(): string {
    return `${this.path}: ${this.problem}`;
  }
}

/** Whether the record is at fault: it is invalid, or the database cannot hold it. */
export function isUnfit(error: unknown): error is InvalidField | RowUnfit {
  return error instanceof InvalidField || error instanceof RowUnfit;
}

function fault(key: string, wanted: string, value: unknown): never {
  throw new InvalidField(
    key,
    value === undefined ? `missing, ${wanted} wanted` : `${kindOf(value)}, ${wanted} wanted`,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `the ${typeof value} ${shown(value)}`;
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text, which may be empty: a product with an empty title is sold like any other. */
export function text(object: Fields, key: string): string {
  const value = object[key];
  return typeof value === 'string' ? value : fault(key, 'text', value);
}

/** Text that may be null; an absent field is a fault, because the query requests it. */
export function textOrNull(object: Fields, key: string): string | null {
  const value = object[key];
  return value === null || typeof value === 'string' ? value : fault(key, 'text or null', value);
}

export function flag(object: Fields, key: string): boolean {
  const value = object[key];
  return typeof value === 'boolean' ? value : fault(key, 'true or false', value);
}

export function integer(object: Fields, key: string): number {
  const value = object[key];
  return Number.isSafeInteger(value) ? (value as number) : fault(key, 'a whole number', value);
}

export function integerOrNull(object: Fields, key: string): number | null {
  return object[key] === null ? null : integer(object, key);
}

/** A whole number that the provider writes as text. */
export function integerText(object: Fields, key: string): number {
  const value = object[key];
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : fault(key, 'a whole number', value);
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export function instant(object: Fields, key: string): Date {
  const value = object[key];
  if (typeof value !== 'string' || !INSTANT.test(value)) return fault(key, 'an instant', value);
  const date = new Date(value);
  return storable(date, key, value);
}

/** The instant, if the database can hold it. */
export function storable(date: Date, key: string, value: unknown): Date {
  return isStorable(date) ? date : fault(key, 'an instant from 1900 to 9999', value);
}

export function instantOrNull(object: Fields, key: string): Date | null {
  return object[key] === null ? null : instant(object, key);
}

/** An existing day, from 1900 to 9999. */
export function day(object: Fields, key: string): string {
  const value = text(object, key);
  return isDay(value) ? value : fault(key, 'a day as YYYY-MM-DD', value);
}

/** An ISO 4217 currency: nothing else is ever summed up. */
export function currency(object: Fields, key: string): string {
  return currencyNamed(text(object, key), key);
}

export function currencyNamed(code: string, key: string, given = code): string {
  return isCurrency(code) ? code : fault(key, 'an ISO 4217 currency', given);
}

/** An amount as decimal text, in its shortest form. */
export function amount(object: Fields, key: string): string {
  return decimal(object[key]) ?? fault(key, 'a decimal number as text', object[key]);
}

export function texts(object: Fields, key: string): readonly string[] {
  const value = object[key];
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isTexts ? (value as string[]) : fault(key, 'a list of texts', value);
}

export function object(parent: Fields, key: string): Fields {
  const value = parent[key];
  return isObject(value) ? value : fault(key, 'an object', value);
}

export function objectOrNull(parent: Fields, key: string): Fields | null {
  return parent[key] === null ? null : object(parent, key);
}

/** Each object of a list, read by `read`; a fault in it names its place. */
export function each<T>(parent: Fields, key: string, read: (item: Fields) => T): T[] {
  const value = parent[key];
  if (!Array.isArray(value)) return fault(key, 'a list', value);
  return value.map((item, index) => {
    try {
      return isObject(item) ? read(item) : fault('', 'an object', item);
    } catch (error) {
      throw within(error, `${key}[${index}]`);
    }
  });
}

/** Runs `read` and puts `place` before the path of its faults. */
export function under<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw within(error, place);
  }
}

function within(error: unknown, place: string): unknown {
  if (error instanceof InvalidField) error.path = error.path === '' ? place : `${place}.${error.path}`;
  return error;
}

/**
 * The object as it goes into `payload`: without the parts that are stored as rows of their own, and
 * with amounts in their shortest form, so that an equal object is an equal payload.
 */
export function payloadOf(object: Fields, without: ReadonlySet<string>): Json {
  const payload: Record<string, unknown> = {};
  for (const key in object) {
    if (!without.has(key)) payload[key] = plain(object[key], key, LEVELS_MAX);
  }
  return payload;
}

/** A quarantined record, except for `without` and what is nested too deeply to store. */
export function shownOf(object: Fields, without: ReadonlySet<string>): Json {
  const payload: Record<string, unknown> = {};
  for (const key in object) {
    if (!without.has(key)) payload[key] = cut(object[key], LEVELS_MAX);
  }
  return payload;
}

/** The payload of a row whose requested fields are all columns: null, unless the record has more fields. */
export function restOf(
  object: Fields,
  columns: ReadonlySet<string>,
  without: ReadonlySet<string> = NONE,
): Json | null {
  for (const key in object) {
    if (!columns.has(key) && !without.has(key)) return payloadOf(object, without);
  }
  return null;
}

const NONE: ReadonlySet<string> = new Set();

/** Nesting levels below a field. PostgreSQL and JSON.stringify fail at a few thousand. */
const LEVELS_MAX = 64;

function plain(value: unknown, field: string, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) throw new InvalidField(field, `nested deeper than ${LEVELS_MAX} levels`);
  const object = value as Fields;
  let copy: Record<string, unknown> | undefined; // most objects need no copy
  for (const key in object) {
    const inner = plain(object[key], field, levels - 1);
    const shortest = key === 'amount' && 'currencyCode' in object ? (decimal(inner) ?? inner) : inner;
    if (shortest === object[key]) continue;
    copy ??= (Array.isArray(object) ? [...object] : { ...object }) as Record<string, unknown>;
    copy[key] = shortest;
  }
  return copy ?? object;
}

function cut(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '… nested deeper';
  if (Array.isArray(value)) return value.map((item) => cut(item, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cut(item, levels - 1)]));
}
