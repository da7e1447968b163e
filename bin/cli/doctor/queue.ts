/** Checks of the queue: who works, what waits, what is stuck. */

import { readPauses } from '#sql/queue/pauses.ts';
import { optionWords } from '../shared/option_words.ts';
import { liveWorkers } from '../shared/queue_state.ts';
import { MADE_GOOD } from '../status/findings.ts';
import { count, span } from '../ui/format.ts';
import { type Check, failure, NAMED_MAX, ok, warning } from './check.ts';

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
        `No worker runs${oldest ? `, and job ${oldest.id} (${oldest.task}) waits for ${span(oldest.seconds * 1_000)}` : ''}.`,
        'npx nightshift up, or npm run worker',
      );
    if (oldest === undefined || oldest.seconds < WAIT_WARNING_SECONDS)
      return ok(`${count(workers, 'worker')}; no job waits for long`);
    return (oldest.seconds < WAIT_FAILURE_SECONDS ? warning : failure)(
      `Job ${oldest.id} (${oldest.task}) waits for ${span(oldest.seconds * 1_000)}: ${oldest.why}.`,
      `npx nightshift jobs why ${oldest.id}`,
    );
  },
};

export const dead: Check = {
  name: 'dead jobs',
  async run({ db }) {
    const { rows } = await db.query<{
      task: string;
      jobs: number;
      good: number;
      first: string;
      error: string;
    }>(
      `select task, count(*)::int as jobs, count(*) filter (where good)::int as good, min(job_id)::text as first,
              (array_agg(last_error order by good, job_id))[1] as error
       from (
         select task, job_id, last_error, ${MADE_GOOD} as good
         from (select job_id as id, * from ops.jobs where state = 'dead') jobs
       ) dead
       group by task order by task limit ${NAMED_MAX}`,
    );
    return rows.map(({ task, jobs, good, first, error }) => {
      const said = `${count(jobs, `${task} job`)} dead, ${good} made good by later runs: ${error ?? 'no reason is recorded'}`;
      return (good < jobs ? failure : warning)(said, `npx nightshift jobs show ${first}`);
    });
  },
};

export const staleLocks: Check = {
  name: 'stale locks',
  async run({ db }) {
    const { rows } = await db.query<{ holder: string; jobs: number; lanes: number; seconds: number }>(
      `select coalesce(locked_by, 'nobody') as holder, count(job_id)::int as jobs, count(lane)::int as lanes,
              extract(epoch from now() - min(locked_at))::float8 as seconds
       from ops.stale_locks group by 1 order by 1 limit ${NAMED_MAX}`,
    );
    return rows.map(({ holder, jobs, lanes, seconds }) =>
      failure(
        `${holder} has held ${count(jobs, 'job')} and ${count(lanes, 'lane')} for ${span(seconds * 1_000)} and is not alive.`,
        'start a worker, which hands them back within a minute: npm run worker',
      ),
    );
  },
};

/** What somebody forgot to resume looks like a quiet night. */
export const pauses: Check = {
  name: 'pauses',
  async run({ db }) {
    const found = await readPauses(db);
    return found
      .slice(0, NAMED_MAX)
      .map(({ task, provider, brand, connection, jobs, reason, paused_by, until }) => {
        const which = { task, provider, brand, connection };
        const end = until === null ? 'without an end' : `until ${until.toISOString()}`;
        return warning(
          `${paused_by} paused ${Object.values(which)
            .filter((name) => name !== null)
            .join(' of ')} ${end}: ${reason}; ${count(jobs, 'job')} waiting.`,
          `npx nightshift jobs resume ${optionWords(which)}`,
        );
      });
  },
};

export const quarantine: Check = {
  name: 'quarantined records',
  async run({ db }) {
    const { rows } = await db.query<{
      brand: string;
      connection: string;
      stream: string;
      n: number;
      reason: string;
    }>(
      `select b.slug as brand, c.name as connection, r.stream, count(*)::int as n,
              (array_agg(r.reason order by r.rejected_at desc, r.row_key))[1] as reason
       from ops.rejected_rows r
       join app.connections c on c.brand_id = r.brand_id and c.id = r.connection_id
       join app.brands b on b.id = r.brand_id
       group by b.slug, c.name, r.stream order by n desc, b.slug, c.name, r.stream limit ${NAMED_MAX}`,
    );
    return rows.map(({ brand, connection, stream, n, reason }) =>
      warning(
        `${stream} of ${connection} has ${count(n, 'record')} that could not be understood, the last one: ${reason}`,
        `npx nightshift sync status --brand ${brand}, then sync dismiss what will never load`,
      ),
    );
  },
};
