/**
 * Marks: what has changed, and where. A mark names a subject (sales, payments …) and a brand-local day of a
 * retailer, or of the brand as a whole, whose figures of it must be computed again. It is a row of its own and
 * commits with the change that it stands for; many marks of one day are one day's work. An upserted mark gets
 * lost: a load finds the old one and keeps it, the rollup deletes it before the load has committed, and nothing
 * is left to say that the day has changed since.
 */
import type { Tx } from '../db/pool.ts';
import type { ColumnType, Table } from '../load/table.ts';

/** What changes: rollups say which of these they follow. A rollup whose table others read is one by its name. */
export type Subject = string;

export type Mark = { subject: Subject; day: string };

/** A retailer, or null for the brand as a whole. */
export type Owner = string | null;

export type MarkTarget = { brandId: string; owners: readonly Owner[]; timeZone: string; now: Date };

export type Touched = {
  days?: readonly Mark[];
  /** Milliseconds: the day of each in the brand's zone. */
  instants?: ReadonlyMap<Subject, Iterable<number>>;
};

/** Marks days of each owner, each once for each subject. */
export async function markDays(
  tx: Tx,
  { brandId, owners, timeZone, now }: MarkTarget,
  { days = [], instants = new Map() }: Touched,
): Promise<number> {
  const times = [...instants].flatMap(([subject, of]) =>
    Array.from(of, (ms) => ({ subject, at: new Date(ms).toISOString() })),
  );
  if (days.length + times.length === 0 || owners.length === 0) return 0;
  const { rowCount } = await tx.query({
    name: 'mark days',
    text: `
      insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
      select $1::uuid, o.owner, touched.subject, touched.day, $8::timestamptz
      from unnest($2::uuid[]) as o (owner)
      cross join (
        select subject, day from unnest($3::text[], $4::date[]) as d (subject, day)
        union
        select subject, (instant at time zone $7)::date from unnest($5::text[], $6::timestamptz[]) as i (subject, instant)
      ) touched`,
    values: [
      ...[brandId, owners, days.map(({ subject }) => subject), days.map(({ day }) => day)],
      ...[times.map(({ subject }) => subject), times.map(({ at }) => at), timeZone, now],
    ],
  });
  return rowCount ?? 0;
}

/**
 * Only one rollup of a retailer, and one of the brand's own, at a time, until the transaction ends: two that
 * interleave would each write what it computed from its own snapshot, and the older one could be the last.
 */
export async function lockRollup(tx: Tx, brandId: string, owner: Owner): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${lockKey('$2')})`, [brandId, owner ?? 'brand']);
}

/** The same for those retailers whose lock is free, and gives them. Waits for nothing. */
export async function tryLockRollups(
  tx: Tx,
  brandId: string,
  retailerIds: readonly string[],
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from unnest($2::uuid[]) as r (id) where pg_try_advisory_xact_lock(${lockKey('r.id')})`,
    [brandId, retailerIds],
  );
  return rows.map(({ id }) => id);
}

/** As SQL: $1 is the brand. */
function lockKey(owner: string): string {
  return `hashtextextended('rollup ' || $1 || ' ' || ${owner}, 0)`;
}

/** The day of a column as SQL: a date is one already, an instant has one in a zone. */
export function dayOf(column: string, type: ColumnType | undefined, zone: string): string {
  return type === 'date' ? column : `(${column} at time zone ${zone})::date`;
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

/** Marks every day that stored rows touch, and counts them: for changes of what all of them are counted by. */
export async function markAllDays(tx: Tx, all: MarkAll): Promise<number> {
  const { brandId, connectionId = null, alsoRetailers = [], timeZones, now } = all;
  const touched = [...new Set(all.tables)].flatMap(({ name, columns, days = {} }) =>
    Object.entries(days).map(
      ([column, subject]) => `
      select '${subject}', ${dayOf(`o.${column}`, columns[column], 'z.time_zone')} from ${name} o
      where o.brand_id = $1 and o.connection_id = c.id and o.${column} is not null`,
    ),
  );
  if (touched.length === 0) return 0;
  const { rows } = await tx.query<{ days: number }>(
    `with marked as (
       insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
       select distinct $1::uuid, r.id, i.subject, i.day, $5::timestamptz
       from app.connections c
       cross join unnest($3::text[]) as z (time_zone)
       cross join lateral (${touched.join(' union all ')}) as i (subject, day)
       cross join lateral (
         select r.id from unnest(c.retailer_id || $4::uuid[]) as r (id) where r.id is not null
         union all
         select null where c.level = 'brand'
         union all
         select p.retailer_id from app.connection_parts p where p.brand_id = $1 and p.connection_id = c.id
       ) r
       where c.brand_id = $1 and ($2::uuid is null or c.id = $2)
       returning retailer_id, day
     )
     select count(distinct (retailer_id, day)) as days from marked`,
    [brandId, connectionId, timeZones, alsoRetailers, now],
  );
  return rows[0]?.days ?? 0;
}
