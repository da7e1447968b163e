import { type Command, Option } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { jobStates } from '../shared/queue_state.ts';
import { openSession } from '../shared/session.ts';
import { JobNotDead, JobNotFound } from '../ui/errors.ts';
import { instant } from '../ui/output.ts';
import { addCancel } from './cancel.ts';
import { addPrune } from './prune.ts';
import { jobArgument } from './which.ts';

const LIST_MAX = 200;

const queueStates = ['waiting', 'running', 'retrying', 'held', 'dead'] as const;
type QueueState = (typeof queueStates)[number];

export const noun: Noun = (command, cli) => {
  addList(command, cli);
  addShow(command, cli);
  addRetry(command, cli);
  addCancel(command, cli);
  addPrune(command, cli);
};

function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description(`list the queue, next job first (at most ${LIST_MAX})`)
    .addOption(
      new Option('--state <state>', 'only jobs in this state').choices(queueStates).conflicts('finished'),
    )
    .option('--finished', 'list finished runs instead, latest first')
    .action(async ({ state, finished }: { state?: QueueState; finished?: boolean }) => {
      await using session = await openSession(cli);
      if (finished) cli.out.list(await finishedRuns(session.db), FINISHED_COLUMNS);
      else cli.out.list(await queued(session.db, state), QUEUED_COLUMNS);
    });
}

function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show a job with all its runs')
    .addArgument(jobArgument())
    .action(async (id: string) => {
      await using session = await openSession(cli);
      const [job] = await jobStates(session.db, [id]);
      const { rows: runs } = await session.db.query(RUNS, [id]);
      if (!job || (job.state === 'gone' && runs.length === 0)) throw new JobNotFound(id);
      cli.out.record({ ...job, runs }, () => [
        `job ${id}  ${job.task}  ${job.state}`,
        ...(job.run_at && !runs.at(-1)?.ended ? [`runs at ${instant(job.run_at)}`] : []),
        ...runs.flatMap((run) => runLines(run)),
      ]);
    });
}

function addRetry(command: Command, cli: Cli): void {
  command
    .command('retry')
    .description('put a dead job back on the queue, with its full number of attempts')
    .addArgument(jobArgument())
    .action(async (id: string) => {
      await using session = await openSession(cli);
      const [job] = await jobStates(session.db, [id]);
      if (!job || job.state === 'gone') throw new JobNotFound(id);
      if (job.state !== 'dead') throw new JobNotDead(id, job.state);
      await session.db.transaction(async (tx) => {
        await recordAction(tx, {
          ...{ action: 'jobs.retry', target: id, details: { task: job.task } },
          ...{ before: { state: job.state }, after: { state: 'waiting' } },
        });
        await tx.query(RETRY, [id]);
      });
      cli.out.record({ job_id: id, state: 'waiting' }, () => [`job ${id} is back on the queue`]);
    });
}

const QUEUED_COLUMNS = ['job_id', 'task', 'lane', 'state', 'attempts', 'run_at', 'error'];

async function queued(db: Db, state: QueueState | undefined) {
  const { rows } = await db.query(QUEUED, [state ?? null, LIST_MAX]);
  return rows;
}

const QUEUED = `
  select job_id::text, task, lane, state, why, attempts, max_attempts, run_at, created_at, last_error as error
  from ops.jobs
  where $1::text is null or state = $1
  order by state = 'dead', run_at nulls last, priority, ops.jobs.job_id
  limit $2`;

const FINISHED_COLUMNS = [
  ...['job_id', 'task', 'outcome', 'attempt', 'finished_at', 'seconds', 'error_code', 'error'],
];

async function finishedRuns(db: Db) {
  const { rows } = await db.query(FINISHED, [LIST_MAX]);
  return rows;
}

const FINISHED = `
  select job_id::text, task, lane, outcome, attempt, finished_at,
         round(extract(epoch from finished_at - started_at), 1)::float8 as seconds,
         tally, error_code, coalesce(error_message, tally ->> 'incomplete') as error, error_hint
  from ops.job_runs where finished_at is not null
  order by id desc limit $1`;

// A record is one attempt; its id orders them.
const RUNS = `
  select attempt, outcome, started_at, finished_at, finished_at is not null as ended,
         tally, progress, error_code, error_message, error_hint, payload
  from ops.job_runs where job_id = $1 order by id`;

type Run = { [column: string]: unknown };

function runLines(run: Run): string[] {
  const { attempt, outcome, started_at, error_code, error_message, error_hint, tally } = run;
  const when = started_at instanceof Date ? instant(started_at) : '';
  const lines = [`  attempt ${attempt}  ${when}  ${outcome}`];
  if (tally) lines.push(`    ${JSON.stringify(tally)}`);
  if (error_code) lines.push(`    ${error_code}: ${error_message}`);
  if (error_hint) lines.push(`    next: ${error_hint}`);
  return lines;
}

// The library's own function ignores attempts => 0; the SQL function does not. Locked jobs belong to a worker.
const RETRY =
  'select id from graphile_worker.reschedule_jobs(array[$1]::bigint[], run_at => now(), attempts => 0)';
