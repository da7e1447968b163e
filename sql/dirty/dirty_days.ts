/**
 * Dirty days: brand-local days of a retailer whose figures must be computed again. A mark is a row of
 * its own and commits with the change that it stands for; many marks of one day are one day's work.
 * An upserted mark gets lost: a load finds the old one and keeps it, the rollup deletes it before the
 * load has committed, and nothing is left to say that the day has changed since.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Table } from '../load/table.ts';

export type MarkTarget = { brandId: string; retailerId: string; timeZone: string; now: Date };

/** Marks days, and the days in the brand's zone of instants (milliseconds), each once. */
export async function markDays(
  tx: Tx,
  { brandId, retailerId, timeZone, now }: MarkTarget,
  { days = [], instants = [] }: { days?: Iterable<string>; instants?: Iterable<number> },
): Promise<number> {
  const dates = [...days];
  const times = Array.from(instants, (ms) => new Date(ms).toISOString());
  if (dates.length + times.length === 0) return 0;
  const { rowCount } = await tx.query({
    name: 'mark days',
    text: `
      insert into ops.dirty_days (brand_id, retailer_id, day, marked_at)
      select $1::uuid, $2::uuid, touched.day, $6::timestamptz
      from (
        select day from unnest($3::date[]) as d (day)
        union
        select (instant at time zone $5)::date from unnest($4::timestamptz[]) as i (instant)
      ) touched`,
    values: [brandId, retailerId, dates, times, timeZone, now],
  });
  return rowCount ?? 0;
}

/**
 * Only one rollup of a retailer at a time, until the transaction ends: two that interleave would each
 * write what it computed from its own snapshot, and the older one could be the last. The lock of all
 * comes first, and by a statement of its own: whoever waited for it behind a lock of its retailer could
 * wait for a rollup that waits for this one.
 */
export async function lockRollup(tx: Tx, brandId: string, retailerId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock_shared(hashtextextended('rollups', 0))");
  await tx.query("select pg_advisory_xact_lock(hashtextextended('rollup ' || $1 || ' ' || $2, 0))", [
    brandId,
    retailerId,
  ]);
}

/**
 * Waits for the rollups in flight, of every brand, and lets none begin until the transaction ends: for
 * changes of what all of them compute with. One that begins now holds the row of its job while it waits,
 * so whoever has this lock waits for no such row, and never takes it after lockRollup.
 */
export async function lockAllRollups(tx: Tx): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('rollups', 0))");
}

/**
 * Takes the marks of up to `limit` days, oldest first, and names the days. Only marks that it sees go;
 * one that commits later stays for the next claim. Read the facts by a later statement than this one:
 * its snapshot then holds all that the deleted marks stood for.
 */
export async function claimDirtyDays(
  tx: Tx,
  brandId: string,
  retailerId: string,
  limit: number,
): Promise<string[]> {
  await lockRollup(tx, brandId, retailerId);
  await followIndexes(tx);
  const { rows } = await tx.query<{ day: string }>(
    `with wanted as (
       select distinct day from ops.dirty_days where brand_id = $1 and retailer_id = $2 order by day limit $3
     ), seen as (
       select ctid from ops.dirty_days
       where brand_id = $1 and retailer_id = $2 and day <= (select max(day) from wanted)
       order by day
       for update skip locked
     ), claimed as (
       delete from ops.dirty_days where ctid = any (array(select ctid from seen)) returning day
     )
     select distinct day from claimed order by day`,
    [brandId, retailerId, limit],
  );
  return rows.map(({ day }) => day);
}

export type MarkAll = {
  brandId: string;
  /** Only the data of this connection. */
  connectionId?: string;
  /** Retailers besides the one that the data belong to now. */
  alsoRetailers?: readonly string[];
  /** Days as each of these zones counts them. */
  timeZones: readonly string[];
  tables: readonly Table[];
  now: Date;
};

/** Marks every day that stored rows touch, each once: for changes of what all of them are counted by. */
export async function markAllDays(tx: Tx, all: MarkAll): Promise<number> {
  const { brandId, connectionId = null, alsoRetailers = [], timeZones, now } = all;
  const instants = [...new Set(all.tables)].flatMap(({ name, days = [] }) =>
    days.map(
      (column) => `
      select o.${column} from ${name} o
      where o.brand_id = $1 and o.connection_id = c.id and o.${column} is not null`,
    ),
  );
  if (instants.length === 0) return 0;
  const { rowCount } = await tx.query(
    `insert into ops.dirty_days (brand_id, retailer_id, day, marked_at)
     select distinct $1::uuid, r.id, (i.instant at time zone z.time_zone)::date, $5::timestamptz
     from app.connections c
     cross join lateral (${instants.join(' union all ')}) as i (instant)
     cross join unnest($3::text[]) as z (time_zone)
     cross join unnest(c.retailer_id || $4::uuid[]) as r (id)
     where c.brand_id = $1 and ($2::uuid is null or c.id = $2) and r.id is not null`,
    [brandId, connectionId, timeZones, alsoRetailers, now],
  );
  return rowCount ?? 0;
}
