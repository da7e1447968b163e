/** What `status` tells: whether database, workers, queue, connections and figures are as they should be. */
import { messageOf } from '#runtime/errors.ts';
import { assertSchema } from '#sql/migrate.ts';
import { type Db, placeOf } from '#sql/pool.ts';
import { type LiveWorker, liveWorkers } from './queue_state.ts';

export type Health = {
  database: { place: string; version: string; embedded: boolean; schema: string };
  workers: LiveWorker[];
  crashes_last_day: number;
  jobs: {
    waiting: number;
    running: number;
    retrying: number;
    held: number;
    dead: number;
    /** Dead ones whose work a later run has done. */
    dead_made_good: number;
    oldest_seconds: number;
  };
  connections: ConnectionHealth[];
  dirty_days: { days: number; oldest_seconds: number };
  rejected_records: number;
  /** Checks of which the newest result is a failure. */
  failed_checks: FailedCheck[];
  /** What a person should do something about, with the command. */
  attention: string[];
};

export type ConnectionHealth = {
  brand: string;
  connection: string;
  provider: string;
  state: string;
  lag_seconds: number | null;
  cause: string | null;
};

export type FailedCheck = { brand: string; connection: string; stream: string; check: string; cause: string };

export type Place = { db: Db; url: string; embedded: boolean };

export async function readHealth({ db, url, embedded }: Place): Promise<Health> {
  const { rows: versions } = await db.query("select current_setting('server_version') as version");
  const schema = await assertSchema(db).then(() => 'current', messageOf);
  const database = { place: placeOf(url), version: String(versions[0]?.version), embedded, schema };
  if (schema !== 'current')
    return { ...EMPTY, database, attention: [`${schema} Next: npx nightshift migrate`] };
  const [workers, crashes, jobs, connections, dirty, rejected, checks] = await Promise.all([
    liveWorkers(db),
    db.query<{ n: number }>(CRASHES),
    db.query<Health['jobs']>(JOBS),
    db.query<ConnectionHealth>(CONNECTIONS),
    db.query<Health['dirty_days']>(DIRTY_DAYS),
    db.query<{ n: number }>('select count(*) as n from ops.rejected_rows'),
    db.query<FailedCheck>(FAILED_CHECKS),
  ]);
  const health = {
    database,
    workers,
    crashes_last_day: crashes.rows[0]?.n ?? 0,
    jobs: jobs.rows[0] ?? EMPTY.jobs,
    connections: connections.rows,
    dirty_days: dirty.rows[0] ?? EMPTY.dirty_days,
    rejected_records: rejected.rows[0]?.n ?? 0,
    failed_checks: checks.rows,
  };
  return { ...health, attention: attentionOf(health) };
}

function attentionOf(health: Omit<Health, 'attention'>): string[] {
  const { workers, jobs, connections, rejected_records, failed_checks } = health;
  const work = jobs.waiting + jobs.retrying;
  const lines = connections.flatMap(({ brand, connection, state, cause }) => {
    const name = `${connection} --brand ${brand}`;
    const why = (cause ?? 'no reason is recorded').replace(/\.$/, ''); // a sentence of its own, mostly
    if (state === 'held')
      return [`${connection} is held: ${why}. Next: npx nightshift connections check ${name}`];
    if (state === 'failing')
      return [`${connection} fails: ${why}. Next: npx nightshift sync status --brand ${brand}`];
    return state === 'partial'
      ? [`${connection} is not complete: ${why}. Next: npx nightshift sync status`]
      : [];
  });
  if (work > 0 && workers.length === 0) lines.push('Jobs wait and no worker runs. Next: npx nightshift up');
  if (jobs.dead > jobs.dead_made_good)
    lines.push('Jobs are dead. Next: npx nightshift jobs list --state dead');
  if (rejected_records > 0) lines.push('Records were rejected; ops.rejected_rows has them with the reason.');
  const causes = connections.map(({ cause }) => cause ?? '').join('\n');
  for (const { brand, connection, check, cause } of failed_checks.filter(
    (one) => !causes.includes(one.cause),
  ))
    lines.push(
      `${connection} fails its check '${check}': ${cause}. Next: npx nightshift sync status --brand ${brand} --checks`,
    );
  return lines;
}

const EMPTY: Omit<Health, 'database'> = {
  workers: [],
  crashes_last_day: 0,
  jobs: { waiting: 0, running: 0, retrying: 0, held: 0, dead: 0, dead_made_good: 0, oldest_seconds: 0 },
  connections: [],
  dirty_days: { days: 0, oldest_seconds: 0 },
  rejected_records: 0,
  failed_checks: [],
  attention: [],
};

const CRASHES = `
  select count(*) as n from ops.workers where ended_how = 'crashed' and ended_at > now() - interval '1 day'`;

const MADE_GOOD = `exists (
           select from ops.job_runs d
           join ops.job_runs r on r.task = d.task and r.brand_id is not distinct from d.brand_id
            and r.connection_id is not distinct from d.connection_id and r.id > d.id and r.job_id <> d.job_id
            and r.outcome in ('succeeded', 'partial')
            and d.payload - 'now' in (r.payload - 'now', r.payload - '{now,full,reconcile}'::text[])
           where d.job_id = jobs.id and d.outcome = 'dead')`;

// A dead job is made good by a later run of the same work: with the same payload, or one that read everything.
const JOBS = `
  with jobs as (
    select id, run_at, case when locked_at is not null then 'running' when attempts >= max_attempts then 'dead'
      when run_at = 'infinity' then 'held' when attempts > 0 then 'retrying' else 'waiting' end as state
    from graphile_worker.jobs
  )
  select count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'running') as running,
         count(*) filter (where state = 'retrying') as retrying, count(*) filter (where state = 'held') as held,
         count(*) filter (where state = 'dead') as dead,
         count(*) filter (where state = 'dead' and ${MADE_GOOD}) as dead_made_good,
         coalesce(extract(epoch from now() - min(run_at) filter (where state = 'waiting' and run_at < now())), 0)::float8
           as oldest_seconds
  from jobs`;

// The worst stream speaks for its connection, and the one that is furthest behind gives the lag.
const CONNECTIONS = `
  select b.slug as brand, c.name as connection, c.provider,
         case when c.held_at is not null then 'held' else coalesce(s.state, 'never') end as state,
         s.lag_seconds, case when c.held_at is not null then c.held_reason else s.cause end as cause
  from app.connections c
  join app.brands b on b.id = c.brand_id
  left join lateral (
    select (array_agg(p.state order by array_position('{failing,partial,never,ok}', p.state)))[1] as state,
           (array_agg(p.cause order by array_position('{failing,partial,never,ok}', p.state)))[1] as cause,
           extract(epoch from now() - min(p.last_success_at))::float8 as lag_seconds
    from (
      select state, cause, last_success_at from ops.positions p
      where (p.brand_id, p.connection_id) = (c.brand_id, c.id)
      union all
      select 'partial', k.cause, null from ops.completeness k
      where (k.brand_id, k.connection_id) = (c.brand_id, c.id) and not k.ok
    ) p
  ) s on true
  order by b.slug, c.name`;

const DIRTY_DAYS = `
  select count(distinct (brand_id, retailer_id, day)) as days,
         coalesce(extract(epoch from now() - min(marked_at)), 0)::float8 as oldest_seconds
  from ops.dirty_days`;

const FAILED_CHECKS_MAX = 20;

const FAILED_CHECKS = `
  select b.slug as brand, c.name as connection, k.stream, k.check_name as check, coalesce(k.cause, 'no reason is recorded') as cause
  from ops.completeness k
  join app.connections c on c.brand_id = k.brand_id and c.id = k.connection_id
  join app.brands b on b.id = k.brand_id
  where not k.ok order by k.result_since limit ${FAILED_CHECKS_MAX}`;
