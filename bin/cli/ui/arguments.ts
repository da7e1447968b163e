/** Readers for what is typed. Each refuses with a sentence that shows what would have been right. */
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { isCurrency } from '#runtime/currencies.ts';

/** As the database has it: see app.brands. */
const TITLE_LENGTH_MAX = 200;

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** '90s', '10m', '2h' in seconds. */
export function duration(text: string): number {
  const [, number, unit = ''] = text.match(/^(\d{1,6})([smh])$/) ?? [];
  const factor = UNITS[unit];
  if (factor === undefined) throw new InvalidArgumentError('It should look like 90s, 10m or 2h');
  return Number(number) * factor;
}

/** A calendar day that exists, as 'YYYY-MM-DD'. */
export function day(text: string): string {
  if (z.iso.date().safeParse(text).success && hasYear(text)) return text;
  throw new InvalidArgumentError('It should be a day that exists, like 2026-03-29');
}

/** An instant with its offset, so that nobody's local clock decides. JavaScript alone would take 30 February for 2 March. */
export function isoInstant(text: string): string {
  const exists = [{}, { precision: -1 }].some(
    (seconds) => z.iso.datetime({ offset: true, ...seconds }).safeParse(text).success,
  );
  const inUtc = exists ? new Date(text).toISOString() : '';
  if (hasYear(inUtc)) return inUtc;
  throw new InvalidArgumentError(
    'It should be an instant that exists, with its offset, like 2026-03-29T02:00:00Z',
  );
}

/** PostgreSQL has no year 0, and five digits are none of ISO 8601. */
function hasYear(text: string): boolean {
  return /^\d{4}-/.test(text) && !text.startsWith('0000');
}

/** What people call something, or why they do it: one line of some length. */
export function title(text: string): string {
  const trimmed = text.trim();
  if (trimmed !== '' && trimmed.length <= TITLE_LENGTH_MAX && !/\p{Cc}/u.test(trimmed)) return trimmed;
  throw new InvalidArgumentError(`It should be one line of 1 to ${TITLE_LENGTH_MAX} characters`);
}

export function slug(text: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(text)) {
    throw new InvalidArgumentError('It should be lower-case letters, digits and hyphens, like acme-uk');
  }
  return text;
}

export function currency(text: string): string {
  if (isCurrency(text)) return text;
  throw new InvalidArgumentError('It should be an ISO 4217 code like GBP');
}

/** A zone that this runtime knows; PostgreSQL is asked as well before it is stored. */
export function zone(text: string): string {
  try {
    if (!/^[+-]/.test(text)) return checkedZone(text);
  } catch {
    // said below, with what would have been right
  }
  throw new InvalidArgumentError('It should be an IANA zone like Europe/London');
}

function checkedZone(text: string): string {
  new Intl.DateTimeFormat('en', { timeZone: text });
  return text;
}
