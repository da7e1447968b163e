/** Frozen rows that are not there any more: their closing counted them (`ops.closed_counts`), and each night of the brand does. */
import type { Reader } from '../db/reader.ts';
import type { Owner } from '../dirty/marks.ts';
import { lostOf, named } from '../rollups/closed.ts';
import { monthOf } from './refusals.ts';

export type Lost = {
  brand: string;
  period: string;
  figure: string;
  retailer: string | null;
  /** Rows that were frozen, and that are there. */
  frozen: number;
  rows: number;
};

type Which = {
  brandId: string;
  /** All that are closed if undefined. */
  closingId?: number;
  /** All if undefined. */
  owner?: Owner;
  max: number;
};

/** Of months of a brand that are closed. */
export async function lostFigures(db: Reader, { brandId, closingId, owner, max }: Which): Promise<Lost[]> {
  const isOf = (row: string) => (owner === null ? `${row} is null` : `${row} = $4::uuid`);
  const { rows } = await db.query<Lost>(
    `with closings as materialized (
       select brand_id, id as closing_id from ops.period_closings
       where brand_id = $1 and reopened_at is null and ($2::bigint is null or id = $2)
     ), lost as materialized (${lostOf({ closings: 'closings', ...(owner !== undefined && { isOf }) })}
     )${named('lost')} limit $3`,
    [brandId, closingId ?? null, max, ...(owner ? [owner] : [])],
  );
  return rows;
}

export function lostText({ brand, period, figure, retailer, frozen, rows }: Lost): string {
  return `${monthOf(period)} of ${brand} was closed with ${frozen} rows of ${figure} of ${retailer ?? 'the brand'}, and ${rows} are there`;
}

/** They come back from a snapshot, as docs/operations.md says; or the month is closed anew. */
export function mendLost({ brand, period }: Pick<Lost, 'brand' | 'period'>): string {
  return `bring them back from a snapshot (docs/operations.md, Close a month); or, if none has them, close it anew: npx nightshift periods reopen ${monthOf(period)} --brand ${brand} --reason 'frozen rows are lost'`;
}
