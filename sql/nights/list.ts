/** Nights for those who look. */
import type { Reader } from '../db/reader.ts';
import type { Digest } from './digest.ts';
import type { NightState } from './nights.ts';

export type NightRow = {
  brand_id: string;
  brand: string;
  day: string;
  state: NightState;
  begun_at: Date;
  synced_at: Date | null;
  computed_at: Date | null;
  judged_at: Date | null;
  completed_at: Date | null;
  deadline_at: Date;
};

const COLUMNS = `n.brand_id, b.slug as brand, n.day, n.state, n.begun_at, n.synced_at, n.computed_at, n.judged_at,
  n.completed_at, n.deadline_at`;

/** Latest first. */
export async function listNights(
  db: Reader,
  { brand, max }: { brand?: string | undefined; max: number },
): Promise<NightRow[]> {
  const { rows } = await db.query<NightRow>(
    `select ${COLUMNS} from ops.nights n join app.brands b on b.id = n.brand_id
     where $1::text is null or b.slug = $1 order by n.day desc, b.slug limit $2`,
    [brand ?? null, max],
  );
  return rows;
}

export type NightJobRow = {
  step: 'sync' | 'rollup';
  of: string;
  job_id: string | null;
  state: string;
  note: string | null;
  /** The group of failures that the job bears. */
  failure: string | null;
  /** What a person does about it. */
  hint: string | null;
  seconds: number | null;
};

export type NightPage = NightRow & { digest: Digest | null; jobs: NightJobRow[] };

/** The night of a day, or the latest. */
export async function readNight(
  db: Reader,
  { brandId, day }: { brandId: string; day?: string | undefined },
): Promise<NightPage | undefined> {
  const { rows } = await db.query<NightRow & { digest: Digest | null }>(
    `select ${COLUMNS}, n.digest from ops.nights n join app.brands b on b.id = n.brand_id
     where n.brand_id = $1 and ($2::date is null or n.day = $2) order by n.day desc limit 1`,
    [brandId, day ?? null],
  );
  const [night] = rows;
  if (night === undefined) return undefined;
  const { rows: jobs } = await db.query<NightJobRow>(JOBS, [brandId, night.day]);
  return { ...night, jobs };
}

const JOBS = `
  select nj.step, coalesce(c.name, r.slug, 'the brand') as of, nj.job_id::text,
         coalesce(j.state, l.outcome, case when nj.job_id is null then 'skipped' else 'gone' end) as state,
         coalesce(nj.note, l.error_message, l.tally ->> 'incomplete') as note,
         l.failure_group as failure, l.error_hint as hint,
         round(extract(epoch from l.finished_at - l.started_at), 1)::float8 as seconds
  from ops.night_jobs nj
  left join app.connections c on c.brand_id = nj.brand_id and c.id = nj.connection_id
  left join app.retailers r on r.brand_id = nj.brand_id and r.id = nj.retailer_id
  left join ops.jobs j on j.job_id = nj.job_id
  left join lateral (select * from ops.job_runs r where r.job_id = nj.job_id order by r.id desc limit 1) l on true
  where nj.brand_id = $1 and nj.day = $2
  order by nj.step desc, nj.position`;

/**
 * Nights of a brand that came due and never began: each of several in an outage, but for the latest; and those whose slot a pause
 * has suppressed, from their deadline on.
 */
export type MissedNights = {
  brand: string;
  schedule: number;
  nights: number;
  first_day: string;
  last_day: string;
  /** Of the slots that would begin them. */
  first_slot: Date;
  last_slot: Date;
  /** How many brands have such nights. */
  total: number;
};

/** Days of longer ago are of no use to anybody who reads nights. */
const MISSED_FOR = '60 days';

export async function missedNights(
  db: Reader,
  { brand, max }: { brand?: string | undefined; max: number },
): Promise<MissedNights[]> {
  const { rows } = await db.query<MissedNights>(
    `select b.slug as brand, c.id::int as schedule, count(*)::int as nights, min(s.local_day) - 1 as first_day,
            max(s.local_day) - 1 as last_day, min(s.slot) as first_slot, max(s.slot) as last_slot,
            count(*) over ()::int as total
     from ops.schedules c
     join app.brands b on b.id = c.brand_id and b.removing_at is null
     join ops.schedule_slots s on s.brand_id = c.brand_id and s.schedule_id = c.id
     where c.task = 'nightly' and s.slot > now() - interval '${MISSED_FOR}'
       and (s.outcome in ('missed', 'failed')
            or s.outcome = 'paused' and (s.local_day + b.complete_by) at time zone b.time_zone <= now())
       and ($1::text is null or b.slug = $1)
       and not exists (select from ops.nights n where n.brand_id = c.brand_id and n.day = s.local_day - 1)
     group by b.slug, c.id order by b.slug, c.id limit $2`,
    [brand ?? null, max],
  );
  return rows;
}

/** What makes them good: a slot after the first instant, up to the second. */
export function makingGood({ schedule, first_slot, last_slot }: MissedNights): string {
  const since = new Date(first_slot.getTime() - 1_000);
  return `npx nightshift schedules backfill ${schedule} --since ${since.toISOString()} --until ${last_slot.toISOString()}`;
}

export function missedSaid({ brand, nights, first_day, last_day }: MissedNights): string {
  const days = nights === 1 ? `the night of ${first_day}` : `${nights} nights of ${first_day} to ${last_day}`;
  return `Of ${brand} ${days} never began, and nothing makes that good by itself`;
}
