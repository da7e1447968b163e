/** What is promised of the snapshots of a brand, by its schedules, and what of it is broken. */
import type { Reader } from '../db/reader.ts';

export type SnapshotState = {
  brandId: string;
  brand: string;
  /** Of the newest complete snapshot with all rows. */
  snapshotAt: Date | null;
  /** Of the newest that has proved to restore. */
  provenAt: Date | null;
  provenLevel: number | null;
  recoverySeconds: string | null;
  isMissing: boolean;
  isUnproven: boolean;
  /** The newest that is damaged. */
  damaged: string | null;
  /** Why the last drill failed, or the last reading of older files, and of which snapshot; null if neither did. */
  failure: string | null;
  failedSnapshot: string | null;
};

export const SNAPSHOT_HOURS = 26;
export const PROOF_HOURS = 48;

const STATES = `
  select b.id as "brandId", b.slug as brand, l.at as "snapshotAt", p.at as "provenAt", p.level as "provenLevel",
         t.seconds as "recoverySeconds", d.id as damaged,
         coalesce(m.since, 'infinity') < $2::timestamptz - interval '${SNAPSHOT_HOURS} hours'
           and coalesce(l.at, '-infinity') < $2::timestamptz - interval '${SNAPSHOT_HOURS} hours' as "isMissing",
         coalesce(v.since, 'infinity') < $2::timestamptz - interval '${PROOF_HOURS} hours'
           and coalesce(p.at, '-infinity') < $2::timestamptz - interval '${PROOF_HOURS} hours' as "isUnproven",
         case when f.outcome is not null then coalesce(f.error_message, 'its process ended before it') end as failure,
         f.snapshot_id as "failedSnapshot"
  from app.brands b
  left join lateral (
    select min(created_at) as since from ops.schedules
    where brand_id = b.id and task = 'snapshot' and coalesce(payload ->> 'scope', 'all') = 'all') m on true
  left join lateral (select min(created_at) as since from ops.schedules where brand_id = b.id and task = 'snapshot_drill') v on true
  left join lateral (
    select created_at as at from ops.snapshots where brand_id = b.id and state = 'complete' and scope = 'all'
    order by created_at desc limit 1) l on true
  left join lateral (
    select created_at as at, verified_level as level from ops.snapshots
    where brand_id = b.id and state = 'complete' and verified_level >= 3 order by created_at desc limit 1) p on true
  left join lateral (
    select id from ops.snapshots where brand_id = b.id and state = 'damaged' order by created_at desc, id limit 1) d on true
  left join lateral (
    select * from (
      select distinct on (kind) kind, outcome, error_message, snapshot_id from ops.snapshot_runs
      where brand_id = b.id and (kind = 'verify' and level >= 3 or kind = 'sample') and finished_at is not null
        and error_code is distinct from 'NS_SNAPSHOT_OTHER_SCHEMA' -- of before a migration: the next one proves itself
      order by kind, started_at desc) l
    where outcome <> 'succeeded' order by kind desc limit 1) f on true
  left join lateral (
    select tally ->> 'recovery_seconds' as seconds from ops.snapshot_runs
    where brand_id = b.id and kind = 'verify' and level >= 3 and outcome = 'succeeded' order by started_at desc limit 1) t on true
  where b.removing_at is null and ($1::uuid is null or b.id = $1)
  order by b.slug limit $3`;

/** Of one brand, or of all. */
export async function snapshotStates(
  db: Reader,
  { brandId, now, max }: { brandId?: string; now: Date; max: number },
): Promise<SnapshotState[]> {
  return (await db.query<SnapshotState>(STATES, [brandId ?? null, now, max])).rows;
}

export type SnapshotPromise = { promise: string; broken: { cause: string; hint: string } | null };

export function promisesOf(state: SnapshotState): SnapshotPromise[] {
  const { brand, snapshotAt, provenAt, isMissing, isUnproven, damaged, failure, failedSnapshot } = state;
  const since = (at: Date | null) => (at === null ? 'there is none' : `the newest is of ${at.toISOString()}`);
  const broken = (is: boolean, cause: string, hint: string) => (is ? { cause, hint } : null);
  return [
    {
      promise: `a snapshot of the last ${SNAPSHOT_HOURS} hours is complete`,
      broken: broken(isMissing, since(snapshotAt), `npx nightshift snapshots create --brand ${brand} --wait`),
    },
    {
      promise: `a snapshot of the last ${PROOF_HOURS} hours has proved to restore`,
      broken: broken(
        isUnproven,
        since(provenAt),
        `npx nightshift snapshots verify --latest --brand ${brand} --level 3`,
      ),
    },
    {
      promise: 'no snapshot is damaged',
      broken: broken(damaged !== null, `${damaged} is damaged`, `npx nightshift snapshots show ${damaged}`),
    },
    {
      promise: 'the last drill of a snapshot succeeded',
      broken: broken(
        failure !== null,
        failure ?? '',
        `npx nightshift snapshots verify ${failedSnapshot} --level 3`,
      ),
    },
  ];
}
