/** Turns records of a provider into items; one that is invalid or cannot be stored goes into quarantine. */
import { hash } from 'node:crypto';
import type { PackedItem } from '#sql/load/pack.ts';
import type { Item } from '#sql/load/table.ts';
import { type Fields, isUnfit, shownOf } from './fields.ts';
import type { Rejection } from './stream.ts';

export type Result<I extends Item | PackedItem> = { item: I } | { rejection: Rejection };

/** The result of `make`, or the reason for quarantine. */
export function resultOf<I extends Item | PackedItem>(record: Fields, make: () => I, kept?: Kept): Result<I> {
  try {
    return { item: make() };
  } catch (error) {
    return { rejection: rejectionOf(record, error, kept) };
  }
}

/** The same for a record whose missing parts `complete` has to request. */
export async function completeResult<I extends Item | PackedItem>(
  record: Fields,
  { complete, make }: { complete(): Promise<Fields>; make(whole: Fields): I },
  kept?: Kept,
): Promise<Result<I>> {
  try {
    return { item: make(await complete()) };
  } catch (error) {
    return { rejection: rejectionOf(record, error, kept) };
  }
}

export function contentOf<I extends Item | PackedItem>(results: readonly Result<I>[]) {
  return {
    items: results.flatMap((result) => ('item' in result ? [result.item] : [])),
    rejected: results.flatMap((result) => ('rejection' in result ? [result.rejection] : [])),
  };
}

export type Kept = {
  /** Fields that are not kept. */
  leftOut?: ReadonlySet<string>;
  /** The id that the record would be stored under, so that loading it later clears the rejection. */
  idOf?(id: string): string;
};

/**
 * Quarantines the record if it is at fault; other errors are rethrown. A record without an id is identified by its
 * digest.
 */
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
