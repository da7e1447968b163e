/** What the nights of a brand found of its frozen rows, and when. It is stored with each closing. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Owner } from '../dirty/marks.ts';
import { only } from '../tenants/brands.ts';
import type { Lost } from './lost.ts';

/** Whether a month that is closed was last counted before this instant. */
export async function waitsForCount(db: Reader, brandId: string, before: Date): Promise<boolean> {
  const { rows } = await db.query(
    'select from ops.period_closings where brand_id = $1 and reopened_at is null and counted_at < $2 limit 1',
    [brandId, before],
  );
  return rows.length > 0;
}

/** Null: the brand itself. */
export async function ownersOfFigures(db: Reader, brandId: string): Promise<Owner[]> {
  const { rows } = await db.query<{ id: Owner }>(
    'select null as id union all select id from app.retailers where brand_id = $1',
    [brandId],
  );
  return rows.map(({ id }) => id);
}

/** Stores with each month that is closed what was lost of it; `now`: when the count began. */
export async function recordLost(
  tx: Tx,
  { brandId, lost, now }: { brandId: string; lost: readonly Lost[]; now: Date },
): Promise<void> {
  await tx.query(
    `update ops.period_closings c
     set counted_at = $2, lost = (select count(*) from unnest($3::date[]) l (period) where l.period = c.period)
     where brand_id = $1 and reopened_at is null and counted_at < $2`,
    [brandId, now, lost.map(({ period }) => period)],
  );
}

export type DoubtfulClosing = {
  brandId: string;
  closingId: number;
  brand: string;
  period: string;
  countedAt: Date;
  /** Figures of owners that were not complete. */
  lost: number;
  total: number;
};

/** Longer than any night is late. */
const COUNTED_WITHIN = '2 days';

/** Months of all brands of which something was lost when they were last counted, or that were not counted for days. */
export async function doubtfulClosings(db: Reader, max: number): Promise<DoubtfulClosing[]> {
  const { rows } = await db.query<DoubtfulClosing>(
    `select c.brand_id as "brandId", c.id as "closingId", b.slug as brand, c.period::text, c.counted_at as "countedAt", c.lost,
            count(*) over ()::int as total
     from ops.period_closings c join app.brands b on b.id = c.brand_id
     where c.reopened_at is null and b.removing_at is null
       and (c.lost > 0 or c.counted_at < now() - interval '${COUNTED_WITHIN}')
     order by c.lost = 0, b.slug, c.period limit $1`,
    [max],
  );
  return rows;
}

/** How many months of all brands are closed, and since when each was counted. */
export async function countedSince(db: Reader): Promise<{ months: number; since: Date | null }> {
  const { rows } = await db.query<{ months: number; since: Date | null }>(
    `select count(*)::int as months, min(c.counted_at) as since
     from ops.period_closings c join app.brands b on b.id = c.brand_id
     where c.reopened_at is null and b.removing_at is null`,
  );
  return only(rows);
}
