/** Reads the ledger of slots. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';

/** The latest slots that a pause has kept from firing, oldest first. */
export async function pausedSlots(
  tx: Tx,
  id: number,
  { since, max }: { since: Date; max: number },
): Promise<{ at: Date; localDay: string }[]> {
  const { rows } = await tx.query<{ at: Date; localDay: string }>(
    `select slot as at, local_day as "localDay" from (
       select slot, local_day from ops.schedule_slots
       where schedule_id = $1 and outcome = 'paused' and slot > $2
       order by slot desc limit $3) latest
     order by slot`,
    [id, since, max],
  );
  return rows;
}

export type LedgerRow = {
  slot: Date;
  local_day: string;
  local_time: string;
  outcome: string;
  detail: string | null;
  job_id: string | null;
  /** How the job stands, or ended. */
  job_state: string | null;
  decided_at: Date;
  decided_by: string;
};

/** Latest first. */
export async function readLedger(db: Reader, id: number, max: number): Promise<LedgerRow[]> {
  const { rows } = await db.query<LedgerRow>(
    `select l.slot, l.local_day, to_char(l.slot at time zone v.time_zone, 'YYYY-MM-DD HH24:MI') as local_time,
            l.outcome, l.detail, l.job_id::text,
            coalesce(j.state, (
              select r.outcome from ops.job_runs r where r.job_id = l.job_id order by r.id desc limit 1)) as job_state,
            l.decided_at, l.decided_by
     from ops.schedule_slots l
     join ops.schedule_versions v on v.schedule_id = l.schedule_id and v.version = l.version
     left join ops.jobs j on j.job_id = l.job_id
     where l.schedule_id = $1 order by l.slot desc limit $2`,
    [id, max],
  );
  return rows;
}
