/** Frozen rows that are not there any more: their closing counted them (`ops.closed_counts`). */
import type { Reader } from '../db/reader.ts';
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

type Which = { brandId?: string; closingId?: number; max: number };

/** Of months that are closed: of one of them, of a brand, or of all. */
export async function lostFigures(db: Reader, { brandId, closingId, max }: Which): Promise<Lost[]> {
  const { rows } = await db.query<Lost>(
    `with closings as materialized (
       select brand_id, id as closing_id from ops.period_closings
       where reopened_at is null and ($1::uuid is null or brand_id = $1) and ($2::bigint is null or id = $2)
     ), lost as materialized (${lostOf({ closings: 'closings' })}
     )${named('lost')} limit $3`,
    [brandId ?? null, closingId ?? null, max],
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
