/** Closed figures, their adjustments and present figures, each summed up by another text than the product's. */
import { closePeriod, type ToClose } from '#sql/periods/close.ts';
import { rollups } from '#sql/rollups/index.ts';
import { isRestated } from '#sql/rollups/restate.ts';
import type { TestDb } from '../db/db.ts';

const NOT_SUMS = ['fx_rate', 'days_since_reading'];

export type Sums = Record<string, string>;

const toSums = (rows: readonly { cell: string; sum: string }[]): Sums =>
  Object.fromEntries(rows.filter(({ sum }) => sum !== '0').map(({ cell, sum }) => [cell, sum]));

/** By month, figure, retailer, currency and column: what is stored of months that are closed. */
export async function presentSums(db: TestDb, brandId: string): Promise<Sums> {
  const sums: Sums = {};
  for (const { name, writes, grain, measures } of rollups.filter(isRestated)) {
    const owner = grain.includes('owner_id')
      ? "coalesce(nullif(a.owner_id, a.brand_id)::text, 'none')"
      : "'none'";
    const retailer = grain.includes('retailer_id') ? 'a.retailer_id' : owner;
    const rows = await db.rows<{ cell: string; sum: string }>(
      `select concat_ws(' ', date_trunc('month', a.day)::date, '${name}', ${retailer}, to_jsonb(a) ->> 'currency', m.key) as cell,
              trim_scale(sum(m.value::text::numeric))::text as sum
       from ${writes} a cross join lateral jsonb_each(to_jsonb(a)) m
       where a.brand_id = $1 and m.key = any ($2) and m.key <> all ($3) and jsonb_typeof(m.value) = 'number'
         and date_trunc('month', a.day)::date in (select period from bi.closed_periods where brand_id = $1 and state = 'closed')
       group by 1`,
      [brandId, measures, NOT_SUMS],
    );
    Object.assign(sums, toSums(rows));
  }
  return sums;
}

/** The same of what was frozen and what was booked since. */
export async function bookedSums(db: TestDb, brandId: string): Promise<Sums> {
  const rows = await db.rows<{ cell: string; sum: string }>(
    `select concat_ws(' ', period, figure, coalesce(retailer_id::text, 'none'), currency, column_name) as cell,
            trim_scale(sum(value))::text as sum
     from (
       select brand_id, period, figure, retailer_id, currency, column_name, closed_value as value from bi.closed_figures
       union all
       select brand_id, period, figure, retailer_id, currency, column_name, difference from bi.period_adjustments) u
     where brand_id = $1 and column_name <> all ($2)
     group by 1`,
    [brandId, NOT_SUMS],
  );
  return toSums(rows);
}

/** Whatever is final, and as a person would who must. */
export function closeAnyway(db: TestDb, asked: ToClose) {
  return closePeriod(db, { anyway: 'the books must be closed', actor: 'test', ...asked });
}

/** Everything that was frozen of a brand, closings that were reopened included. */
export function frozen(db: TestDb, brandId: string): Promise<unknown[]> {
  return db.column(
    `select concat_ws(' ', closing_id, rollup, retailer_id, day, key, currency, figures) from ops.closed_figures
     where brand_id = $1 order by closing_id, rollup, id`,
    [brandId],
  );
}
