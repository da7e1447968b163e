/** Nights as they are stored: `ops.nights` says what each field is for. */
import type { Db, Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';

export type NightKey = { brandId: string; day: string };
export type NightState = 'syncing' | 'computing' | 'provisional' | 'complete';

export type Night = NightKey & {
  /** Short name of the brand. */
  brand: string;
  state: NightState;
  begunAt: Date;
  patienceUntil: Date;
  deadlineAt: Date;
};

const COLUMNS = `n.brand_id as "brandId", b.slug as brand, n.day, n.state, n.begun_at as "begunAt",
  n.patience_until as "patienceUntil", n.deadline_at as "deadlineAt"`;

/** Nobody waits longer than this for a provider, nor beyond half an hour before the deadline. */
const PATIENCE = '3 hours';
const LEFT_FOR_FIGURES = '30 minutes';
/** Of a night that begins late. */
const PATIENCE_MIN = '10 minutes';

/**
 * Begins the night of a local day, which completes the day before it; undefined if it has begun already, or the brand
 * is going. The deadline is the brand's time on that day, also where it has passed.
 */
export async function beginNight(
  tx: Tx,
  { brandId, localDay, now }: { brandId: string; localDay: string; now: Date },
): Promise<Night | undefined> {
  const { rows } = await tx.query<Night>(
    `with n as (
       insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at, look_at)
       select b.id, $2::date - 1, 'syncing', $3::timestamptz,
              greatest(least($3::timestamptz + interval '${PATIENCE}', d.deadline - interval '${LEFT_FOR_FIGURES}'),
                       $3::timestamptz + interval '${PATIENCE_MIN}'),
              d.deadline, $3::timestamptz
       from app.brands b
       cross join lateral (select ($2::date + b.complete_by) at time zone b.time_zone as deadline) d
       where b.id = $1 and b.removing_at is null
       on conflict do nothing
       returning *)
     select ${COLUMNS} from n join app.brands b on b.id = n.brand_id`,
    [brandId, localDay, now],
  );
  return rows[0];
}

/** Locked until the transaction ends. */
export async function lockNight(
  tx: Tx,
  { brandId, localDay }: { brandId: string; localDay: string },
): Promise<Night | undefined> {
  const { rows } = await tx.query<Night>(
    `select ${COLUMNS} from ops.nights n join app.brands b on b.id = n.brand_id
     where n.brand_id = $1 and n.day = $2::date - 1 and b.removing_at is null for update of n`,
    [brandId, localDay],
  );
  return rows[0];
}

/** While its job is on the queue nobody queues another for the night. */
export async function noteStep(tx: Tx, { brandId, day }: NightKey, jobId: string): Promise<void> {
  await tx.query('update ops.nights set step_job = $3 where brand_id = $1 and day = $2', [
    brandId,
    day,
    jobId,
  ]);
}

/** Nights of long ago, and of days before the brand was here, are made good without a promise. */
const PROMISED_FOR = '7 days';

export async function wasPromised(db: Reader, { brandId, day }: NightKey): Promise<boolean> {
  const { rows } = await db.query<{ promised: boolean }>(
    `select n.begun_at < n.deadline_at + interval '${PROMISED_FOR}'
            and (b.created_at at time zone b.time_zone)::date <= n.day as promised
     from ops.nights n join app.brands b on b.id = n.brand_id where n.brand_id = $1 and n.day = $2`,
    [brandId, day],
  );
  return rows[0]?.promised ?? false;
}

export type NightJob = {
  step: 'sync' | 'rollup';
  connectionId?: string | undefined;
  retailerId?: string | null | undefined;
  jobId?: string | undefined;
  note?: string | undefined;
};

export async function addNightJobs(
  tx: Tx,
  { brandId, day }: NightKey,
  jobs: readonly NightJob[],
): Promise<void> {
  await tx.query(
    `insert into ops.night_jobs (brand_id, day, step, connection_id, retailer_id, job_id, note)
     select $1, $2, j.step, j.connection_id, j.retailer_id, j.job_id, j.note
     from unnest($3::text[], $4::uuid[], $5::uuid[], $6::bigint[], $7::text[])
       with ordinality as j (step, connection_id, retailer_id, job_id, note, number)
     order by j.number
     on conflict do nothing`,
    [
      ...[brandId, day, jobs.map(({ step }) => step), jobs.map(({ connectionId }) => connectionId ?? null)],
      ...[jobs.map(({ retailerId }) => retailerId ?? null), jobs.map(({ jobId }) => jobId ?? null)],
      jobs.map(({ note }) => note ?? null),
    ],
  );
}

/** Jobs of the night that may still do something by themselves: they wait, run, or are tried again. */
const BUSY = `
  select from ops.night_jobs nj
  where nj.brand_id = n.brand_id and nj.day = n.day and exists (
    select from ops.jobs j where j.job_id = nj.job_id and j.state in ('waiting', 'running', 'retrying', 'paused'))`;

export async function busyJobs(db: Reader, { brandId, day }: NightKey): Promise<number> {
  const { rows } = await db.query<{ busy: number }>(
    `select (select count(*)::int from (${BUSY}) busy) as busy from ops.nights n where n.brand_id = $1 and n.day = $2`,
    [brandId, day],
  );
  return rows[0]?.busy ?? 0;
}

/** How often an unfinished night is looked at, so that a scheduler need not look at each of them each second. */
const LOOK_EVERY = '10 seconds';
/** What has failed with all its attempts is likely to fail again. */
const LOOK_AFTER_DEATH = '1 hour';

export type DueNight = { brandId: string; localDay: string };

/**
 * Nights that can go on: their jobs are done, their patience is at an end, or it is time to judge again; not those
 * whose last step is still on the queue. Moves the next look of all that it looked at, so that one look costs what
 * is due.
 */
export async function nightsToAdvance(db: Db, now: Date, max: number): Promise<DueNight[]> {
  const { rows } = await db.query<DueNight>(
    `with due as (
       select n.brand_id, n.day from ops.nights n where n.look_at <= $1
       order by n.look_at limit $2 for update skip locked),
     looked as (
       update ops.nights n set look_at = $1::timestamptz + case
         when exists (select from ops.jobs j where j.job_id = n.step_job and j.state = 'dead')
           then interval '${LOOK_AFTER_DEATH}' else interval '${LOOK_EVERY}' end
       from due
       where n.brand_id = due.brand_id and n.day = due.day returning n.*)
     select n.brand_id as "brandId", n.day + 1 as "localDay" from looked n
     where not exists (select from ops.jobs j where j.job_id = n.step_job and j.state <> 'dead')
       and (n.state = 'provisional' or n.patience_until <= $1 or not exists (${BUSY}))
     order by 1, 2`,
    [now, max],
  );
  return rows;
}

/**
 * Jobs that syncs of the night have left to streams, and that it does not know of yet: one had to be read completely,
 * or failed and is tried by itself.
 */
export async function leftJobs(tx: Reader, { brandId, day }: NightKey): Promise<NightJob[]> {
  const { rows } = await tx.query<{ connectionId: string; jobId: string }>(
    `select distinct nj.connection_id as "connectionId", s.value ->> 'job' as "jobId"
     from ops.night_jobs nj
     join ops.job_runs r on r.job_id = nj.job_id
     cross join lateral jsonb_each(r.tally -> 'streams') s
     where nj.brand_id = $1 and nj.day = $2 and nj.step = 'sync' and s.value ->> 'job' is not null
       and not exists (
         select from ops.night_jobs k
         where k.brand_id = nj.brand_id and k.day = nj.day and k.job_id = (s.value ->> 'job')::bigint)
     order by 1, 2`,
    [brandId, day],
  );
  return rows.map((row) => ({ step: 'sync', ...row }));
}

export async function beginComputing(tx: Tx, { brandId, day }: NightKey, now: Date): Promise<void> {
  await tx.query(
    `update ops.nights set state = 'computing', synced_at = $3, look_at = $3 where brand_id = $1 and day = $2`,
    [brandId, day, now],
  );
}

/** When a provisional night is judged next: at its deadline, and now and then, for as long as somebody may mend it. */
const NEXT_LOOK = `
  case when n.deadline_at > $5::timestamptz then least(n.deadline_at, $5::timestamptz + interval '5 minutes')
       when $5::timestamptz < n.begun_at + interval '2 days' then $5::timestamptz + interval '5 minutes'
       when $5::timestamptz < n.begun_at + interval '14 days' then $5::timestamptz + interval '1 hour'
       when $5::timestamptz < n.begun_at + interval '365 days' then $5::timestamptz + interval '1 day' end`;

export async function keepVerdict(
  tx: Tx,
  { brandId, day }: NightKey,
  { isFinal, digest, now }: { isFinal: boolean; digest: object; now: Date },
): Promise<void> {
  await tx.query(
    `update ops.nights n
     set state = case when $3 then 'complete' else 'provisional' end, digest = $4, judged_at = $5::timestamptz,
         computed_at = coalesce(computed_at, $5::timestamptz), completed_at = case when $3 then $5::timestamptz end,
         look_at = case when not $3 then ${NEXT_LOOK} end
     where brand_id = $1 and day = $2`,
    [brandId, day, isFinal, JSON.stringify(digest), now],
  );
}
