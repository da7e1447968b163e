/**
 * Marks the days that a change of exchange rates moves. Every rollup that converts keeps the rate, its day and its
 * cause in its rows. These rows are compared with the current rates, and the days that differ are marked: so exactly
 * the days whose figures move are marked, for every kind of change.
 */

import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { tryLockRollups } from '../dirty/marks.ts';
import { rollups } from '../rollups/index.ts';
import type { Reach } from './changes.ts';

/**
 * Every table with rows that depend on rates. Each has the columns retailer_id, day, currency,
 * reporting_currency, fx_rate, fx_day and fx_cause, as `fact.exchange_rate` gives them; a test holds
 * the descriptors against the schema.
 */
export const ratedTables = rollups.filter(({ keepsRates }) => keepsRates).map(({ writes }) => writes);

/** Days of retailers. */
export type Moved = { days: number; retailerIds: string[] };

const NOTHING: Moved = { days: 0, retailerIds: [] };

type Unnoticed = Reach & {
  /** The change up to which the rows were compared; null where no row is older than this comparison. */
  noticed: number | null;
  newest: number | null;
};

/**
 * Marks the days of rows of these retailers that changes of rates have reached since their rows were last compared.
 * The caller holds the lock of their rollups and reads rates and facts by later statements: so each row was computed
 * with the rates of all changes that are noticed, or is compared here.
 */
export async function noticeRates(tx: Tx, brandId: string, retailerIds: readonly string[]): Promise<Moved> {
  const { rows } = await tx.query<Unnoticed>(UNNOTICED, [brandId, retailerIds]);
  const [unnoticed] = rows;
  if (!unnoticed) throw new TypeError('an aggregate gave no row');
  const { noticed, newest, currencies, from, to } = unnoticed;
  if (noticed !== null && newest === null) return NOTHING;
  const moved =
    noticed === null
      ? NOTHING
      : await counted(tx, MARK, [brandId, currencies, from, to, retailerIds, new Date()]);
  await tx.query(
    `insert into ops.fx_noticed as n (brand_id, retailer_id, change_id)
     select r.brand_id, r.id, $3 from app.retailers r where r.brand_id = $1 and r.id = any ($2::uuid[]) order by r.id
     on conflict (brand_id, retailer_id) do update set change_id = excluded.change_id
     where n.change_id < excluded.change_id`,
    [brandId, retailerIds, newest ?? 0],
  );
  return moved;
}

export type BrandNoticed = {
  /** Marks written. */
  days: number;
  /** Retailers with a running rollup: it may have read the old rates, so the next one compares. */
  busy: string[];
};

/** The same for all retailers of the brand without a running rollup. It waits for none. */
export async function noticeRatesOfBrand(tx: Tx, brandId: string): Promise<BrandNoticed> {
  // Held, so that a removal waits for these marks and takes them along.
  const { rows } = await tx.query<{ id: string }>(
    'select id from app.retailers where brand_id = $1 and removing_at is null order by id for key share',
    [brandId],
  );
  const ids = rows.map(({ id }) => id);
  const free = await tryLockRollups(tx, brandId, ids);
  await followIndexes(tx);
  const { days } = await noticeRates(tx, brandId, free);
  return { days, busy: ids.filter((id) => !free.includes(id)) };
}

/** Retailers with days that rates have moved and no rollup has recomputed since. */
export async function retailersMoved(db: Reader, brandId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select r.id from app.retailers r
     where r.brand_id = $1 and exists (
       select from ops.marks m where m.brand_id = $1 and m.retailer_id = r.id and m.subject = 'fx')
     order by r.id`,
    [brandId],
  );
  return rows.map(({ id }) => id);
}

/** Counts what `noticeRatesOfBrand` would mark for a change. */
export async function countMoved(tx: Tx, brandId: string, { currencies, from, to }: Reach): Promise<Moved> {
  await followIndexes(tx);
  const { rows } = await tx.query<{ id: string }>(
    'select id from app.retailers where brand_id = $1 and removing_at is null order by id',
    [brandId],
  );
  return counted(tx, COUNT, [brandId, currencies, from, to, rows.map(({ id }) => id)]);
}

async function counted(tx: Tx, text: string, values: readonly unknown[]): Promise<Moved> {
  const { rows } = await tx.query<{ retailer_id: string; days: number }>(text, [...values]);
  return {
    days: rows.reduce((sum, { days }) => sum + days, 0),
    retailerIds: rows.map(({ retailer_id }) => retailer_id),
  };
}

const UNNOTICED = `
  select n.noticed, c.newest, c.currencies, c.from, c.to
  from (
    select min(change_id) as noticed from ops.fx_noticed where brand_id = $1 and retailer_id = any ($2::uuid[])
  ) n
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
      where r.brand_id = $1 and r.id = any ($5::uuid[])`,
  )
  .join(' union all ');

// A full join can only be hashed or merged: each pair has a rate, so it gives what an inner one would.
const MOVED = `
  with rated as materialized (${ratedRows}),
  pairs as materialized (select distinct currency, reporting_currency, day from rated),
  fresh as materialized (
    select p.*, x.fx_rate, x.fx_day, x.fx_cause from pairs p
    cross join lateral fact.exchange_rate(p.currency, p.reporting_currency, p.day) x
  ), moved as (
    select distinct r.retailer_id, r.day
    from rated r full join fresh f using (currency, reporting_currency, day)
    where (r.fx_rate, r.fx_day, r.fx_cause) is distinct from (f.fx_rate, f.fx_day, f.fx_cause)
  )`;

const BY_RETAILER =
  'select retailer_id, count(*) as days from moved group by retailer_id order by retailer_id';
const COUNT = `${MOVED} ${BY_RETAILER}`;
const MARK = `${MOVED},
  marked as (
    insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
    select $1::uuid, retailer_id, 'fx', day, $6::timestamptz from moved
  )
  ${BY_RETAILER}`;
