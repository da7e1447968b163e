/** Records that are set aside because they cannot be understood or stored. */
import { hash } from 'node:crypto';
import { type Fields, isUnfit, shownOf } from './fields.ts';
import type { Rejection } from './stream.ts';

export type Kept = {
  /** Fields of which nothing is kept. */
  leftOut?: ReadonlySet<string>;
  /** The id that the record would be stored under, so that loading it later clears the rejection. */
  idOf?(id: string): string;
};

/** The record set aside, if it is at fault; anything else is thrown on. One without an id is known by what it says. */
export function rejectionOf(
  record: Fields,
  error: unknown,
  { leftOut = NOTHING, idOf = (id) => id }: Kept = {},
): Rejection {
  if (!isUnfit(error)) throw error;
  const payload = shownOf(record, leftOut);
  const id = typeof record.id === 'string' ? idOf(record.id) : '';
  const key = id === '' ? `sha256:${hash('sha256', JSON.stringify(payload)).slice(0, 32)}` : id;
  return { key, reason: error.message, payload };
}

const NOTHING: ReadonlySet<string> = new Set();
