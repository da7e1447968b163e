/** Schedules as they are stored: `ops.schedules` says what each field is for. */
import type { Db, Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Policy } from './decide.ts';
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

/**
 * Those of which nobody would see that something is to be decided: their zone has changed, or the clock of the
 * database was ahead and they are decided up to an instant to come. Reads all of them: for now and then.
 */
export async function askewSchedules(db: Db, now: Date, max: number): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `select s.id from ${TABLES}
     where v.time_zone <> coalesce(s.time_zone, b.time_zone, 'UTC') or s.decided_to > $1::timestamptz + interval '5 minutes'
     order by s.id limit $2`,
    [now, max],
  );
  return rows.map(({ id }) => id);
}

/** Takes back what was decided of slots to come, but for those that have fired. */
export async function decideAgain(tx: Tx, schedule: Schedule, now: Date): Promise<void> {
  await tx.query('delete from ops.schedule_slots where schedule_id = $1 and slot > $2 and job_id is null', [
    schedule.id,
    now,
  ]);
  await advance(tx, schedule, now);
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
  const { rows: locked } = await tx.query({ ...(wait ? LOCK : LOCK_IF_FREE), values: [id] });
  if (locked.length === 0) return undefined;
  // By a statement of its own: one that had to wait would join the new row with the old version.
  const { rows } = await tx.query<Schedule>({ ...READ, values: [id] });
  return rows[0];
}

// A session parses and plans these once: thousands of schedules may come due at the same minute.
const LOCK = { name: 'lock schedule', text: 'select from ops.schedules where id = $1 for update' };
const LOCK_IF_FREE = { name: 'lock free schedule', text: `${LOCK.text} skip locked` };
const READ = { name: 'read schedule', text: `select ${COLUMNS} from ${TABLES} where s.id = $1` };
const ADVANCE = {
  name: 'advance schedule',
  text: 'update ops.schedules set decided_to = $2, next_slot = $3 where id = $1',
};

/** Each slot up to an instant is in the ledger now. */
export async function advance(tx: Tx, schedule: Schedule, decidedTo: Date): Promise<void> {
  const next = slotsOf(schedule.expression, schedule.versionZone).after(decidedTo);
  await tx.query({ ...ADVANCE, values: [schedule.id, decidedTo, next ?? null] });
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
