/**
 * The days that a change of exchange rates touches. Every rollup that converts keeps the rate, its day
 * and its cause in its rows; those rows are held against what the rates say now, and the days that
 * differ are marked. So exactly the days are marked whose figures move, whatever else the change was.
 */

import type { Tx } from '../db/pool.ts';
import { lockAllRollups } from '../dirty/marks.ts';
import { rollups } from '../rollups/index.ts';

/**
 * Every table with rows that depend on rates. Each has the columns retailer_id, day, currency,
 * reporting_currency, fx_rate, fx_day and fx_cause, as `fact.exchange_rate` gives them; a test holds
 * the descriptors against the schema.
 */
export const ratedTables = rollups.filter(({ keepsRates }) => keepsRates).map(({ writes }) => writes);

export type RatedRetailer = { brandId: string; retailerId: string };

export type Reach = {
  /** Whose rates have changed. */
  currencies: readonly string[];
  from: string;
  /** 'infinity' where there is no end. */
  to: string;
};

/**
 * Marks the days, and gives the retailers that have any. A rollup in flight computes with the rates of
 * before, and its rows cannot be seen until it commits: so all of them are waited for before any row is
 * read.
 */
export async function markRatedDays(
  tx: Tx,
  reach: Reach,
  now: Date,
): Promise<{ days: number; retailers: RatedRetailer[] }> {
  await lockAllRollups(tx);
  const { rows: brands } = await tx.query<{ id: string }>('select id from app.brands order by id');
  const retailers: RatedRetailer[] = [];
  let days = 0;
  for (const { id: brandId } of brands) {
    const { currencies, from, to } = reach;
    const { rows } = await tx.query<{ retailer_id: string; days: number }>(MARK, [
      ...[brandId, currencies, from, to, now],
    ]);
    for (const row of rows) {
      retailers.push({ brandId, retailerId: row.retailer_id });
      days += row.days;
    }
  }
  return { days, retailers };
}

// Retailers first, so that the index on (brand_id, retailer_id, day) serves a short span of days.
const ratedRows = ratedTables
  .map(
    (table) => `
      select r.id as retailer_id, a.* from app.retailers r
      cross join lateral (
        select day, currency, reporting_currency, fx_rate, fx_day, fx_cause from ${table}
        where brand_id = $1 and retailer_id = r.id and day between $3::date and $4::date
          and currency <> reporting_currency
          and (currency = any ($2::text[]) or reporting_currency = any ($2::text[]))
        offset 0
      ) a
      where r.brand_id = $1`,
  )
  .join(' union all ');

const MARK = `
  with rated as materialized (${ratedRows}),
  pairs as materialized (select distinct currency, reporting_currency, day from rated),
  fresh as materialized (
    select p.*, x.fx_rate, x.fx_day, x.fx_cause from pairs p
    cross join lateral fact.exchange_rate(p.currency, p.reporting_currency, p.day) x
  ), marked as (
    insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
    select distinct $1::uuid, r.retailer_id, 'fx', r.day, $5::timestamptz
    from rated r join fresh f using (currency, reporting_currency, day)
    where (r.fx_rate, r.fx_day, r.fx_cause) is distinct from (f.fx_rate, f.fx_day, f.fx_cause)
    returning retailer_id
  )
  select retailer_id, count(*) as days from marked group by retailer_id order by retailer_id`;
