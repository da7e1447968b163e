/**
 * Marks the days that a change of exchange rates moves. Every rollup that converts keeps the rate, its day and its
 * cause in its rows. These rows are compared with the current rates, and the days that differ are marked: so exactly
 * the days whose figures move are marked, for every kind of change.
 */

import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { type Owner, tryLockRollups } from '../dirty/marks.ts';
import { rollups as ours } from '../rollups/index.ts';
import type { Rollup } from '../rollups/rollup.ts';
import type { Reach } from './changes.ts';

/** Days, and whose figures they are of. */
export type Moved = { days: number; owners: Owner[] };

const NOTHING: Moved = { days: 0, owners: [] };

type Unnoticed = Reach & {
  /** The change up to which the rows were compared; null where no row is older than this comparison. */
  noticed: number | null;
  newest: number | null;
};

/**
 * Marks the days of rows of these owners that changes of rates have reached since their rows were last compared.
 * The caller holds the lock of their rollups and reads rates and facts by later statements: so each row was computed
 * with the rates of all changes that are noticed, or is compared here.
 */
export async function noticeRates(
  tx: Tx,
  brandId: string,
  given: readonly Owner[],
  rollups: readonly Rollup[] = ours,
): Promise<Moved> {
  const owners = given.filter((owner) => owner !== null || isRatedOfBrand(rollups));
  if (owners.length === 0) return NOTHING;
  const { rows } = await tx.query<Unnoticed>(UNNOTICED, [brandId, owners]);
  const [unnoticed] = rows;
  if (!unnoticed) throw new TypeError('an aggregate gave no row');
  const { noticed, newest, currencies, from, to } = unnoticed;
  if (noticed !== null && newest === null) return NOTHING;
  const moved =
    noticed === null
      ? NOTHING
      : await counted(tx, markMoved(rollups), [brandId, currencies, from, to, owners, new Date()]);
  await tx.query(
    `insert into ops.fx_noticed as n (brand_id, retailer_id, change_id)
     select $1::uuid, o.owner, $3::bigint from unnest($2::uuid[]) as o (owner)
     where exists (select from app.brands b where b.id = $1)
       and (o.owner is null or exists (select from app.retailers r where r.brand_id = $1 and r.id = o.owner))
     order by o.owner
     on conflict (brand_id, retailer_id) do update set change_id = excluded.change_id
     where n.change_id < excluded.change_id`,
    [brandId, owners, newest ?? 0],
  );
  return moved;
}

export type BrandNoticed = {
  /** Marks written. */
  days: number;
  /** Owners with a running rollup: it may have read the old rates, so the next one compares. */
  busy: Owner[];
};

/** The same for all owners of the brand without a running rollup. It waits for none. */
export async function noticeRatesOfBrand(
  tx: Tx,
  brandId: string,
  rollups: readonly Rollup[] = ours,
): Promise<BrandNoticed> {
  // Held, so that a removal waits for these marks and takes them along.
  const owners = await ownersOf(tx, brandId, rollups, 'for key share');
  const free = await tryLockRollups(tx, brandId, owners);
  await followIndexes(tx);
  const { days } = await noticeRates(tx, brandId, free, rollups);
  return { days, busy: owners.filter((owner) => !free.includes(owner)) };
}

/** Owners with days that rates have moved and no rollup has recomputed since. */
export async function ownersMoved(db: Reader, brandId: string): Promise<Owner[]> {
  const { rows } = await db.query<{ owner: Owner }>(
    `select r.id as owner from app.retailers r
     where r.brand_id = $1 and exists (
       select from ops.marks m where m.brand_id = $1 and m.retailer_id = r.id and m.subject = 'fx')
     union all
     select null where exists (
       select from ops.marks m where m.brand_id = $1 and m.retailer_id is null and m.subject = 'fx')
     order by owner`,
    [brandId],
  );
  return rows.map(({ owner }) => owner);
}

/** Counts what `noticeRatesOfBrand` would mark for a change. */
export async function countMoved(
  tx: Tx,
  brandId: string,
  { currencies, from, to }: Reach,
  rollups: readonly Rollup[] = ours,
): Promise<Moved> {
  await followIndexes(tx);
  const owners = await ownersOf(tx, brandId, rollups);
  return counted(tx, countingMoved(rollups), [brandId, currencies, from, to, owners]);
}

/** Marks every day of the brand's own rows that keep rates: for another reporting currency, which moves them all. */
export async function markRatedOfBrand(
  tx: Tx,
  brandId: string,
  now: Date,
  rollups: readonly Rollup[] = ours,
): Promise<void> {
  for (const { writes, of, keepsRates } of rollups)
    if (of === 'brand' && keepsRates)
      await tx.query(
        `insert into ops.marks (brand_id, subject, day, cause, marked_at)
         select distinct $1::uuid, 'fx', day, 'changed_definition', $2::timestamptz from ${writes} where brand_id = $1`,
        [brandId, now],
      );
}

async function ownersOf(tx: Tx, brandId: string, rollups: readonly Rollup[], hold = ''): Promise<Owner[]> {
  const read = async (of: string) =>
    (
      await tx.query<{ id: string }>(`select id from app.${of} and removing_at is null order by id ${hold}`, [
        brandId,
      ])
    ).rows;
  const brands = isRatedOfBrand(rollups) ? await read('brands where id = $1') : [];
  const retailers = await read('retailers where brand_id = $1');
  return [...retailers.map(({ id }) => id), ...brands.map(() => null)];
}

async function counted(tx: Tx, text: string, values: readonly unknown[]): Promise<Moved> {
  const { rows } = await tx.query<{ owner: Owner; days: number }>(text, [...values]);
  return { days: rows.reduce((sum, { days }) => sum + days, 0), owners: rows.map(({ owner }) => owner) };
}

function isRatedOfBrand(rollups: readonly Rollup[]): boolean {
  return rollups.some(({ of, keepsRates }) => of === 'brand' && keepsRates);
}

const UNNOTICED = `
  select n.noticed, c.newest, c.currencies, c.from, c.to
  from (
    select min(change_id) as noticed from ops.fx_noticed
    where brand_id = $1 and array_position($2::uuid[], retailer_id) is not null
  ) n
  cross join lateral (
    select max(f.id) as newest, array_agg(distinct u.currency) as currencies, min(f.from_day) as from, max(f.to_day) as to
    from ops.fx_changes f cross join lateral unnest(f.currencies) as u (currency)
    where f.id > coalesce(n.noticed, 0)
  ) c`;

/**
 * The rows of a table that keep rates: it has the columns day, currency, reporting_currency, fx_rate, fx_day and
 * fx_cause, as `fact.exchange_rate` gives them; a test holds the descriptors against the schema. Owners first, so
 * that the index on (brand_id, retailer_id, day) serves a short span of days.
 */
function ratedRows({ writes, of }: Rollup): string {
  return `
      select o.owner, a.*
      from unnest($5::uuid[]) as o (owner)
      cross join lateral (
        select day, currency, reporting_currency, fx_rate, fx_day, fx_cause from ${writes}
        where brand_id = $1 and ${of === 'brand' ? 'o.owner is null' : 'retailer_id = o.owner'}
          and day between $3::date and $4::date and currency <> reporting_currency
          and (currency = any ($2::text[]) or reporting_currency = any ($2::text[]))
        offset 0
      ) a`;
}

// A full join can only be hashed or merged: each pair has a rate, so it gives what an inner one would.
function movedDays(rollups: readonly Rollup[]): string {
  const rated = rollups.filter(({ keepsRates }) => keepsRates).map(ratedRows);
  return `
  with rated as materialized (${rated.join(' union all ')}),
  pairs as materialized (select distinct currency, reporting_currency, day from rated),
  fresh as materialized (
    select p.*, x.fx_rate, x.fx_day, x.fx_cause from pairs p
    cross join lateral fact.exchange_rate(p.currency, p.reporting_currency, p.day) x
  ), moved as (
    select distinct r.owner, r.day
    from rated r full join fresh f using (currency, reporting_currency, day)
    where (r.fx_rate, r.fx_day, r.fx_cause) is distinct from (f.fx_rate, f.fx_day, f.fx_cause)
  )`;
}

const BY_OWNER = 'select owner, count(*) as days from moved group by owner order by owner';
const countingMoved = (rollups: readonly Rollup[]) => `${movedDays(rollups)} ${BY_OWNER}`;
const markMoved = (rollups: readonly Rollup[]) => `${movedDays(rollups)},
  marked as (
    insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
    select $1::uuid, owner, 'fx', day, $6::timestamptz from moved
  )
  ${BY_OWNER}`;
