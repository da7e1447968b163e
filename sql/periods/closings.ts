/** Months of a brand that are closed. */
import type { Reader } from '../db/reader.ts';
import type { NotFinal } from './refusals.ts';

export type Closing = {
  id: number;
  brand: string;
  /** The first day of the month, and the last. */
  period: string;
  last_day: string;
  state: 'closed' | 'reopened';
  closed_at: Date;
  closed_by: string;
  note: string | null;
  /** Why it was closed although not all was final, and what was not. */
  reason: string | null;
  not_final: NotFinal[] | null;
  /** Frozen rows of figures. */
  rows: number;
  reopened_at: Date | null;
  reopened_by: string | null;
  reopened_reason: string | null;
};

const COLUMNS = `id, brand, period::text, last_day::text, state, closed_at, closed_by, note, reason, not_final, rows, reopened_at,
  reopened_by, reopened_reason`;

/** Latest month first, and of a month the latest closing first. */
export async function listClosings(
  db: Reader,
  { brandId, max }: { brandId: string; max: number },
): Promise<(Closing & { adjustments: number })[]> {
  const { rows } = await db.query<Closing & { adjustments: number }>(
    `select ${COLUMNS}, (
       select coalesce(sum(a.cells), 0)::bigint from ops.period_adjustments a
       where a.brand_id = c.brand_id and a.closing_id = c.id) as adjustments
     from bi.closed_periods c where brand_id = $1 order by period desc, id desc limit $2`,
    [brandId, max],
  );
  return rows;
}

/** The closing of a month that counts, if it is closed. */
export async function findClosing(db: Reader, brandId: string, period: string): Promise<Closing | undefined> {
  const { rows } = await db.query<Closing>(
    `select ${COLUMNS} from bi.closed_periods where brand_id = $1 and period = $2 and state = 'closed'`,
    [brandId, period],
  );
  return rows[0];
}

/** The last closed month, and the one behind it. */
export async function lastClosed(
  db: Reader,
  brandId: string,
): Promise<{ period: string; next: string } | undefined> {
  const { rows } = await db.query<{ period: string; next: string }>(
    `select period::text, (period + interval '1 month')::date::text as next from ops.period_closings
     where brand_id = $1 and reopened_at is null order by period desc limit 1`,
    [brandId],
  );
  return rows[0];
}

export type Adjustment = {
  booked_in: string;
  figure: string;
  retailer: string | null;
  column_name: string;
  difference: string;
  currency: string | null;
  cause: string;
  cells: number;
  booked_at: Date;
};

/** What has changed of a closed month, in the order of the months that it is booked in. */
export async function listAdjustments(
  db: Reader,
  { brandId, period, max }: { brandId: string; period: string; max: number },
): Promise<Adjustment[]> {
  const { rows } = await db.query<Adjustment>(
    `select booked_in::text, figure, retailer, column_name, difference::text, currency, cause, cells, booked_at
     from bi.period_adjustments where brand_id = $1 and period = $2
     order by booked_in, figure, retailer nulls first, column_name, currency, cause limit $3`,
    [brandId, period, max],
  );
  return rows;
}
