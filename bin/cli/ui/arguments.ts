/** Readers of command line arguments. Each refuses with a sentence that shows a valid value. */
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { isCurrency } from '#runtime/currencies.ts';

/** The same rule as in app.brands. */
const TITLE_LENGTH_MAX = 200;

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** '90s', '10m', '2h' in seconds. */
export function duration(text: string): number {
  const [, number, unit = ''] = text.match(/^(\d{1,6})([smh])$/) ?? [];
  const factor = UNITS[unit];
  if (factor === undefined) throw new InvalidArgumentError('It must look like 90s, 10m or 2h');
  return Number(number) * factor;
}

/** A calendar day that exists, as 'YYYY-MM-DD'. */
export function day(text: string): string {
  if (z.iso.date().safeParse(text).success && hasYear(text)) return text;
  throw new InvalidArgumentError('It must be an existing day, like 2026-03-29');
}

/** A month like '2026-03', as its first day. */
export function month(text: string): string {
  if (/^\d{4}-\d{2}$/.test(text) && z.iso.date().safeParse(`${text}-01`).success && hasYear(text))
    return `${text}-01`;
  throw new InvalidArgumentError('It must be a month, like 2026-03');
}

/** An instant with its offset, so that no local clock matters. JavaScript alone would read 30 February as 2 March. */
export function isoInstant(text: string): string {
  const exists = [{}, { precision: -1 }].some(
    (seconds) => z.iso.datetime({ offset: true, ...seconds }).safeParse(text).success,
  );
  const inUtc = exists ? new Date(text).toISOString() : '';
  if (hasYear(inUtc)) return inUtc;
  throw new InvalidArgumentError('It must be an existing instant with its offset, like 2026-03-29T02:00:00Z');
}

/** To the microsecond, as PostgreSQL stores it. */
export function exactInstant(text: string): string {
  const inUtc = isoInstant(text);
  const [, micros = ''] = text.match(/\.\d{3}(\d{1,3})/) ?? [];
  return inUtc.replace('Z', `${micros}Z`);
}

/** PostgreSQL has no year 0, and ISO 8601 has no years of five digits. */
function hasYear(text: string): boolean {
  return /^\d{4}-/.test(text) && !text.startsWith('0000');
}

/** A display name or a reason: one line of limited length. */
export function title(text: string): string {
  const trimmed = text.trim();
  if (trimmed !== '' && trimmed.length <= TITLE_LENGTH_MAX && !/\p{Cc}/u.test(trimmed)) return trimmed;
  throw new InvalidArgumentError(`It must be one line of 1 to ${TITLE_LENGTH_MAX} characters`);
}

export function slug(text: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(text)) {
    throw new InvalidArgumentError('It must be lower-case letters, digits and hyphens, like acme-uk');
  }
  return text;
}

/** A decimal amount, not negative, as text. */
export function amount(text: string): string {
  if (/^\d{1,15}(\.\d{1,6})?$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a decimal amount like 1250.50');
}

/** A decimal number, not negative, as text. */
export function percentage(text: string): string {
  if (/^\d{1,15}(\.\d{1,6})?$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a percentage like 5 or 0.5');
}

export function currency(text: string): string {
  if (isCurrency(text)) return text;
  throw new InvalidArgumentError('It must be an ISO 4217 code like GBP');
}

/** A zone that this runtime knows; before it is stored, PostgreSQL checks it too. */
export function zone(text: string): string {
  try {
    if (!/^[+-]/.test(text)) return checkedZone(text);
  } catch {
    // reported below, with a valid value
  }
  throw new InvalidArgumentError('It must be an IANA zone like Europe/London');
}

function checkedZone(text: string): string {
  new Intl.DateTimeFormat('en', { timeZone: text });
  return text;
}

export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It should be a whole number from ${min} to ${max}`);
  };
}

/** Of PostgreSQL. A password in an argument would be seen by everybody on the machine. */
export function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol))
    throw new InvalidArgumentError('It must look like postgres://account@host:5432/postgres');
  if (url.password !== '' || url.searchParams.has('password'))
    throw new InvalidArgumentError('It must have no password: put that into PGPASSWORD or ~/.pgpass');
  return text;
}

/** A new database, without quotes. */
export function databaseName(text: string): string {
  if (/^[a-z][a-z0-9_]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be small letters, digits and _, like acme_in_march');
}
