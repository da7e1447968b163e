/** Columns of SendGrid's objects. */
import { columnsOf } from '../../kit/columns.ts';
import {
  day as dayOf,
  type Fields,
  InvalidField,
  integer as integerOf,
  storable,
  text as textOf,
} from '../../kit/fields.ts';

/** An example of the documentation has milliseconds where all others have seconds. */
const MILLISECONDS_MIN = 100_000_000_000;

export function textIfAnyOf(object: Fields, key: string): string | null {
  const value = object[key];
  return value === undefined || value === null || value === '' ? null : textOf(object, key);
}

/** A text, a number as text. */
export function idOf(object: Fields, key: string): string {
  return Number.isSafeInteger(object[key]) ? String(object[key]) : textOf(object, key);
}

export function idIfAnyOf(object: Fields, key: string): string | null {
  return object[key] === undefined || object[key] === null ? null : idOf(object, key);
}

/** Unix seconds, or milliseconds. */
export function secondsOf(object: Fields, key: string): Date {
  const value = object[key];
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number))
    throw new InvalidField(key, `${number === undefined ? 'missing' : typeof number}, Unix seconds wanted`);
  return storable(new Date(number > MILLISECONDS_MIN ? number : number * 1000), key, value);
}

/** With or without `T` and zone: templates have `2020-11-12 12:00:09`, which is UTC. */
export function momentIfAnyOf(object: Fields, key: string): Date | null {
  const value = textIfAnyOf(object, key);
  if (value === null) return null;
  const iso = value.replace(' ', 'T');
  const date = new Date(/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
  return storable(date, key, value);
}

function momentOf(object: Fields, key: string): Date {
  return momentIfAnyOf(object, key) ?? storable(new Date(Number.NaN), key, object[key]);
}

/** Text, a list of texts, or nothing, as categories are written. */
export function textsIfAnyOf(object: Fields, key: string): readonly string[] {
  const value = object[key];
  if (value === undefined || value === null || value === '') return [];
  if (typeof value === 'string') return [value];
  const isTexts = Array.isArray(value) && value.every((one) => typeof one === 'string');
  if (!isTexts) throw new InvalidField(key, 'a text or a list of texts wanted');
  return value as string[];
}

export const text = columnsOf('text', textOf);
export const textIfAny = columnsOf('text', textIfAnyOf);
export const id = columnsOf('text', idOf);
export const idIfAny = columnsOf('text', idIfAnyOf);
export const count = columnsOf('integer', integerOf);
export const day = columnsOf('date', dayOf);
export const seconds = columnsOf('timestamptz', secondsOf);
export const moment = columnsOf('timestamptz', momentOf);
export const momentIfAny = columnsOf('timestamptz', momentIfAnyOf);
export const texts = columnsOf('text[]', textsIfAnyOf);
export const flag = columnsOf('boolean', (object, key) => object[key] === true);
