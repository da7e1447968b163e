/** Closed figures beside present ones: whether they and their adjustments add up, and what is booked if they do not. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from '../dirty/marks.ts';
import { type BookedCause, bookStatement, sumsStatement } from '../rollups/closed.ts';
import { rollups as ours } from '../rollups/index.ts';
import { isRestated } from '../rollups/restate.ts';
import type { Rollup } from '../rollups/rollup.ts';

export type Sum = {
  figure: string;
  retailer: string | null;
  currency: string | null;
  column_name: string;
  closed: string;
  adjusted: string;
  present: string;
  adds_up: boolean;
};

/** Columns of a closed period that have adjustments, or need some. */
export async function adjustedSums(
  db: Reader,
  { brandId, closingId, rollups = ours }: { brandId: string; closingId: number; rollups?: readonly Rollup[] },
): Promise<Sum[]> {
  const sums: Sum[] = [];
  for (const rollup of rollups.filter(isRestated)) {
    const { rows } = await db.query<Sum>(sumsStatement(rollup), [brandId, new Date(), closingId]);
    sums.push(...rows);
  }
  return sums;
}

type Booking = { brandId: string; now: Date; cause: BookedCause; rollups?: readonly Rollup[] };

/**
 * Books what has changed of closed figures past the merge, which books its own changes: rows that a removal deletes, a
 * restore replaces, or a person has deleted. Of those who do it one at a time does, by the lock of the brand's own rollup,
 * which comes before that of a retailer. Returns the number of sums that did not add up.
 */
export async function bookUnbooked(
  tx: Tx,
  { brandId, now, cause, rollups = ours }: Booking,
): Promise<number> {
  const { rows } = await tx.query(
    'select from ops.period_closings where brand_id = $1 and reopened_at is null limit 1',
    [brandId],
  );
  if (rows.length === 0) return 0;
  await lockRollup(tx, brandId, null);
  let booked = 0;
  for (const rollup of rollups.filter(isRestated)) {
    const { rowCount } = await tx.query(bookStatement(rollup), [brandId, now, cause]);
    booked += rowCount ?? 0;
  }
  return booked;
}
