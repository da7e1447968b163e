/**
 * Marks: what has changed, and where. A mark names a subject (sales, payments …) and a brand-local day of a
 * retailer whose figures of it must be computed again. It is a row of its own and commits with the change that
 * it stands for; many marks of one day are one day's work. An upserted mark gets lost: a load finds the old one
 * and keeps it, the rollup deletes it before the load has committed, and nothing is left to say that the day
 * has changed since.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { ColumnType, Table } from '../load/table.ts';

/** What changes: rollups say which of these they follow. A rollup whose table others read is one by its name. */
export type Subject = string;

export type Mark = { subject: Subject; day: string };

export type MarkTarget = { brandId: string; retailerId: string; timeZone: string; now: Date };

export type Touched = {
  days?: readonly Mark[];
  /** Milliseconds: the day of each in the brand's zone. */
  instants?: ReadonlyMap<Subject, Iterable<number>>;
};

/** Marks days, each once for each subject. */
export async function markDays(
  tx: Tx,
  { brandId, retailerId, timeZone, now }: MarkTarget,
  { days = [], instants = new Map() }: Touched,
): Promise<number> {
  const times = [...instants].flatMap(([subject, of]) =>
    Array.from(of, (ms) => ({ subject, at: new Date(ms).toISOString() })),
  );
  if (days.length + times.length === 0) return 0;
  const { rowCount } = await tx.query({
    name: 'mark days',
    text: `
      insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
      select $1::uuid, $2::uuid, touched.subject, touched.day, $8::timestamptz
      from (
        select subject, day from unnest($3::text[], $4::date[]) as d (subject, day)
        union
        select subject, (instant at time zone $7)::date from unnest($5::text[], $6::timestamptz[]) as i (subject, instant)
      ) touched`,
    values: [
      ...[brandId, retailerId, days.map(({ subject }) => subject), days.map(({ day }) => day)],
      ...[times.map(({ subject }) => subject), times.map(({ at }) => at), timeZone, now],
    ],
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
 * Takes the marks of up to `limit` days, oldest first. Only marks that it sees go; one that commits later stays
 * for the next claim. Read the facts by a later statement than this one: its snapshot then holds all that the
 * deleted marks stood for.
 */
export async function claimMarks(
  tx: Tx,
  brandId: string,
  retailerId: string,
  limit: number,
): Promise<Mark[]> {
  await lockRollup(tx, brandId, retailerId);
  await followIndexes(tx);
  const { rows } = await tx.query<Mark>(
    `with wanted as (
       select distinct day from ops.marks where brand_id = $1 and retailer_id = $2 order by day limit $3
     ), seen as (
       select ctid from ops.marks
       where brand_id = $1 and retailer_id = $2 and day <= (select max(day) from wanted)
       order by day
       for update skip locked
     ), claimed as (
       delete from ops.marks where ctid = any (array(select ctid from seen)) returning subject, day
     )
     select distinct day, subject from claimed order by day, subject`,
    [brandId, retailerId, limit],
  );
  return rows;
}

/** Drops the marks of days that are about to be computed whatever has changed; else as `claimMarks`. */
export async function dropMarks(
  tx: Tx,
  brandId: string,
  retailerId: string,
  days: readonly string[],
): Promise<void> {
  await lockRollup(tx, brandId, retailerId);
  await tx.query(
    `delete from ops.marks where ctid = any (array(
       select ctid from ops.marks where brand_id = $1 and retailer_id = $2 and day = any ($3::date[])
       for update skip locked))`,
    [brandId, retailerId, days],
  );
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
       cross join unnest(c.retailer_id || $4::uuid[]) as r (id)
       where c.brand_id = $1 and ($2::uuid is null or c.id = $2) and r.id is not null
       returning retailer_id, day
     )
     select count(distinct (retailer_id, day)) as days from marked`,
    [brandId, connectionId, timeZones, alsoRetailers, now],
  );
  return rows[0]?.days ?? 0;
}
