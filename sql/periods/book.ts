/** Closed figures beside present ones: whether they and their adjustments add up, and what is booked if they do not. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup, type Owner } from '../dirty/marks.ts';
import { addedUp, type BookedCause, bookStatement, sumsStatement } from '../rollups/closed.ts';
import { rollups as ours } from '../rollups/index.ts';
import { isRestated } from '../rollups/restate.ts';
import type { Rollup } from '../rollups/rollup.ts';
import type { Lost } from './lost.ts';

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
  for (const { rollup, columns } of await addable(db, rollups)) {
    const { rows } = await db.query<Sum>(sumsStatement(rollup, columns), [brandId, new Date(), closingId]);
    sums.push(...rows);
  }
  return sums;
}

type Booking = {
  brandId: string;
  now: Date;
  cause: BookedCause;
  rollups?: readonly Rollup[];
  /** Only its rows; null for those of rollups of the brand. */
  owner?: Owner;
  /** Only what was computed of these days at `now`. */
  days?: { from: string; to: string } | undefined;
};

/**
 * Books what has changed of closed figures past the merge, which books its own changes: rows that a removal deletes, a
 * restore replaces, or a person has deleted. Of those who do it one at a time does, by the lock of the brand's own rollup,
 * which comes before that of a retailer; merges need not wait, because each statement sees theirs as a whole or not at all.
 * Returns whose frozen rows are lost: of these nothing is booked.
 */
export async function bookUnbooked(
  tx: Tx,
  { brandId, now, cause, rollups = ours, owner, days }: Booking,
): Promise<Lost[]> {
  const { rows } = await tx.query(
    'select from ops.period_closings where brand_id = $1 and reopened_at is null limit 1',
    [brandId],
  );
  if (rows.length === 0) return [];
  await lockRollup(tx, brandId, null);
  const own = rollups.filter(({ of }) => owner === undefined || (of === 'brand') === (owner === null));
  const lost: Lost[] = [];
  for (const { rollup, columns } of await addable(tx, own)) {
    const values = [brandId, now, cause, owner ?? null, days?.from ?? null, days?.to ?? null];
    lost.push(...(await tx.query<Lost>(bookStatement(rollup, columns), values)).rows);
  }
  return lost;
}

/** Rollups with the columns that add up: which are numbers, the catalogue says. */
async function addable(db: Reader, rollups: readonly Rollup[]) {
  const restated = rollups.filter(isRestated);
  const { rows } = await db.query<{ name: string; numbers: string[] }>(
    `select n.nspname || '.' || t.relname as name, array_agg(a.attname::text order by a.attnum) as numbers
     from pg_class t
     join pg_namespace n on n.oid = t.relnamespace
     join pg_attribute a on a.attrelid = t.oid and not a.attisdropped
     where t.oid = any ($1::regclass[]) and a.atttypid = any (array['int2', 'int4', 'int8', 'numeric']::regtype[]) and a.attnum > 0
     group by 1 order by 1`,
    [restated.map(({ writes }) => writes)],
  );
  const numbers = new Map(rows.map((row) => [row.name, row.numbers]));
  return restated
    .map((rollup) => ({ rollup, columns: addedUp(rollup, numbers.get(rollup.writes) ?? []) }))
    .filter(({ columns }) => columns.length > 0);
}
