/**
 * The days that a change of exchange rates touches. Every rollup that converts keeps the rate, its day
 * and its cause in its rows; those rows are held against what the rates say now, and the days that
 * differ are marked. So exactly the days are marked whose figures move, whatever else the change was.
 */

import type { Tx } from '../db/pool.ts';
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

export type RatedDays = {
  /** Marks written. */
  days: number;
  /** Those that have any of them. */
  retailers: RatedRetailer[];
  /** Those whose next rollup has to look: it may be computing with the rates of before, in rows that nobody sees yet. */
  unaware: RatedRetailer[];
};

/**
 * Notes that rates have changed, and marks the days of rows that are there, a brand a statement. No rollup is
 * waited for: whatever one in flight writes with the rates of before, the next one of the retailer finds by the
 * note. Rates are stored one change after the other, so notes commit in the order of their ids.
 */
export async function markRatedDays(tx: Tx, reach: Reach, now: Date): Promise<RatedDays> {
  const { currencies, from, to } = reach;
  await tx.query(
    'insert into ops.fx_changes (currencies, from_day, to_day, noted_at) values ($1, $2, $3, $4)',
    [currencies, from, to, now],
  );
  const { rows: brands } = await tx.query<{ id: string }>('select id from app.brands order by id');
  const found: RatedDays = { days: 0, retailers: [], unaware: [] };
  for (const { id: brandId } of brands) {
    // Held, so that a removal waits for these marks and takes them along.
    const { rows: retailers } = await tx.query<{ id: string }>(
      'select id from app.retailers where brand_id = $1 and removing_at is null order by id for key share',
      [brandId],
    );
    const ids = retailers.map(({ id }) => id);
    for (const retailerId of ids) found.unaware.push({ brandId, retailerId });
    const marked = await tx.query<{ retailer_id: string; days: number }>(MARK, [
      ...[brandId, currencies, from, to, now, ids],
    ]);
    for (const row of marked.rows) {
      found.retailers.push({ brandId, retailerId: row.retailer_id });
      found.days += row.days;
    }
  }
  return found;
}

type Unnoticed = Reach & {
  /** The change up to which the retailer was looked at; null where none of its rows is older than this look. */
  noticed: number | null;
  newest: number | null;
};

/**
 * Marks the days of rows of the retailer that changes of rates have reached since its last rollup. The caller
 * holds its lock and reads rates and facts by later statements: so each row was computed with the rates of all
 * changes that were noticed, or is compared here.
 */
export async function noticeRates(tx: Tx, brandId: string, retailerId: string): Promise<void> {
  const { rows } = await tx.query<Unnoticed>(UNNOTICED, [brandId, retailerId]);
  const [unnoticed] = rows;
  if (!unnoticed) throw new TypeError('an aggregate gave no row');
  const { noticed, newest, currencies, from, to } = unnoticed;
  if (noticed !== null && newest === null) return;
  if (noticed !== null) await tx.query(MARK, [brandId, currencies, from, to, new Date(), [retailerId]]);
  await tx.query(
    `insert into ops.fx_noticed as n (brand_id, retailer_id, change_id)
     select r.brand_id, r.id, $3 from app.retailers r where r.brand_id = $1 and r.id = $2
     on conflict (brand_id, retailer_id) do update set change_id = excluded.change_id`,
    [brandId, retailerId, newest ?? 0],
  );
}

const UNNOTICED = `
  select n.noticed, c.newest, c.currencies, c.from, c.to
  from (select max(change_id) as noticed from ops.fx_noticed where brand_id = $1 and retailer_id = $2) n
  cross join lateral (
    select max(f.id) as newest, array_agg(distinct u.currency) as currencies, min(f.from_day) as from, max(f.to_day) as to
    from ops.fx_changes f cross join lateral unnest(f.currencies) as u (currency)
    where f.id > coalesce(n.noticed, 0)
  ) c`;

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
      where r.brand_id = $1 and r.id = any ($6::uuid[])`,
  )
  .join(' union all ');

// A full join can only be hashed or merged: each pair has a rate, so it gives what an inner one would.
const MARK = `
  with rated as materialized (${ratedRows}),
  pairs as materialized (select distinct currency, reporting_currency, day from rated),
  fresh as materialized (
    select p.*, x.fx_rate, x.fx_day, x.fx_cause from pairs p
    cross join lateral fact.exchange_rate(p.currency, p.reporting_currency, p.day) x
  ), marked as (
    insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
    select distinct $1::uuid, r.retailer_id, 'fx', r.day, $5::timestamptz
    from rated r full join fresh f using (currency, reporting_currency, day)
    where (r.fx_rate, r.fx_day, r.fx_cause) is distinct from (f.fx_rate, f.fx_day, f.fx_cause)
    returning retailer_id
  )
  select retailer_id, count(*) as days from marked group by retailer_id order by retailer_id`;
