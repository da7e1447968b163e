/** Checks of the queue: who works, what waits, what is stuck. */

import { readPauses } from '#sql/queue/pauses.ts';
import { pauseSaid, resumeCommand } from '../shared/pause_target.ts';
import { liveWorkers } from '../shared/queue_state.ts';
import { ACKNOWLEDGED, MADE_GOOD } from '../status/findings.ts';
import { count, span } from '../ui/format.ts';
import { type Check, failure, NAMED_MAX, named, ok, warning } from './check.ts';

const WAIT_WARNING_SECONDS = 5 * 60;
const WAIT_FAILURE_SECONDS = 30 * 60;

type Waiting = { id: string; task: string; seconds: number; why: string };

export const waiting: Check = {
  name: 'oldest waiting job',
  async run({ db }) {
    const workers = (await liveWorkers(db)).length;
    const { rows } = await db.query<Waiting>(
      `select job_id::text as id, task, extract(epoch from now() - run_at)::float8 as seconds, why
       from ops.jobs where state in ('waiting', 'retrying') and run_at <= now() order by run_at, job_id limit 1`,
    );
    const [oldest] = rows;
    if (workers === 0)
      return (oldest ? failure : warning)(
        `No worker runs${oldest ? `, and job ${oldest.id} (${oldest.task}) has been waiting for ${span(oldest.seconds * 1_000)}` : ''}.`,
        'npx nightshift up, or npm run worker',
      );
    if (oldest === undefined || oldest.seconds < WAIT_WARNING_SECONDS)
      return ok(`${count(workers, 'worker')}; no job waits for long`);
    return (oldest.seconds < WAIT_FAILURE_SECONDS ? warning : failure)(
      `Job ${oldest.id} (${oldest.task}) has been waiting for ${span(oldest.seconds * 1_000)}: ${oldest.why}.`,
      `npx nightshift jobs why ${oldest.id}`,
    );
  },
};

/** The first job that is not made good, with its error; of those that all are, the first. `known`: made good or acknowledged. */
type Dead = {
  task: string;
  jobs: number;
  good: number;
  known: number;
  first: string;
  failure: string | null;
  error: string | null;
  total: number;
};

export const dead: Check = {
  name: 'dead jobs',
  async run({ db }) {
    const { rows } = await db.query<Dead>(
      `select *, count(*) over ()::int as total
       from (
         select distinct on (task) task, job_id::text as first, failure_group as failure, last_error as error,
                count(*) over of_task::int as jobs, count(*) filter (where good) over of_task::int as good,
                count(*) filter (where good or seen) over of_task::int as known
         from (
           select task, job_id, last_error, failure_group, ${MADE_GOOD} as good, ${ACKNOWLEDGED} as seen
           from (select job_id as id, * from ops.jobs where state = 'dead') jobs
         ) dead
         window of_task as (partition by task)
         order by task, dead.good, dead.seen, job_id
       ) tasks
       order by task limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ task, jobs, good, known, first, failure: group, error }) => {
      const said = `${count(jobs, `${task} job`)} dead, ${good} made good by later runs: ${error ?? 'no reason is recorded'}`;
      const mend = group === null ? `jobs show ${first}` : `failures show ${group}`;
      return (known < jobs ? failure : warning)(said, `npx nightshift ${mend}`);
    });
  },
};

type StaleLock = { holder: string; jobs: number; lanes: number; seconds: number; total: number };

export const staleLocks: Check = {
  name: 'stale locks',
  async run({ db }) {
    const { rows } = await db.query<StaleLock>(
      `select coalesce(locked_by, 'nobody') as holder, count(job_id)::int as jobs, count(lane)::int as lanes,
              extract(epoch from now() - min(locked_at))::float8 as seconds, count(*) over ()::int as total
       from ops.stale_locks group by 1 order by 1 limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ holder, jobs, lanes, seconds }) =>
      failure(
        `${holder} has held ${count(jobs, 'job')} and ${count(lanes, 'lane')} for ${span(seconds * 1_000)} and is not alive.`,
        'start a worker, which hands them back within a minute: npm run worker',
      ),
    );
  },
};

export const pauses: Check = {
  name: 'pauses',
  async run({ db }) {
    const { pauses, total } = await readPauses(db, NAMED_MAX);
    return named(pauses, total, (pause) => warning(pauseSaid(pause), resumeCommand(pause)));
  },
};

type Quarantined = {
  brand: string;
  connection: string;
  stream: string;
  n: number;
  reason: string;
  total: number;
};

// The reason is looked up for those that are named, so that no list of all reasons is built.
const QUARANTINE = `
  select g.brand, g.connection, g.stream, g.n, g.total, last.reason
  from (
    select r.brand_id, r.connection_id, b.slug as brand, c.name as connection, r.stream, count(*)::int as n,
           count(*) over ()::int as total
    from ops.rejected_rows r
    join app.connections c on c.brand_id = r.brand_id and c.id = r.connection_id
    join app.brands b on b.id = r.brand_id
    group by r.brand_id, r.connection_id, b.slug, c.name, r.stream
    order by n desc, b.slug, c.name, r.stream limit ${NAMED_MAX}
  ) g
  cross join lateral (
    select r.reason from ops.rejected_rows r
    where r.brand_id = g.brand_id and r.connection_id = g.connection_id and r.stream = g.stream
    order by r.rejected_at desc, r.row_key limit 1
  ) last
  order by g.n desc, g.brand, g.connection, g.stream`;

export const quarantine: Check = {
  name: 'quarantined records',
  async run({ db }) {
    const { rows } = await db.query<Quarantined>(QUARANTINE);
    return named(rows, rows[0]?.total, ({ brand, connection, stream, n, reason }) =>
      warning(
        `${stream} of ${connection} has ${count(n, 'record')} that could not be understood, the last one: ${reason}`,
        `npx nightshift sync status --brand ${brand}, then sync dismiss what will never load`,
      ),
    );
  },
};
