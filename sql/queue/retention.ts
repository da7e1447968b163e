/**
 * Deletes old records of the platform's own work in batches. Those by which brands see what was done are in
 * `sql/retention/brand_records.ts`.
 */
import type { Db, Tx } from '../db/pool.ts';

/** In days since the end. The audit log records what moved figures, so it is kept as long as books are. */
export const KEPT_DAYS = {
  workers: 90,
  audit_log: 3_650,
  schedule_slots: 365,
  backfills: 365,
  nights: 365,
  alerts: 365,
  failures: 365,
  // For so long a campaign reaches a recipient once.
  mail: 90,
} as const;

export type RecordName = keyof typeof KEPT_DAYS;
export const recordNames = Object.keys(KEPT_DAYS) as RecordName[];

/** How many records one transaction reads or deletes. */
export const BATCH_MAX = 5_000;

/** Before the instant `$1`, but never ahead of the clock of the database, which would delete recent records. */
const AT = 'least($1::timestamptz, now())';

function cutoff(name: RecordName): string {
  return `${AT} - interval '${KEPT_DAYS[name]} days'`;
}

// $1 is the instant.
const EXPIRED: Record<RecordName, string> = {
  workers: `r.ended_at < ${cutoff('workers')} and r.handed_back_at is not null`,
  audit_log: `r.at < ${cutoff('audit_log')}`,
  schedule_slots: `r.decided_at < ${cutoff('schedule_slots')}`,
  nights: `r.begun_at < ${cutoff('nights')}`,
  alerts: `r.resolved_at < ${cutoff('alerts')}`,
  // The counters of a group stay together, and as long as a job bears it.
  failures: `r.last_at < ${cutoff('failures')}
    and not exists (
      select from ops.failures n where n.failure_group = r.failure_group and n.last_at >= ${cutoff('failures')})
    and r.failure_group <> all (array(select failure_group from ops.jobs where failure_group is not null))`,
  // Nobody knows yet of those without an end.
  mail: `r.ended_at < ${cutoff('mail')}`,
  backfills: `r.planned_at < ${cutoff('backfills')} and (r.started_at is null or r.ended_at is not null)`,
};

export type Batch = { deleted: number; isLast: boolean; after: number };

export async function countExpired(db: Pick<Db, 'query'>, name: RecordName, now: Date): Promise<number> {
  const text = `select count(*) as n from ops.${name} r where ${EXPIRED[name]}`;
  const { rows } = await db.query<{ n: number }>(text, [now]);
  return rows[0]?.n ?? 0;
}

/** What somebody is changing stays until the next time. */
export async function deleteRecords(tx: Tx, name: RecordName, now: Date): Promise<Batch> {
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
