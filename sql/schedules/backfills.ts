/** Slots of the past that fire again: planned and shown first, then run as they were shown. */
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '../db/pool.ts';
import { slotsOf } from './expression.ts';
import type { Schedule } from './schedules.ts';

export const BACKFILL_SLOTS_MAX = 10_000;

/**
 * `missing`: those that did not fire; `failed`: those whose job is dead; neither those of excluded days. What a
 * backfill has fired since counts as if the schedule had.
 */
export type Chosen = 'missing' | 'failed' | 'all';

export type BackfillPlan = {
  since: Date;
  until: Date;
  chosen: Chosen;
  newestFirst: boolean;
  /** Jobs of it on the queue at a time. */
  concurrency: number;
  by: string;
};

export class BackfillTooLarge extends coded('NS_BACKFILL_TOO_LARGE') {
  constructor() {
    super(`There are over ${BACKFILL_SLOTS_MAX} slots in that time.`, {
      hint: 'Plan it in parts, with --since and --until.',
    });
  }
}

type Version = { expression: string; timeZone: string; beginsAt: Date; endsAt: Date | null };

/** Stores what would fire, in order; gives the number of the plan. The schedule stays as it is. */
export async function planBackfill(tx: Tx, schedule: Schedule, plan: BackfillPlan): Promise<number> {
  const { since, until, chosen, newestFirst, concurrency, by } = plan;
  const slots = await slotsWithin(tx, schedule.id, since, until);
  const { rows } = await tx.query<{ id: number }>(
    `insert into ops.backfills
       (brand_id, schedule_id, since, until, chosen, newest_first, concurrency, planned_at, planned_by)
     values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8) returning id`,
    [schedule.brandId, schedule.id, since, until, chosen, newestFirst, concurrency, by],
  );
  const id = rows[0]?.id ?? Number.NaN;
  await tx.query(CHOOSE, [
    ...[schedule.brandId, id, schedule.id, slots.map(({ at }) => at), slots.map(({ timeZone }) => timeZone)],
    ...[schedule.excludedDays, chosen, newestFirst],
  ]);
  return id;
}

const CHOOSE = `
  insert into ops.backfill_slots (brand_id, backfill_id, position, slot, local_day)
  select $1, $2, row_number() over (order by case when $8 then c.slot end desc, c.slot), c.slot, c.local_day
  from (
    select w.slot, (w.slot at time zone w.zone)::date as local_day,
           case when k.job_id is null then l.outcome else 'queued' end as outcome,
           (select r.outcome from ops.job_runs r where r.job_id = coalesce(k.job_id, l.job_id) order by r.id desc limit 1) as ended
    from unnest($4::timestamptz[], $5::text[]) as w (slot, zone)
    left join ops.schedule_slots l on l.schedule_id = $3 and l.slot = w.slot
    left join lateral (
      select s.job_id from ops.backfills f join ops.backfill_slots s on s.backfill_id = f.id
      where f.schedule_id = $3 and s.slot = w.slot and s.job_id is not null order by f.id desc limit 1) k on true
  ) c
  where c.local_day <> all ($6::date[]) and c.outcome is distinct from 'excluded'
    and case $7 when 'all' then true
                when 'failed' then c.outcome = 'failed' or c.ended = 'dead'
                else c.outcome is distinct from 'queued' end`;

/** Each expression counts for its own time; the first one also for the time before it. */
async function slotsWithin(tx: Tx, id: number, since: Date, until: Date) {
  const { rows: versions } = await tx.query<Version>(
    `select expression, time_zone as "timeZone", begins_at as "beginsAt", ends_at as "endsAt"
     from ops.schedule_versions where schedule_id = $1 order by version`,
    [id],
  );
  const found: { at: Date; timeZone: string }[] = [];
  for (const [index, { expression, timeZone, beginsAt, endsAt }] of versions.entries()) {
    const from = index === 0 || beginsAt < since ? since : beginsAt;
    const to = endsAt === null || endsAt > until ? until : endsAt;
    const slots = slotsOf(expression, timeZone).between(from, to, BACKFILL_SLOTS_MAX + 1 - found.length);
    found.push(...slots.map((at) => ({ at, timeZone })));
    if (found.length > BACKFILL_SLOTS_MAX) throw new BackfillTooLarge();
  }
  return found;
}

export type Backfill = {
  id: number;
  scheduleId: number;
  concurrency: number;
  startedAt: Date | null;
  endedAt: Date | null;
};

const COLUMNS = `id, schedule_id as "scheduleId", concurrency, started_at as "startedAt", ended_at as "endedAt"`;

/** Locked until the transaction ends; undefined if there is none, or another scheduler has it in hand. */
export async function lockBackfill(
  tx: Tx,
  id: number,
  { wait }: { wait: boolean },
): Promise<Backfill | undefined> {
  const { rows } = await tx.query<Backfill>(
    `select ${COLUMNS} from ops.backfills where id = $1 for update ${wait ? '' : 'skip locked'}`,
    [id],
  );
  return rows[0];
}

export async function runningBackfills(db: Db): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    'select id from ops.backfills where started_at is not null and ended_at is null order by id limit 1000',
  );
  return rows.map(({ id }) => id);
}

/** How many of its jobs are on the queue, and the next slots without one. */
export async function backfillState(tx: Tx, { id, concurrency }: Backfill) {
  await tx.query(
    `update ops.backfill_slots s set is_over = true
     where s.backfill_id = $1 and not s.is_over and s.job_id is not null
       and not exists (select from ops.jobs j where j.job_id = s.job_id and j.state <> 'dead')`,
    [id],
  );
  const { rows: counted } = await tx.query<{ active: number }>(
    'select count(*)::int as active from ops.backfill_slots where backfill_id = $1 and not is_over and job_id is not null',
    [id],
  );
  const { rows: next } = await tx.query<{ position: number; at: Date; localDay: string }>(
    `select position, slot as at, local_day as "localDay" from ops.backfill_slots
     where backfill_id = $1 and not is_over and job_id is null order by position limit $2`,
    [id, concurrency],
  );
  return { active: counted[0]?.active ?? 0, next };
}

export async function settleBackfillSlot(
  tx: Tx,
  { id }: Backfill,
  position: number,
  { jobId, error }: { jobId?: string; error?: string },
): Promise<void> {
  await tx.query(
    'update ops.backfill_slots set job_id = $3, error = $4, is_over = $3::bigint is null where backfill_id = $1 and position = $2',
    [id, position, jobId ?? null, error ?? null],
  );
}

export async function startBackfill(tx: Tx, { id }: Backfill): Promise<void> {
  await tx.query('update ops.backfills set started_at = clock_timestamp() where id = $1', [id]);
}

export async function endBackfill(tx: Tx, { id }: Backfill): Promise<void> {
  await tx.query('update ops.backfills set ended_at = clock_timestamp() where id = $1', [id]);
}
