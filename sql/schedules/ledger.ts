/** The ledger of slots: each that has passed, once, with what became of it. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Decided } from './decide.ts';
import type { Schedule } from './schedules.ts';

/** Writes outcomes into the ledger. Gives the slots that were not in it, with their days, in order. */
export async function recordSlots(
  tx: Tx,
  { id, brandId, version, versionZone }: Schedule,
  decided: readonly Decided[],
  by: string,
): Promise<{ at: Date; localDay: string; outcome: Decided['outcome'] }[]> {
  const values = [
    ...[brandId, id, version, versionZone],
    decided.map(({ at }) => at),
    decided.map(({ outcome }) => outcome),
    decided.map(({ detail }) => detail ?? null),
    by,
  ];
  const { rows } = await tx.query<{ at: Date; localDay: string; outcome: Decided['outcome'] }>({
    ...{ name: 'record slots', text: RECORD, values },
  });
  return rows;
}

const RECORD = `
  with written as (
    insert into ops.schedule_slots
      (brand_id, schedule_id, slot, version, local_day, outcome, detail, decided_at, decided_by)
    select $1, $2, d.slot, $3, (d.slot at time zone $4)::date, d.outcome, d.detail, clock_timestamp(), $8
    from unnest($5::timestamptz[], $6::text[], $7::text[]) as d (slot, outcome, detail)
    on conflict do nothing
    returning slot, local_day, outcome)
  select slot as at, local_day as "localDay", outcome from written order by slot`;

/** What became of the job of a slot that should fire. */
export async function settleSlot(
  tx: Tx,
  id: number,
  slot: Date,
  { jobId, error }: { jobId?: string; error?: string },
): Promise<void> {
  const values = [id, slot, error === undefined ? 'queued' : 'failed', jobId ?? null, error ?? null];
  await tx.query({ ...SETTLE, values });
}

const SETTLE = {
  name: 'settle slot',
  text: 'update ops.schedule_slots set outcome = $3, job_id = $4, detail = $5 where schedule_id = $1 and slot = $2',
};

/** The job of the last slot that fired, while it waits, runs or is held. */
export async function activeJob(tx: Tx, id: number): Promise<{ jobId: string; state: string } | undefined> {
  const { rows: fired } = await tx.query<{ jobId: string }>({ ...LAST_JOB, values: [id] });
  const [last] = fired;
  if (last === undefined) return undefined;
  const { rows } = await tx.query<{ state: string }>({ ...STATE_OF_JOB, values: [last.jobId] });
  const state = rows[0]?.state;
  return state === undefined || state === 'dead' ? undefined : { ...last, state };
}

const LAST_JOB = {
  name: 'last job of schedule',
  text: `
    select job_id::text as "jobId" from ops.schedule_slots
    where schedule_id = $1 and outcome in ('queued', 'failed') and job_id is not null
    order by slot desc limit 1`,
};
const STATE_OF_JOB = { name: 'state of job', text: 'select state from ops.jobs where job_id = $1' };

/** Slots that fired lately; an unfinished job says nothing yet, and a cancelled one never does. */
const FIRED_LOOKED_AT = 200;

/** How many of the latest slots that fired failed, one after another: no job was made, or it is dead. */
export async function failuresInARow(tx: Tx, id: number): Promise<number> {
  const { rows } = await tx.query<{ failed: boolean }>(
    `select distinct on (f.slot) f.failed
     from (
       select case when s.job_id is null then s.slot else min(s.slot) over (partition by s.job_id) end as slot,
              s.outcome = 'failed' or r.outcome = 'dead' as failed
       from (
         select slot, outcome, job_id from ops.schedule_slots
         where schedule_id = $1 and outcome in ('queued', 'failed')
           and slot > coalesce((select resumed_at from ops.schedules where id = $1), '-infinity')
         order by slot desc limit ${FIRED_LOOKED_AT}) s
       left join lateral (
         select r.outcome from ops.job_runs r where r.job_id = s.job_id order by r.id desc limit 1) r on true
       where s.outcome = 'failed' or r.outcome in ('succeeded', 'partial', 'dead')) f
     order by f.slot desc`,
    [id],
  );
  const firstSuccess = rows.findIndex(({ failed }) => !failed);
  return firstSuccess < 0 ? rows.length : firstSuccess;
}

/** The latest slots that a pause has kept from firing, oldest first, and how many there are besides. */
export async function pausedSlots(
  tx: Tx,
  id: number,
  { since, max }: { since: Date; max: number },
): Promise<{ slots: { at: Date; localDay: string }[]; left: number }> {
  const { rows: slots } = await tx.query<{ at: Date; localDay: string }>(
    `select slot as at, local_day as "localDay" from (
       select slot, local_day from ops.schedule_slots
       where schedule_id = $1 and outcome = 'paused' and slot > $2
       order by slot desc limit $3) latest
     order by slot`,
    [id, since, max],
  );
  const { rows } = await tx.query<{ n: number }>(
    `select count(*)::int as n from ops.schedule_slots
     where schedule_id = $1 and outcome = 'paused' and slot > $2`,
    [id, since],
  );
  return { slots, left: (rows[0]?.n ?? 0) - slots.length };
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
