/**
 * Marks say what has changed, and where. A mark names a subject (sales, payments …) and a partition of a retailer, or
 * of the brand as a whole, whose figures must be recomputed: a brand-local day, or one object of a connection, such as
 * a subscription. It is a row of its own and commits with the change that it stands for; many marks of one partition
 * are one piece of work. An upserted mark gets lost: a load finds the old one and keeps it, the rollup deletes it
 * before the load has committed, and nothing is left to say what has changed since.
 */
import type { Tx } from '../db/pool.ts';
import type { ColumnType, Table } from '../load/table.ts';
import type { Cause } from '../rollups/causes.ts';
import type { Subject } from './subject.ts';

/** Of a day, or of an object. Who marks may know why. */
export type Mark = { subject: Subject; day?: string | null; object?: string | null; cause?: Cause | null };

/** A retailer, or null for the brand as a whole. */
export type Owner = string | null;

export type MarkTarget = {
  brandId: string;
  owners: readonly Owner[];
  timeZone: string;
  /** Of marks without one of their own. */
  cause?: Cause | null;
  now: Date;
};

export type Touched = {
  marks?: readonly Mark[];
  /** In milliseconds; each marks its day in the brand's zone. */
  instants?: ReadonlyMap<Subject, Iterable<number>>;
};

/** The name of an object in marks: two connections may use one id for different objects. */
export function objectOf(connectionId: string, id: string): string {
  return `${connectionId} ${id}`;
}

/** Marks partitions of each owner, each once for each subject. */
export async function markPartitions(
  tx: Tx,
  { brandId, owners, timeZone, cause: why = null, now }: MarkTarget,
  { marks = [], instants = new Map() }: Touched,
): Promise<number> {
  const times = [...instants].flatMap(([subject, of]) =>
    Array.from(of, (ms) => ({ subject, at: new Date(ms).toISOString() })),
  );
  if (marks.length + times.length === 0 || owners.length === 0) return 0;
  const { rowCount } = await tx.query({
    name: 'mark partitions',
    text: `
      insert into ops.marks (brand_id, retailer_id, subject, day, object, cause, marked_at)
      select $1::uuid, o.owner, touched.subject, touched.day, touched.object, touched.cause, $9::timestamptz
      from unnest($2::uuid[]) as o (owner)
      cross join (
        select * from unnest($3::text[], $4::date[], $5::text[], $10::text[]) as m (subject, day, object, cause)
        union
        select subject, (instant at time zone $8)::date, null, $11
        from unnest($6::text[], $7::timestamptz[]) as i (subject, instant)
      ) touched`,
    values: [
      ...[brandId, owners, marks.map(({ subject }) => subject)],
      ...[marks.map(({ day }) => day ?? null), marks.map(({ object }) => object ?? null)],
      ...[times.map(({ subject }) => subject), times.map(({ at }) => at), timeZone, now],
      marks.map(({ cause }) => cause ?? why),
      why,
    ],
  });
  return rowCount ?? 0;
}

/**
 * Allows one rollup of a retailer, and one of the brand's own, at a time, until the transaction ends: two that
 * interleave would each write figures of its own snapshot, and the older one could be the last. None runs beside a closing of
 * a period, which comes first, so that whoever waits for it holds no other lock of these.
 */
export async function lockRollup(tx: Tx, brandId: string, owner: Owner): Promise<void> {
  const locks = `pg_advisory_xact_lock_shared(${CLOSING}), pg_advisory_xact_lock(${lockKey('$2')})`;
  await tx.query(`select ${locks}`, [brandId, owner ?? 'brand']);
}

/** Waits until no rollup of the brand is under way, and lets none begin until the transaction ends. */
export async function lockFigures(tx: Tx, brandId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${CLOSING})`, [brandId]);
}

const CLOSING = "hashtextextended('closing of ' || $1, 0)";

/** Locks those owners whose lock is free, and returns them. Waits for nothing. */
export async function tryLockRollups(tx: Tx, brandId: string, owners: readonly Owner[]): Promise<Owner[]> {
  const { rows } = await tx.query<{ owner: Owner }>(
    `select owner from unnest($2::uuid[]) as o (owner)
     where pg_try_advisory_xact_lock(${lockKey("coalesce(o.owner::text, 'brand')")})`,
    [brandId, owners],
  );
  return rows.map(({ owner }) => owner);
}

/** As SQL: $1 is the brand. */
function lockKey(owner: string): string {
  return `hashtextextended('rollup ' || $1 || ' ' || ${owner}, 0)`;
}

/**
 * The partition of a marked column of row `row`, as SQL: a day (of an instant in `zone`) and an object of `connection`.
 */
export function partitionOf(
  row: string,
  [column, type]: [string, ColumnType | undefined],
  { zone, connection }: { zone: string; connection: string },
): string {
  const value = `${row}.${column}`;
  if (type === 'timestamptz') return `(${value} at time zone ${zone})::date, null::text`;
  if (type === 'date') return `${value}, null::text`;
  if (type === 'text') return `null::date, ${connection}::text || ' ' || ${value}`;
  throw new TypeError(`${column} cannot mark anything: ${type} is neither a day nor an object`);
}

/** Whether row `o` is of part $6 of connection `c`: it may be of several, and of those of a row that it names. */
function isOfPart({ partColumn, partsAlsoOf, columns }: Table, all: readonly Table[], row = 'o'): string {
  if (partColumn === undefined) return 'true';
  const own =
    columns[partColumn] === 'text[]' ? `$6 = any (${row}.${partColumn})` : `${row}.${partColumn} = $6`;
  const named = all.find(({ name }) => name === partsAlsoOf?.table);
  if (partsAlsoOf === undefined || named === undefined) return own;
  return `(${own} or ${row}.${partsAlsoOf.by} in (
    select n.id from ${named.name} n
    where n.brand_id = $1 and n.connection_id = c.id and ${isOfPart(named, all, 'n')}))`;
}

export type MarkAll = {
  brandId: string;
  /** Only the data of this connection. */
  connectionId?: string;
  /** Only this part of it, if a table has a column that holds the part. */
  part?: string;
  /** Further retailers, besides the one that owns the data now. */
  alsoRetailers?: readonly string[];
  /** Only these owners. */
  owners?: readonly Owner[];
  /** Days of each of these zones. */
  timeZones: readonly string[];
  tables: readonly Table[];
  /** Why everything changes. */
  cause: Cause;
  now: Date;
};

/** Marks everything that stored rows touch, and counts the days: for changes that affect all figures. */
export async function markAllDays(tx: Tx, all: MarkAll): Promise<number> {
  const {
    brandId,
    connectionId = null,
    part = null,
    alsoRetailers = [],
    owners = null,
    timeZones,
    cause,
    now,
  } = all;
  const names = { zone: 'z.time_zone', connection: 'c.id' };
  const tables = [...new Set(all.tables)];
  const touched = tables.flatMap((table) => {
    const { name, columns, marks = {}, partColumn } = table;
    return Object.entries(marks).map(
      ([column, subject]) => `
      select '${subject}', ${partitionOf('o', [column, columns[column]], names)} from ${name} o
      where o.brand_id = $1 and o.connection_id = c.id and o.${column} is not null
        ${partColumn ? `and ($6::text is null or ${isOfPart(table, tables)})` : ''}`,
    );
  });
  if (touched.length === 0) return 0;
  const { rows } = await tx.query<{ days: number }>(
    `with marked as (
       insert into ops.marks (brand_id, retailer_id, subject, day, object, cause, marked_at)
       select distinct $1::uuid, r.id, i.subject, i.day, i.object, $8, $5::timestamptz
       from app.connections c
       cross join unnest($3::text[]) as z (time_zone)
       cross join lateral (${touched.join(' union all ')}) as i (subject, day, object)
       cross join lateral (
         select o.id from unnest($7::uuid[]) as o (id)
         union all
         select r.id from unnest(c.retailer_id || $4::uuid[]) as r (id) where r.id is not null and $7 is null
         union all
         select null where c.level = 'brand' and $7 is null
         union all
         select p.retailer_id from app.connection_parts p
         where p.brand_id = $1 and p.connection_id = c.id and $7 is null
       ) r
       where c.brand_id = $1 and ($2::uuid is null or c.id = $2) and ($6::text is null or c.level = 'brand')
       returning retailer_id, day
     )
     select count(distinct (retailer_id, day)) filter (where day is not null) as days from marked`,
    [brandId, connectionId, timeZones, alsoRetailers, now, part, owners, cause],
  );
  return rows[0]?.days ?? 0;
}
