/** Readers for what is typed. Each refuses with a sentence that shows what would have been right. */
import { InvalidArgumentError } from 'commander';

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
  const parsed = new Date(`${text}T00:00:00Z`);
  const exists = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(parsed.getTime());
  if (!exists || parsed.toISOString().slice(0, 10) !== text) {
    throw new InvalidArgumentError('It should be a day like 2026-03-29');
  }
  return text;
}

/** An instant with its offset, so that nobody's local clock decides. */
export function isoInstant(text: string): string {
  const parsed = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}T.+(?:Z|[+-]\d{2}:\d{2})$/.test(text) || Number.isNaN(parsed.getTime())) {
    throw new InvalidArgumentError('It should be an instant with its offset, like 2026-03-29T02:00:00Z');
  }
  return parsed.toISOString();
}

export function slug(text: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(text)) {
    throw new InvalidArgumentError('It should be lower-case letters, digits and hyphens, like acme-uk');
  }
  return text;
}

export function currency(text: string): string {
  if (!Intl.supportedValuesOf('currency').includes(text)) {
    throw new InvalidArgumentError('It should be an ISO 4217 code like GBP');
  }
  return text;
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
