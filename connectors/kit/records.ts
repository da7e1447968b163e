/** Records of a provider on their way into items; one that cannot be understood or stored goes into quarantine. */
import type { PackedItem } from '#sql/load/pack.ts';
import type { Item } from '#sql/load/table.ts';
import type { Fields } from './fields.ts';
import { type Kept, rejectionOf } from './rejection.ts';
import type { Rejection } from './stream.ts';

export type Result<I extends Item | PackedItem> = { item: I } | { rejection: Rejection };

/** What `make` makes of the record, or why it cannot. */
export function resultOf<I extends Item | PackedItem>(record: Fields, make: () => I, kept?: Kept): Result<I> {
  try {
    return { item: make() };
  } catch (error) {
    return { rejection: rejectionOf(record, error, kept) };
  }
}

/** The same of a record of which `complete` has to ask for what did not come with it. */
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
