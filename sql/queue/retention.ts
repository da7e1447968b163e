/**
 * Deletes old records of the platform's own work in batches, oldest first. Records that are still needed stay at any
 * age: unfinished runs, runs of jobs on the queue, and for each kind of work (a stream of a connection, the rollup of
 * a retailer) the last run that ended and the last one that succeeded.
 */
import type { Db, Tx } from '../db/pool.ts';

/** In days since the end. The audit log records what moved figures, so it is kept as long as books are. */
export const KEPT_DAYS = {
  job_runs: 365,
  workers: 90,
  audit_log: 3_650,
  schedule_slots: 365,
  backfills: 365,
  nights: 365,
  alerts: 365,
  failures: 365,
  restatements: 365,
  // Longer than any provider repeats a delivery, and no longer: they contain personal data.
  webhook_deliveries: 7,
  // For so long a campaign reaches a recipient once.
  mail: 90,
} as const;

export type RecordName = keyof typeof KEPT_DAYS;
export const recordNames = Object.keys(KEPT_DAYS) as RecordName[];

/** How many records one transaction reads or deletes. */
export const BATCH_MAX = 5_000;

/** Before the instant `$1`, but never ahead of the clock of the database, which would delete recent records. */
function cutoff(name: RecordName): string {
  return `least($1::timestamptz, now()) - interval '${KEPT_DAYS[name]} days'`;
}

// $1 is the instant; for runs $2 lists those that stay.
const EXPIRED: Record<RecordName, string> = {
  job_runs: `r.finished_at < ${cutoff('job_runs')} and r.id <> all ($2::bigint[])
    and not exists (select from ops.jobs j where j.job_id = r.job_id)`,
  workers: `r.ended_at < ${cutoff('workers')} and r.handed_back_at is not null`,
  audit_log: `r.at < ${cutoff('audit_log')}`,
  schedule_slots: `r.decided_at < ${cutoff('schedule_slots')}`,
  nights: `r.begun_at < ${cutoff('nights')}`,
  alerts: `r.resolved_at < ${cutoff('alerts')}`,
  restatements: `r.restated_at < ${cutoff('restatements')}`,
  // The counters of a group stay together, and as long as a job bears it.
  failures: `r.last_at < ${cutoff('failures')}
    and not exists (
      select from ops.failures n where n.failure_group = r.failure_group and n.last_at >= ${cutoff('failures')})
    and r.failure_group <> all (array(select failure_group from ops.jobs where failure_group is not null))`,
  webhook_deliveries: `r.received_at < ${cutoff('webhook_deliveries')}
    and (r.rows_of is null or r.loaded_at is not null)
    and (r.relay is distinct from 'waiting' or r.received_at < ${cutoff('webhook_deliveries')} - interval '7 days')`,
  // Nobody knows yet of those without an end.
  mail: `r.ended_at < ${cutoff('mail')}`,
  backfills: `r.planned_at < ${cutoff('backfills')} and (r.started_at is null or r.ended_at is not null)`,
};

export type Batch = { deleted: number; isLast: boolean; after: number };

/** The old runs that stay. Read once for all batches, because newer runs are not old. */
export async function readLastRuns(db: Pick<Db, 'query'>): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(LAST_RUNS);
  return rows.map(({ id }) => id);
}

const LAST_RUNS = `
  with last as (
    select max(id) as ended, max(id) filter (where outcome in ('succeeded', 'partial')) as succeeded
    from ops.job_runs where finished_at is not null
    group by task, brand_id, connection_id, payload ->> 'stream', payload ->> 'retailerId'
  )
  select ended as id from last union select succeeded from last where succeeded is not null`;

export async function countExpired(db: Pick<Db, 'query'>, name: RecordName, now: Date): Promise<number> {
  const values = name === 'job_runs' ? [now, await readLastRuns(db)] : [now];
  const text = `select count(*) as n from ops.${name} r where ${EXPIRED[name]}`;
  const { rows } = await db.query<{ n: number }>(text, values);
  return rows[0]?.n ?? 0;
}

/** The next batch of runs. Runs are numbered as they begin, so after a batch without old runs there are none. */
export async function deleteRuns(
  tx: Tx,
  now: Date,
  lastRuns: readonly number[],
  after: number,
): Promise<Batch> {
  const { rows } = await tx.query<{ deleted: number; old: number; last: number | null }>(
    `with batch as (
       select max(id) as last, count(*) filter (where started_at < ${cutoff('job_runs')}) as old
       from (select id, started_at from ops.job_runs where id > $3 order by id limit ${BATCH_MAX}) b
     ), deleted as (
       delete from ops.job_runs r using batch
       where r.id > $3 and r.id <= batch.last and ${EXPIRED.job_runs} returning 1
     )
     select (select count(*) from deleted) as deleted, old, last from batch`,
    [now, lastRuns, after],
  );
  const { deleted = 0, old = 0, last = null } = rows[0] ?? {};
  return { deleted, isLast: old === 0, after: last ?? after };
}

/** What somebody is changing stays until the next time. */
export async function deleteOthers(tx: Tx, name: Exclude<RecordName, 'job_runs'>, now: Date): Promise<Batch> {
  const { rowCount } = await tx.query(
    `delete from ops.${name} where ctid = any (array(
       select ctid from ops.${name} r where ${EXPIRED[name]} limit ${BATCH_MAX} for update skip locked))`,
    [now],
  );
  const deleted = rowCount ?? 0;
  return { deleted, isLast: deleted < BATCH_MAX, after: 0 };
}

/** Slots of deleted backfills: those of brands go by their foreign key, which the platform's do not have. */
export async function deleteSlotsOfNoBackfill(tx: Tx): Promise<void> {
  await tx.query(
    `delete from ops.backfill_slots s
     where s.brand_id is null and not exists (select from ops.backfills f where f.id = s.backfill_id)`,
  );
}

/** What people said of groups whose counters are deleted. */
export async function deleteWordsOfNoFailure(tx: Tx): Promise<void> {
  await tx.query(
    `delete from ops.failure_triage t
     where not exists (select from ops.failures f where f.failure_group = t.failure_group)`,
  );
}
