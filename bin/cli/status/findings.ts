/** What `status` reads: the state of database, workers, queue, connections and figures. */

import { lastPublication } from '#connectors/ecb/calendar.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { type Db, placeOf } from '#sql/db/pool.ts';
import { type WarnedConnection, warnedConnections } from '#sql/load/warnings.ts';
import { type Archiving, readArchiving } from '#sql/maintenance/archiving.ts';
import { type MissedNights, missedNights } from '#sql/nights/list.ts';
import { type PauseRow, readPauses } from '#sql/queue/pauses.ts';
import { type SnapshotState, snapshotStates } from '#sql/snapshots/promises.ts';
import { type Begun, begunRemovals } from '#sql/tenants/removal_parts.ts';
import { type LiveWorker, liveWorkers } from '../shared/queue_state.ts';

export type Findings = {
  /** `next` says what to do about a schema that is not current. */
  database: { place: string; version: string; embedded: boolean; schema: string; next?: string | undefined };
  workers: LiveWorker[];
  crashes_last_day: number;
  jobs: {
    waiting: number;
    running: number;
    retrying: number;
    held: number;
    paused: number;
    dead: number;
    /** Dead jobs whose work a later run has done. */
    dead_made_good: number;
    /** Of the others those that bear a failure which somebody has acknowledged. */
    dead_acknowledged: number;
    oldest_seconds: number;
  };
  /** What an operator, or a breaker, lets wait. */
  pauses: PauseRow[];
  /** How many there are beyond those. */
  more_pauses: number;
  connections: ConnectionHealth[];
  /** Removals that have begun and not ended. */
  removals: Begun[];
  /** Slots that came due a while ago and are not decided. */
  late_schedules: { schedules: number; oldest_seconds: number };
  /** Nights that never began, of some brands. */
  missed_nights: MissedNights[];
  /** Connections that no schedule syncs: it is paused, or no scheduler has run since they were added. */
  unscheduled_connections: number;
  dirty_days: { days: number; objects: number; of_brands: number; oldest_seconds: number };
  rejected_records: number;
  /** Checks whose newest result is a failure. */
  failed_checks: FailedCheck[];
  /** Connections whose syncs warn of something. */
  provider_warnings: WarnedConnection[];
  /** Whether the server archives its write-ahead log, and how many connections have something to lose. */
  archiving: Archiving;
  /** Of each brand, what is promised of its snapshots. */
  snapshots: SnapshotState[];
  /** Newest day with exchange rates, null before the first one; and the newest that must have been fetched by now. */
  fx: { newest_day: string | null; expected_day: string };
};

export type ConnectionHealth = {
  brand: string;
  connection: string;
  provider: string;
  /** The state of the worst stream; `removing` while the connection is being removed. */
  state: string;
  /** The lag of the stream that is furthest behind. */
  lag_seconds: number | null;
  /** How late the latest of `late_streams` is. */
  late_by_seconds: number | null;
  cause: string | null;
  late_streams: string[];
  never_read_streams: string[];
  /** Whether a sync of it runs now. */
  is_syncing: boolean;
};

const PAUSES_MAX = 20;
const BRANDS_MAX = 1_000;
const MISSED_MAX = 5;
/** Until then the schedule `fx-rates` has fired at 16:15, and has asked once more if the rates were not out. */
const FETCHED_MS = 60 * 60_000;

/** The value of `database.schema` if the schema fits this release. */
export const CURRENT = 'current';

export type FailedCheck = { brand: string; connection: string; stream: string; check: string; cause: string };

export type Place = { db: Db; url: string; embedded: boolean };

/** Only the database and the calendar of rates if the schema does not fit this release. */
export async function readFindings({ db, url, embedded }: Place): Promise<Findings> {
  const { rows: versions } = await db.query("select current_setting('server_version') as version");
  const schema = await assertSchema(db).then(() => ({ schema: CURRENT }), refusal);
  const database = { place: placeOf(url), version: String(versions[0]?.version), embedded, ...schema };
  const fx = { newest_day: null, expected_day: lastPublication(new Date(Date.now() - FETCHED_MS)) };
  if (database.schema !== CURRENT) return { ...EMPTY, database, fx };
  const [
    workers,
    crashes,
    jobs,
    { pauses, total },
    connections,
    removals,
    late,
    dirty,
    rejected,
    checks,
    warned,
    rates,
    archiving,
    snapshots,
    missed_nights,
  ] = await Promise.all([
    liveWorkers(db),
    db.query<{ n: number }>(CRASHES),
    db.query<Findings['jobs']>(JOBS),
    readPauses(db, PAUSES_MAX),
    db.query<ConnectionHealth>(CONNECTIONS),
    begunRemovals(db),
    db.query<Findings['late_schedules'] & { unscheduled: number }>(SCHEDULES),
    db.query<Findings['dirty_days']>(DIRTY_DAYS),
    db.query<{ n: number }>('select count(*) as n from ops.rejected_rows'),
    db.query<FailedCheck>(FAILED_CHECKS),
    warnedConnections(db, WARNED_MAX),
    db.query<{ day: string | null }>(NEWEST_RATES),
    readArchiving(db),
    snapshotStates(db, { now: new Date(), max: BRANDS_MAX }),
    missedNights(db, { max: MISSED_MAX }),
  ]);
  return {
    database,
    workers,
    crashes_last_day: crashes.rows[0]?.n ?? 0,
    jobs: jobs.rows[0] ?? EMPTY.jobs,
    pauses,
    more_pauses: total - pauses.length,
    connections: connections.rows,
    removals,
    late_schedules: {
      schedules: late.rows[0]?.schedules ?? 0,
      oldest_seconds: late.rows[0]?.oldest_seconds ?? 0,
    },
    unscheduled_connections: late.rows[0]?.unscheduled ?? 0,
    dirty_days: dirty.rows[0] ?? EMPTY.dirty_days,
    rejected_records: rejected.rows[0]?.n ?? 0,
    failed_checks: checks.rows,
    provider_warnings: warned.connections,
    archiving,
    snapshots,
    missed_nights,
    fx: { ...fx, newest_day: rates.rows[0]?.day ?? null },
  };
}

const EMPTY: Omit<Findings, 'database' | 'fx'> = {
  workers: [],
  crashes_last_day: 0,
  jobs: {
    waiting: 0,
    running: 0,
    retrying: 0,
    held: 0,
    paused: 0,
    dead: 0,
    dead_made_good: 0,
    dead_acknowledged: 0,
    oldest_seconds: 0,
  },
  pauses: [],
  more_pauses: 0,
  connections: [],
  removals: [],
  late_schedules: { schedules: 0, oldest_seconds: 0 },
  unscheduled_connections: 0,
  dirty_days: { days: 0, objects: 0, of_brands: 0, oldest_seconds: 0 },
  rejected_records: 0,
  failed_checks: [],
  provider_warnings: [],
  archiving: { isOn: false, realConnections: 0, failing: null },
  snapshots: [],
  missed_nights: [],
};

const CRASHES = `
  select count(*) as n from ops.workers where ended_how = 'crashed' and ended_at > now() - interval '1 day'`;

export const MADE_GOOD = `exists (
           select from ops.job_runs d
           join ops.job_runs r on r.brand_id is not distinct from d.brand_id
            and r.connection_id is not distinct from d.connection_id and r.id > d.id and r.job_id <> d.job_id
            and r.outcome in ('succeeded', 'partial')
            and (r.task = d.task and d.payload - 'now' in (r.payload - 'now', r.payload - '{now,full,reconcile}'::text[])
                 or r.task = 'sync_connection' and d.task = 'sync_stream'
                   and d.payload - '{now,stream}'::text[] = r.payload - 'now'
                   and r.tally -> 'streams' -> (d.payload ->> 'stream') -> 'job' is null)
           where d.job_id = jobs.id and d.outcome = 'dead')`;

export const ACKNOWLEDGED = `exists (
    select from ops.failure_groups g
    where g.id = jobs.failure_group and g.brand_id is not distinct from jobs.brand_id and g.is_acknowledged)`;

// A later run of the same work makes a dead job good: one with the same payload, or one that read everything; that
// of a stream also by a run of its account that did not leave it to another job.
const JOBS = `
  with jobs as (
    select job_id as id, brand_id, run_at, state, case when state = 'dead' then failure_group end as failure_group from ops.jobs
  )
  select count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'running') as running,
         count(*) filter (where state = 'retrying') as retrying, count(*) filter (where state = 'held') as held,
         count(*) filter (where state = 'paused') as paused, count(*) filter (where state = 'dead') as dead,
         count(*) filter (where state = 'dead' and ${MADE_GOOD}) as dead_made_good,
         count(*) filter (where state = 'dead' and not ${MADE_GOOD} and ${ACKNOWLEDGED}) as dead_acknowledged,
         coalesce(extract(epoch from now() - min(run_at) filter (where state = 'waiting' and run_at < now())), 0)::float8
           as oldest_seconds
  from jobs`;

// A connection has the state of its worst stream, and the lag of the stream that is furthest behind.
const CONNECTIONS = `
  select s.brand, s.connection, s.provider,
         case when c.removing_at is null then (array_agg(s.state order by worst))[1] else 'removing' end as state,
         max(s.lag_seconds) as lag_seconds, max(s.late_by_seconds) as late_by_seconds, (array_agg(s.error order by worst))[1] as cause,
         coalesce(array_agg(s.stream order by s.stream) filter (where s.state = 'late'), '{}') as late_streams,
         coalesce(array_agg(s.stream order by s.stream) filter (where s.state = 'never'), '{}') as never_read_streams,
         exists (
           select from ops.job_runs r
           where r.outcome = 'running' and r.brand_id = s.brand_id and r.connection_id = s.connection_id
         ) as is_syncing
  from (
    select *, array_position('{held,failing,partial,never,late,ok}', state) as worst from bi.sync_status
  ) s
  join app.connections c on c.brand_id = s.brand_id and c.id = s.connection_id
  group by s.brand_id, s.brand, s.connection_id, s.connection, s.provider, c.removing_at
  order by s.brand, s.connection`;

// Each publication has the dollar; custom rates may be of any day.
const NEWEST_RATES = "select max(day) as day from app.fx_rates where currency = 'USD'";

// Schedulers look each second.
const SCHEDULES = `
  select count(*) as schedules, coalesce(extract(epoch from now() - min(next_slot)), 0)::float8 as oldest_seconds,
         (select count(*) from app.connections c
          where c.removing_at is null and c.held_at is null and not exists (
            select from ops.schedules s
            where s.brand_id = c.brand_id and s.connection_id = c.id and s.task = 'sync_connection' and s.paused_at is null)
         ) as unscheduled
  from ops.schedules where next_slot < now() - interval '1 minute'`;

const DIRTY_DAYS = `
  select count(distinct (brand_id, retailer_id, day)) filter (where day is not null) as days,
         count(distinct (brand_id, retailer_id, object)) filter (where object is not null) as objects,
         count(distinct (brand_id, day, object)) filter (where retailer_id is null) as of_brands,
         coalesce(extract(epoch from now() - min(marked_at)), 0)::float8 as oldest_seconds
  from ops.marks`;

const FAILED_CHECKS_MAX = 20;
const WARNED_MAX = 20;

const FAILED_CHECKS = `
  select b.slug as brand, c.name as connection, k.stream, k.check_name as check, coalesce(k.cause, 'no reason is recorded') as cause
  from ops.completeness k
  join app.connections c on c.brand_id = k.brand_id and c.id = k.connection_id
  join app.brands b on b.id = k.brand_id
  where not k.ok order by k.result_since limit ${FAILED_CHECKS_MAX}`;

function refusal(error: unknown): { schema: string; next: string | undefined } {
  return { schema: messageOf(error), next: error instanceof NightshiftError ? error.hint : undefined };
}
