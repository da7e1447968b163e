/**
 * Deletes old records of what was done for a brand, by its own rules. Runs that are still needed stay at any age: those that
 * go on, those of jobs on the queue, and for each kind of work (a stream of a connection, the rollup of a retailer) the last one
 * that ended and the last one that succeeded. The platform is a brand of its own: null, with the usual rules.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { BATCH_MAX, type Batch } from '../queue/retention.ts';

type RecordRule = {
  rule: string;
  /** What their age is counted from; an index leads to those of a brand in this order. */
  since: string;
  /** They are of persons, so none stays a day longer than its rule says. */
  isDaily?: boolean;
  /** Without it a record is still needed, at any age. */
  isDone?: string;
};

const RECORDS = {
  restatements: { rule: 'restatements', since: 'restated_at' },
  snapshot_runs: { rule: 'job_runs', since: 'finished_at' },
  webhook_deliveries: {
    ...{ rule: 'webhook_bodies', since: 'received_at', isDaily: true },
    // The first condition is that of the index `deliveries_by_age`.
    isDone: `(r.rows_of is null or r.loaded_at is not null)
      and (r.relay is distinct from 'waiting' or r.received_at < $2 - interval '7 days')`,
  },
} as const satisfies Record<string, RecordRule>;

export type BrandRecord = keyof typeof RECORDS;
export const brandRecords = Object.keys(RECORDS) as BrandRecord[];
const ruleOf = (name: BrandRecord): RecordRule => RECORDS[name];
export const dailyRecords = brandRecords.filter((name) => ruleOf(name).isDaily);

type Owner = { brandId: string | null };

/** Never ahead of the clock of the database, which would delete recent records. */
export async function cutoffOf(db: Reader, { brandId }: Owner, rule: string, now: Date): Promise<Date> {
  const { rows } = await db.query<{ at: Date }>(
    `select least($3::timestamptz, now()) - make_interval(days => coalesce(
       (select kept from ops.retention where brand_id = $1 and rule = $2),
       (select usual from ops.retention_rules where rule = $2))) as at`,
    [brandId, rule, now],
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError('a statement that returns a row returned none');
  return row.at;
}

/** `$1` is the brand, `$2` the cutoff. */
const EXPIRED = ({ since, isDone = 'true' }: RecordRule) =>
  `r.brand_id = $1 and r.${since} < $2 and ${isDone}`;

/** The next batch, oldest first: `after` is the instant in ms up to which all were looked at, so that none is read twice. */
export async function deleteOfBrand(
  tx: Tx,
  name: BrandRecord,
  { brandId, now, after }: Owner & { now: Date; after: number },
): Promise<Batch> {
  const record = ruleOf(name);
  const { rows } = await tx.query<{ deleted: number; last: number | null }>(
    `with gone as (
       delete from ops.${name} where ctid = any (array(
         select ctid from ops.${name} r
         where ${EXPIRED(record)} and r.${record.since} >= to_timestamp($3::float8 / 1000)
         order by r.${record.since} limit ${BATCH_MAX} for update skip locked))
       returning ${record.since} as since
     )
     select count(*) as deleted, floor(extract(epoch from max(since)) * 1000)::float8 as last from gone`,
    [brandId, await cutoffOf(tx, { brandId }, record.rule, now), after],
  );
  const { deleted = 0, last = null } = rows[0] ?? {};
  return { deleted, isLast: deleted < BATCH_MAX, after: last ?? after };
}

/** `$1` is the brand, `$2` the cutoff, `$3` the runs that stay. */
const RUN_EXPIRED = `r.finished_at < $2 and r.id <> all ($3::bigint[])
  and not exists (select from ops.jobs j where j.job_id = r.job_id)`;

/** An index leads to the runs of a brand, and of none. */
const isOf = (brandId: string | null) =>
  brandId === null ? 'r.brand_id is null and $1::uuid is null' : 'r.brand_id = $1';

export type OldRuns = Owner & {
  cutoff: Date;
  /** Read once for all batches, because newer runs are not old. */
  lastRuns: readonly number[];
  /** Null for runs of no connection. */
  connections: readonly (string | null)[];
};

export async function readOldRuns(db: Reader, { brandId, now }: Owner & { now: Date }): Promise<OldRuns> {
  const cutoff = await cutoffOf(db, { brandId }, 'job_runs', now);
  const { rows: last } = await db.query<{ id: number }>(
    `with last as (
       select max(id) as ended, max(id) filter (where outcome in ('succeeded', 'partial')) as succeeded
       from ops.job_runs r where finished_at is not null and ${isOf(brandId)}
       group by task, connection_id, payload ->> 'stream', payload ->> 'retailerId'
     )
     select ended as id from last union select succeeded from last where succeeded is not null`,
    [brandId],
  );
  const { rows: connections } = await db.query<{ id: string | null }>(
    `select distinct connection_id as id from ops.job_runs r where ${isOf(brandId)} order by 1`,
    [brandId],
  );
  return {
    brandId,
    cutoff,
    lastRuns: last.map(({ id }) => id),
    connections: connections.map(({ id }) => id),
  };
}

/** The next batch of a connection. Runs are numbered as they begin, so after a batch without old runs there are none. */
export async function deleteRuns(
  tx: Tx,
  { brandId, cutoff, lastRuns }: OldRuns,
  connectionId: string | null,
  after: number,
): Promise<Batch> {
  const ofConnection =
    connectionId === null ? 'r.connection_id is null and $4::uuid is null' : 'r.connection_id = $4';
  const { rows } = await tx.query<{ deleted: number; old: number; last: number | null }>(
    `with batch as (
       select max(id) as last, count(*) filter (where started_at < $2) as old
       from (select id, started_at from ops.job_runs r
             where ${isOf(brandId)} and ${ofConnection} and r.id > $5 order by id limit ${BATCH_MAX}) b
     ), deleted as (
       delete from ops.job_runs r using batch
       where ${isOf(brandId)} and ${ofConnection} and r.id > $5 and r.id <= batch.last and ${RUN_EXPIRED} returning 1
     )
     select (select count(*) from deleted) as deleted, old, last from batch`,
    [brandId, cutoff, lastRuns, connectionId, after],
  );
  const { deleted = 0, old = 0, last = null } = rows[0] ?? {};
  return { deleted, isLast: old === 0, after: last ?? after };
}

/** What the next run would delete, of runs of jobs too. */
export async function countExpiredOf(
  db: Reader,
  { brandId, now }: Owner & { now: Date },
): Promise<Record<BrandRecord | 'job_runs', number>> {
  const { cutoff, lastRuns } = await readOldRuns(db, { brandId, now });
  const counts = {
    job_runs: await countOf(db, `ops.job_runs r where ${isOf(brandId)} and ${RUN_EXPIRED}`, [
      ...[brandId, cutoff, lastRuns],
    ]),
    restatements: 0,
    snapshot_runs: 0,
    webhook_deliveries: 0,
  };
  for (const name of brandRecords) {
    const record = ruleOf(name);
    const values = [brandId, await cutoffOf(db, { brandId }, record.rule, now)];
    counts[name] = await countOf(db, `ops.${name} r where ${EXPIRED(record)}`, values);
  }
  return counts;
}

async function countOf(db: Reader, from: string, values: unknown[]): Promise<number> {
  const { rows } = await db.query<{ n: number }>(`select count(*) as n from ${from}`, values);
  return rows[0]?.n ?? 0;
}
