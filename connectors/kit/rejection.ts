/** Quarantined records: invalid ones, and those that cannot be stored. */
import { hash } from 'node:crypto';
import { type Fields, isUnfit, shownOf } from './fields.ts';
import type { Rejection } from './stream.ts';

export type Kept = {
  /** Fields that are not kept. */
  leftOut?: ReadonlySet<string>;
  /** The id that the record would be stored under, so that loading it later clears the rejection. */
  idOf?(id: string): string;
};

/** Quarantines the record if it is at fault; other errors are rethrown. A record without an id is identified by its digest. */
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
