/** Groups of failures that are alike, for those who look: `ops.failure_groups` says what each column is for. */
import { coded } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';
import type { Reader } from '../db/reader.ts';

export const failureStates = ['open', 'acknowledged', 'over'] as const;
/** `over`: no job on the queue bears it any more. */
export type FailureState = (typeof failureStates)[number];

export type FailureRow = {
  id: string;
  state: FailureState;
  /** Null of the platform's own. */
  brand_id: string | null;
  brand: string | null;
  task: string;
  error_code: string;
  message: string;
  frame: string;
  failures: number;
  first_at: Date;
  last_at: Date;
  dead: number;
  held: number;
  /** On the queue, to be tried again by themselves. */
  trying: number;
  /** How many it concerns. */
  connections: number;
  owner: string | null;
  note: string | null;
  acknowledged_by: string | null;
  acknowledged_at: Date | null;
  until: Date | null;
  more_than: number | null;
  reopened_because: string | null;
};

/** What is left out does not matter. */
export type FailureFilter = {
  id?: string | undefined;
  brandId?: string | undefined;
  connectionId?: string | undefined;
  task?: string | undefined;
  /** By default those that are not over. */
  state?: FailureState | 'all' | undefined;
  /** Failed at this instant or later. */
  since?: string | undefined;
  /** Part of code, message or frame, case-insensitive. */
  text?: string | undefined;
};

export class FailureNotFound extends coded('NS_FAILURE_NOT_FOUND') {
  constructor(id: string) {
    super(`There is no group of failures ${quote(id)}.`, {
      hint: 'npx nightshift failures list --state all',
    });
  }
}

// The queue is read once, and only jobs on it that have failed are looked up. Counters of a year are summed up only
// where groups are wanted that no job bears.
const LIST = `
  with jobs as materialized (
    select brand_id, failure_group, count(*) filter (where state = 'dead')::int as dead,
           count(*) filter (where state = 'held')::int as held, count(*)::int as total
    from ops.jobs where failure_group is not null group by brand_id, failure_group
  ), groups as (
    select g.*, coalesce(j.dead, 0) as dead, coalesce(j.held, 0) as held,
           coalesce(j.total - j.dead - j.held, 0) as trying,
           case when j.total is null then 'over' when g.is_acknowledged then 'acknowledged' else 'open' end as state
    from ops.failure_groups g
    left join jobs j on j.failure_group = g.id and j.brand_id is not distinct from g.brand_id
    where ($5 in ('all', 'over') or g.id = any (array(select failure_group from jobs)))
      and ($1::text is null or g.id = $1) and ($2::uuid is null or g.brand_id = $2)
      and ($3::uuid is null or $3 = any (g.connections)) and ($4::text is null or g.task = $4)
  )
  select g.id, g.state, g.brand_id, b.slug as brand, g.task, g.error_code, g.message, g.frame, g.failures, g.first_at, g.last_at,
         g.dead, g.held, g.trying, cardinality(g.connections) as connections, g.owner, g.note, g.acknowledged_by,
         g.acknowledged_at, g.until, g.more_than, g.reopened_because
  from groups g left join app.brands b on b.id = g.brand_id
  where case $5 when 'all' then true when 'waiting' then g.state <> 'over' else g.state = $5 end and ($6::timestamptz is null or g.last_at >= $6)
    and ($7::text is null or position(lower($7) in lower(concat_ws(' ', g.error_code, g.message, g.frame))) > 0)
  order by array_position('{open,acknowledged,over}', g.state), g.last_at desc, g.id
  limit $8`;

/** Those that need somebody first, then the latest. */
export async function listFailures(db: Reader, filter: FailureFilter, max: number): Promise<FailureRow[]> {
  const { id, brandId, connectionId, task, state = 'waiting', since, text } = filter;
  const values = [id, brandId, connectionId, task, state, since, text].map((value) => value ?? null);
  const { rows } = await db.query<FailureRow>(LIST, [...values, max]);
  return rows;
}

export async function findFailure(db: Reader, id: string): Promise<FailureRow> {
  const [found] = await listFailures(db, { id, state: 'all' }, 1);
  if (found === undefined) throw new FailureNotFound(id);
  return found;
}

/** So many connections, and so many jobs, are shown of a group. */
export const SHOWN_MAX = 10;

export type FailurePage = FailureRow & {
  /** Those that failed most, with how often and when last. */
  where: { connection: string | null; failures: number; last_at: Date }[];
  /** Those on the queue that bear it, the dead first. */
  jobs: { job_id: string; state: string; connection: string | null }[];
  /** Of the latest run that failed so; nothing once its record is gone. */
  example: Example | undefined;
};

export type Example = {
  job_id: string;
  attempt: number;
  finished_at: Date | null;
  error_message: string | null;
  error_hint: string | null;
  error_stack: string | null;
  host: string | null;
};

export async function readFailure(db: Reader, id: string): Promise<FailurePage> {
  const row = await findFailure(db, id);
  const { rows: where } = await db.query<FailurePage['where'][number]>(
    `select c.name as connection, sum(f.failures)::bigint as failures, max(f.last_at) as last_at
     from ops.failures f left join app.connections c on (c.brand_id, c.id) = (f.brand_id, f.connection_id)
     where f.failure_group = $1 and f.brand_id is not distinct from $2 and f.connection_id is not null
     group by f.connection_id, c.name order by 2 desc, 1 limit ${SHOWN_MAX}`,
    [id, row.brand_id],
  );
  const { rows: jobs } = await db.query<FailurePage['jobs'][number]>(
    `select j.job_id::text, j.state, c.name as connection
     from ops.jobs j left join app.connections c on (c.brand_id, c.id) = (j.brand_id, j.connection_id)
     where j.failure_group = $1 and j.brand_id is not distinct from $2
     order by j.state = 'dead' desc, j.job_id limit ${SHOWN_MAX}`,
    [id, row.brand_id],
  );
  const { rows: examples } = await db.query<Example>(
    `select r.job_id::text, r.attempt, r.finished_at, r.error_message, r.error_hint, r.error_stack, w.host
     from ops.job_runs r left join ops.workers w on w.pool_id = r.pool_id
     where r.id = (select max(last_run) from ops.failures where failure_group = $1 and brand_id is not distinct from $2)`,
    [id, row.brand_id],
  );
  return { ...row, where, jobs, example: examples[0] };
}

/** For what shows jobs: the groups that they bear, by job. */
export async function failuresOfJobs(db: Reader, jobIds: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ job: string; failure: string }>(
    `select wanted.id::text as job, f.failure
     from unnest($1::bigint[]) as wanted (id)
     cross join lateral (select ops.failure_of_job(wanted.id) as failure) f
     where f.failure is not null`,
    [jobIds],
  );
  return new Map(rows.map(({ job, failure }) => [job, failure]));
}
