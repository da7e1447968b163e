/** Schedules as they are stored, and the ledger of their slots. `ops.schedules` says what each field is for. */
import type { Db, Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Decided, Policy } from './decide.ts';
import { slotsOf } from './expression.ts';

export type Owner = { brandId: string | null; connectionId: string | null };

export type Schedule = Owner &
  Policy & {
    id: number;
    name: string;
    task: string;
    payload: Record<string, unknown>;
    expression: string;
    /** As it is now. */
    timeZone: string;
    /** As it was when the version began: that of the slots which are not decided yet. */
    versionZone: string;
    excludedDays: string[];
    pauseAfterFailures: number | null;
    version: number;
    decidedTo: Date;
    pausedAt: Date | null;
    pausedUntil: Date | null;
  };

const COLUMNS = `
  s.id, s.brand_id as "brandId", s.connection_id as "connectionId", s.name, s.task, s.payload, s.expression,
  coalesce(s.time_zone, b.time_zone, 'UTC') as "timeZone", v.time_zone as "versionZone", s.catch_up as "catchUp",
  s.catch_up_max as "catchUpMax", s.overlap, s.excluded_days::text[] as "excludedDays",
  s.pause_after_failures as "pauseAfterFailures", s.version, s.decided_to as "decidedTo", s.paused_at as "pausedAt",
  s.paused_until as "pausedUntil"`;
const TABLES = `
  ops.schedules s
  join ops.schedule_versions v on v.schedule_id = s.id and v.version = s.version
  left join app.brands b on b.id = s.brand_id`;

/** By the clock of the database, which all schedulers share. */
export async function databaseTime(db: Reader): Promise<Date> {
  const { rows } = await db.query<{ at: Date }>('select clock_timestamp() as at');
  return rows[0]?.at ?? new Date(Number.NaN);
}

/** Those that have a slot to decide, the most late first. */
export async function dueSchedules(db: Db, now: Date, max: number): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(DUE, [now, max]);
  return rows.map(({ id }) => id);
}

const DUE = {
  name: 'due schedules',
  text: 'select id from ops.schedules where next_slot <= $1 order by next_slot, id limit $2',
};

/** Locked until the transaction ends; undefined if it is gone, or another scheduler has it in hand. */
export async function lockSchedule(
  tx: Tx,
  id: number,
  { wait }: { wait: boolean },
): Promise<Schedule | undefined> {
  const { rows } = await tx.query<Schedule>(
    `select ${COLUMNS} from ${TABLES} where s.id = $1 for update of s ${wait ? '' : 'skip locked'}`,
    [id],
  );
  return rows[0];
}

/** Writes outcomes into the ledger. Gives the slots that were not in it, with their days, in order. */
export async function recordSlots(
  tx: Tx,
  { id, brandId, version, versionZone }: Schedule,
  decided: readonly Decided[],
  by: string,
): Promise<{ at: Date; localDay: string; outcome: Decided['outcome'] }[]> {
  const { rows } = await tx.query<{ at: Date; localDay: string; outcome: Decided['outcome'] }>(RECORD, [
    brandId,
    id,
    version,
    versionZone,
    decided.map(({ at }) => at),
    decided.map(({ outcome }) => outcome),
    decided.map(({ detail }) => detail ?? null),
    by,
  ]);
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
  await tx.query(
    `update ops.schedule_slots set outcome = $3, job_id = $4, detail = $5 where schedule_id = $1 and slot = $2`,
    [id, slot, error === undefined ? 'queued' : 'failed', jobId ?? null, error ?? null],
  );
}

/** Each slot up to an instant is in the ledger now. */
export async function advance(tx: Tx, schedule: Schedule, decidedTo: Date): Promise<void> {
  const next = slotsOf(schedule.expression, schedule.versionZone).after(decidedTo);
  await tx.query('update ops.schedules set decided_to = $2, next_slot = $3 where id = $1', [
    schedule.id,
    decidedTo,
    next ?? null,
  ]);
}

/** From an instant on the schedule has another expression or zone. Everything up to then must be decided. */
export async function beginVersion(
  tx: Tx,
  { id, brandId, version }: Pick<Schedule, 'id' | 'brandId' | 'version'>,
  { expression, timeZone, at, by }: { expression: string; timeZone: string; at: Date; by: string },
): Promise<void> {
  const next = slotsOf(expression, timeZone).after(at);
  await tx.query('update ops.schedule_versions set ends_at = $3 where schedule_id = $1 and version = $2', [
    id,
    version,
    at,
  ]);
  await tx.query(
    `insert into ops.schedule_versions (brand_id, schedule_id, version, expression, time_zone, begins_at, changed_by)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [brandId, id, version + 1, expression, timeZone, at, by],
  );
  await tx.query(
    `update ops.schedules set expression = $2, version = $3, decided_to = $4, next_slot = $5 where id = $1`,
    [id, expression, version + 1, at, next ?? null],
  );
}

/** Whether the job of the last slot that fired is still on the queue, waiting, running or held; else null. */
export async function activeJob(tx: Tx, id: number): Promise<{ jobId: string; state: string } | undefined> {
  const { rows } = await tx.query<{ jobId: string; state: string }>(
    `select j.job_id::text as "jobId", j.state from ops.jobs j
     where j.state <> 'dead' and j.job_id = (
       select job_id from ops.schedule_slots where schedule_id = $1 and job_id is not null order by slot desc limit 1)`,
    [id],
  );
  return rows[0];
}

/** How many of the latest slots that should fire failed, one after another: no job was made, or it is dead. */
export async function failuresInARow(tx: Tx, id: number, max: number): Promise<number> {
  const { rows } = await tx.query<{ failed: boolean }>(
    `select s.outcome = 'failed' or coalesce((
       select r.outcome = 'dead' from ops.job_runs r where r.job_id = s.job_id order by r.id desc limit 1), false) as failed
     from ops.schedule_slots s
     where s.schedule_id = $1 and s.outcome in ('queued', 'failed')
       and s.slot > coalesce((select resumed_at from ops.schedules where id = $1), '-infinity')
     order by s.slot desc limit $2`,
    [id, max],
  );
  const firstSuccess = rows.findIndex(({ failed }) => !failed);
  return firstSuccess < 0 ? rows.length : firstSuccess;
}

export async function markPaused(
  tx: Tx,
  id: number,
  { at, until, by, reason }: { at: Date; until?: Date | undefined; by: string; reason: string },
): Promise<void> {
  await tx.query(
    'update ops.schedules set paused_at = $2, paused_until = $3, paused_by = $4, paused_reason = $5 where id = $1',
    [id, at, until ?? null, by, reason],
  );
}

/** Every schedule of a brand and of its connections. */
export async function pauseAll(
  tx: Tx,
  brandId: string,
  { by, reason }: { by: string; reason: string },
): Promise<void> {
  await tx.query(
    `update ops.schedules set paused_at = clock_timestamp(), paused_by = $2, paused_reason = $3
     where brand_id = $1 and paused_at is null`,
    [brandId, by, reason],
  );
}

export async function markResumed(tx: Tx, id: number, at: Date): Promise<void> {
  await tx.query(
    `update ops.schedules
     set paused_at = null, paused_until = null, paused_by = null, paused_reason = null, resumed_at = $2
     where id = $1`,
    [id, at],
  );
}

/** With its ledger. Those of a brand go by their foreign keys; the platform's have no brand to go by. */
export async function deleteSchedule(tx: Tx, id: number): Promise<void> {
  await tx.query(
    'delete from ops.backfill_slots where backfill_id in (select id from ops.backfills where schedule_id = $1)',
    [id],
  );
  for (const table of ['backfills', 'schedule_slots', 'schedule_versions'])
    await tx.query(`delete from ops.${table} where schedule_id = $1`, [id]);
  await tx.query('delete from ops.schedules where id = $1', [id]);
}

/** What may be changed besides the expression; what is left out stays. */
export async function updatePolicy(tx: Tx, id: number, edit: Partial<NewSchedule>): Promise<void> {
  const columns = {
    time_zone: edit.timeZone,
    catch_up: edit.catchUp,
    catch_up_max: edit.catchUpMax,
    overlap: edit.overlap,
    excluded_days: edit.excludedDays,
    pause_after_failures: edit.pauseAfterFailures,
  };
  const given = Object.entries(columns).filter(([, value]) => value !== undefined);
  if (given.length === 0) return;
  const sets = given.map(([column], index) => `${column} = $${index + 2}`);
  await tx.query(`update ops.schedules set ${sets.join(', ')} where id = $1`, [
    id,
    ...given.map(([, value]) => value),
  ]);
}

export type NewSchedule = Owner &
  Policy & {
    name: string;
    task: string;
    payload: Record<string, unknown>;
    expression: string;
    /** Null: the zone of the brand, or UTC. */
    timeZone: string | null;
    excludedDays?: string[];
    pauseAfterFailures?: number | null;
  };

/** Its first slot is the first after `at`. Undefined if the owner has one of that name already. */
export async function insertSchedule(
  tx: Tx,
  schedule: NewSchedule,
  { at, by }: { at: Date; by: string },
): Promise<number | undefined> {
  const { brandId, connectionId, name, task, payload, expression, timeZone, ...policy } = schedule;
  const { rows: zones } = await tx.query<{ zone: string }>(
    `select coalesce($2::text, (select time_zone from app.brands where id = $1), 'UTC') as zone`,
    [brandId, timeZone],
  );
  const zone = zones[0]?.zone ?? 'UTC';
  const next = slotsOf(expression, zone).after(at);
  const { rows } = await tx.query<{ id: number }>(
    `insert into ops.schedules (brand_id, connection_id, name, task, payload, expression, time_zone, catch_up, catch_up_max,
       overlap, excluded_days, pause_after_failures, decided_to, next_slot)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
     on conflict do nothing returning id`,
    [
      ...[brandId, connectionId, name, task, payload, expression, timeZone],
      ...[policy.catchUp, policy.catchUpMax, policy.overlap, policy.excludedDays ?? []],
      ...[policy.pauseAfterFailures ?? null, at, next ?? null],
    ],
  );
  const id = rows[0]?.id;
  if (id === undefined) return undefined;
  await tx.query(
    `insert into ops.schedule_versions (brand_id, schedule_id, version, expression, time_zone, begins_at, changed_by)
     values ($1, $2, 1, $3, $4, $5, $6)`,
    [brandId, id, expression, zone, at, by],
  );
  return id;
}
