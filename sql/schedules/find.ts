/** Schedules as people name them: by number, or by name and whose they are. */
import { coded } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';
import type { Reader } from '../db/reader.ts';

export type ScheduleRow = {
  id: number;
  brandId: string | null;
  brand: string | null;
  connection: string | null;
  name: string;
  task: string;
  payload: Record<string, unknown>;
  expression: string;
  timeZone: string;
  catchUp: string;
  catchUpMax: number;
  overlap: string;
  excludedDays: string[];
  pauseAfterFailures: number | null;
  nextSlot: Date | null;
  lastSlot: Date | null;
  lastOutcome: string | null;
  lastJob: string | null;
  pausedAt: Date | null;
  pausedUntil: Date | null;
  pausedBy: string | null;
  pausedReason: string | null;
};

export type ScheduleFilter = {
  id?: number | undefined;
  name?: string | undefined;
  /** Slugs. */
  brand?: string | undefined;
  connection?: string | undefined;
};

export class ScheduleNotFound extends coded('NS_SCHEDULE_NOT_FOUND') {
  constructor(what: string, name: string, known: readonly string[] = []) {
    const there = known.length > 0 ? ` There are: ${known.join(', ')}.` : '';
    super(`There is no ${what} ${quote(name)}.${there}`, { hint: 'npx nightshift schedules list' });
  }
}

export class ScheduleAmbiguous extends coded('NS_SCHEDULE_AMBIGUOUS') {
  constructor(name: string, found: readonly ScheduleRow[]) {
    const owners = found.map(({ id, brand, connection }) => `${id} (${ownerText({ brand, connection })})`);
    super(`Several schedules are called ${quote(name)}: ${owners.slice(0, 10).join(', ')}.`, {
      hint: 'Name one by its number, or add --brand and --connection.',
    });
  }
}

export function ownerText({ brand, connection }: Pick<ScheduleRow, 'brand' | 'connection'>): string {
  return [brand ?? 'platform', connection].filter(Boolean).join('/');
}

export const SCHEDULES_MAX = 1_000;

/** By brand, connection and name; the platform's own first. One over the limit says that there are more. */
export async function listSchedules(db: Reader, filter: ScheduleFilter = {}): Promise<ScheduleRow[]> {
  const { id, name, brand, connection } = filter;
  const { rows } = await db.query<ScheduleRow>(LIST, [
    id ?? null,
    name ?? null,
    brand ?? null,
    connection ?? null,
  ]);
  return rows;
}

const LIST = `
  select s.id, s.brand_id as "brandId", b.slug as brand, c.name as connection, s.name, s.task, s.payload, s.expression,
         coalesce(s.time_zone, b.time_zone, 'UTC') as "timeZone", s.catch_up as "catchUp",
         s.catch_up_max as "catchUpMax", s.overlap, s.excluded_days::text[] as "excludedDays",
         s.pause_after_failures as "pauseAfterFailures", s.next_slot as "nextSlot", l.slot as "lastSlot",
         l.outcome as "lastOutcome", l.job_id::text as "lastJob", s.paused_at as "pausedAt",
         s.paused_until as "pausedUntil", s.paused_by as "pausedBy", s.paused_reason as "pausedReason"
  from ops.schedules s
  left join app.brands b on b.id = s.brand_id
  left join app.connections c on c.brand_id = s.brand_id and c.id = s.connection_id
  left join lateral (
    select * from ops.schedule_slots l where l.schedule_id = s.id order by l.slot desc limit 1) l on true
  where ($1::bigint is null or s.id = $1) and ($2::text is null or s.name = $2)
    and ($3::text is null or b.slug = $3) and ($4::text is null or c.name = $4)
  order by b.slug nulls first, c.name nulls first, s.name
  limit ${SCHEDULES_MAX + 1}`;

/** Of the schedules of that owner. */
async function namesOf(db: Reader, { brand, connection }: ScheduleFilter): Promise<string[]> {
  const all = await listSchedules(db, { brand, connection });
  return [...new Set(all.map(({ name }) => name))].sort().slice(0, NAMES_MAX);
}
const NAMES_MAX = 20;

/** One, or an error that says which there are. */
export async function findSchedule(db: Reader, filter: ScheduleFilter): Promise<ScheduleRow> {
  const found = await listSchedules(db, filter);
  const [first] = found;
  const said = String(filter.id ?? filter.name ?? '');
  if (first === undefined) throw new ScheduleNotFound('schedule', said, await namesOf(db, filter));
  if (found.length > 1) throw new ScheduleAmbiguous(said, found);
  return first;
}
