/** `jobs why` */
import type { Command } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { pausesOfJobs } from '#sql/queue/pauses.ts';
import { failuresOfJobs } from '#sql/triage/failures.ts';
import { tasks } from '#tasks/index.ts';
import type { Cli } from '../shared/noun.ts';
import { type Reason, reason, reasonLines } from '../shared/options/reason.ts';
import { resumeCommand } from '../shared/pause_target.ts';
import { liveWorkers } from '../shared/queue_state.ts';
import { openSession } from '../shared/session.ts';
import { count, span } from '../ui/format.ts';
import { instant } from '../ui/output.ts';
import { JobNotFound } from './errors.ts';
import { jobArgument } from './filter.ts';
import { RUNS_MAX, type Run, readRuns, runLines } from './runs.ts';

export function addWhy(command: Command, cli: Cli): void {
  command
    .command('why')
    .description(
      'say what a job waits for, or why it ended as it did: what queued it, its attempts, what it loaded',
    )
    .addArgument(jobArgument())
    .action((id: string) => why(cli, id));
}

async function why(cli: Cli, id: string): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const { runs } = await readRuns(db, id);
  const [job] = (await db.query<Queued>(QUEUED, [id])).rows;
  const last = runs.at(-1);
  if (job === undefined && last === undefined) throw new JobNotFound(id);
  const reasons = job ? await reasonsOf(db, job, last) : last ? [endOf(last)] : [];
  const { rows: origins } = await db.query<{ origin: string }>(ORIGINS, [id]);
  const state = job?.state ?? last?.outcome ?? '';
  const task = job?.task ?? last?.task ?? '';
  const queuedBy = origins.map(({ origin }) => origin);
  const failure = (await failuresOfJobs(db, [id])).get(id) ?? null;
  const found = { job_id: id, task, state, reasons, failure, queued_by: queuedBy, attempts: runs };
  cli.out.record(found, () => [
    `job ${id}  ${task}  ${state}`,
    ...reasonLines(reasons),
    ...(failure === null ? [] : [`  others like it: npx nightshift failures show ${failure}`]),
    ...queuedBy.map((origin) => `  queued by ${origin}`),
    ...runs.flatMap((run) => runLines({ ...run, error_hint: null })), // the reasons have it
  ]);
}

type Queued = {
  id: string;
  task: string;
  payload: unknown;
  lane: string | null;
  state: 'waiting' | 'running' | 'retrying' | 'held' | 'paused' | 'dead';
  why: string | null;
  run_at: Date | null;
  /** Its time has not come. */
  is_early: boolean;
  attempts: number;
  max_attempts: number;
  last_error: string | null;
  priority: string;
  brand: string | null;
  connection: string | null;
  held_reason: string | null;
  blocked_until: Date | null;
};

const QUEUED = `
  select j.job_id::text as id, j.task, j.payload, j.lane, j.state, j.why, j.run_at, coalesce(j.run_at > now(), false) as is_early,
         j.attempts, j.max_attempts, j.last_error, j.priority, b.slug as brand, c.name as connection,
         case when c.held_at is not null then coalesce(c.held_reason, 'no reason is recorded') end as held_reason,
         (select max(g.blocked_until) from ops.rate_budgets g
          where g.provider = c.provider and (g.account = c.account or starts_with(g.account, c.account || ' '))
            and g.blocked_until > now()) as blocked_until
  from ops.jobs j
  left join app.brands b on b.id = j.brand_id
  left join app.connections c on c.brand_id = j.brand_id and c.id = j.connection_id
  where j.job_id = $1`;

async function reasonsOf(db: Db, job: Queued, last: Run | undefined): Promise<Reason[]> {
  if (job.state === 'running') return [runs(last, job)];
  if (job.state === 'dead')
    return [
      reason(
        `it is dead after ${count(job.attempts, 'attempt')}: ${job.last_error ?? 'no reason is recorded'}`,
        `${last?.error_hint ? `${last.error_hint} Then: ` : ''}npx nightshift jobs retry ${job.id}`,
      ),
    ];
  const waits = [
    ...(await ofPauses(db, job)),
    ...(asksProvider(job) ? ofConnection(job) : []),
    ...ofTime(job, last),
    ...(await ofLane(db, job)),
    ...(await ofWorkers(db, job)),
  ];
  return waits.length > 0 ? waits : [reason('a worker is about to take it')];
}

function runs(last: Run | undefined, { why: cancelled }: Queued): Reason {
  if (last?.outcome !== 'running') return reason('a worker has just taken it');
  const on = last.host === null ? 'a worker' : `${last.host}, process ${last.process_id}`;
  const commit = last.last_commit_at === null ? '' : `; last commit ${instant(last.last_commit_at)}`;
  return reason(
    `it runs on ${on} for ${span(last.seconds * 1_000)}${commit}${cancelled === null ? '' : `; ${cancelled}`}`,
  );
}

/** A job that asks no provider waits neither for its connection nor for it. */
function asksProvider({ task: name, payload }: Queued): boolean {
  const task = tasks.find((one) => one.name === name);
  const { data } = task?.payload.safeParse(payload) ?? {};
  return data === undefined || (task?.asksProvider?.(data) ?? true);
}

async function ofPauses(db: Db, { id, state }: Queued): Promise<Reason[]> {
  if (state !== 'paused') return [];
  return (await pausesOfJobs(db, [id])).map((pause) => reason(`it is ${pause.why}`, resumeCommand(pause)));
}

function ofConnection({ connection, brand, held_reason: held, blocked_until: until }: Queued): Reason[] {
  const name = `${connection} --brand ${brand}`;
  if (held !== null)
    return [
      reason(`its connection ${connection} is held: ${held}`, `npx nightshift connections check ${name}`),
    ];
  return until === null
    ? []
    : [
        reason(
          `its provider allows no request of ${connection} before ${instant(until)}`,
          `nothing; if that is wrong: npx nightshift connections limits ${name} --reset`,
        ),
      ];
}

function ofTime(job: Queued, last: Run | undefined): Reason[] {
  const { state, run_at: at, is_early: isEarly, attempts, max_attempts: most, last_error: error } = job;
  if (!isEarly || at === null) return [];
  if (state !== 'retrying') return [reason(`its time comes at ${instant(at)}`)];
  // A run that is put off spends no attempt: what failed is an earlier one.
  if (last?.outcome === 'snoozed' || last?.outcome === 'released')
    return [
      reason(
        `its last run was ${last.outcome}, and it tries again at ${instant(at)} with ${attempts} of ${count(most, 'attempt')} spent${last.error_message === null ? '' : `: ${last.error_message}`}`,
      ),
    ];
  return [
    reason(
      `attempt ${attempts} of ${most} failed, and it tries again at ${instant(at)}: ${error ?? 'no reason is recorded'}`,
    ),
  ];
}

async function ofLane(db: Db, { id, lane }: Queued): Promise<Reason[]> {
  if (lane === null) return [];
  const { rows } = await db.query<{ id: string; task: string; seconds: number | null }>(
    `select j.job_id::text as id, j.task, extract(epoch from now() - r.started_at)::float8 as seconds
     from ops.jobs j
     left join ops.job_runs r on r.job_id = j.job_id and r.outcome = 'running'
     where j.lane = $1 and j.state = 'running' and j.job_id <> $2 order by j.job_id limit 1`,
    [lane, id],
  );
  return rows.map(({ id: other, task, seconds }) =>
    reason(
      `its lane ${lane} is busy with job ${other} (${task})${seconds === null ? '' : `, which runs for ${span(seconds * 1_000)}`}`,
      `npx nightshift jobs why ${other}`,
    ),
  );
}

async function ofWorkers(db: Db, { id, is_early: isEarly, state, priority }: Queued): Promise<Reason[]> {
  if ((await liveWorkers(db)).length === 0)
    return [reason('no worker runs', 'npx nightshift up, or npm run worker')];
  if (isEarly || state === 'held' || state === 'paused') return [];
  const { rows } = await db.query<{ ahead: number }>(
    `select count(*)::int as ahead
     from ops.jobs o join ops.jobs j on j.job_id = $1
     where o.state in ('waiting', 'retrying') and o.run_at <= now()
       and (o.priority_number, o.turn, o.job_id) < (j.priority_number, j.turn, j.job_id)`,
    [id],
  );
  const ahead = rows[0]?.ahead ?? 0;
  if (ahead === 0) return [];
  const are = ahead === 1 ? 'is' : 'are';
  return [
    reason(
      `${count(ahead, 'job')} ${are} ahead of it (its priority is ${priority})`,
      'more workers: npm run worker',
    ),
  ];
}

// What a slot, a backfill or a night has queued; a person's commands are in the audit log.
const ORIGINS = `
  select format('slot %s of schedule %s %s', to_char(s.slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), c.id, c.name) as origin
  from ops.schedule_slots s join ops.schedules c on c.id = s.schedule_id where s.job_id = $1
  union all
  select format('backfill %s, slot of %s', s.backfill_id, s.local_day) from ops.backfill_slots s where s.job_id = $1
  union all
  select format('the night of %s of %s (%s)', n.day, b.slug, n.step)
  from ops.night_jobs n join app.brands b on b.id = n.brand_id where n.job_id = $1
  order by origin limit ${RUNS_MAX}`;

function endOf({ outcome, error_message: message, error_hint: hint, tally }: Run): Reason {
  if (message !== null) return reason(`it ended as ${outcome}: ${message}`, hint ?? undefined);
  const incomplete = tally?.incomplete;
  return reason(`it ended as ${outcome}${typeof incomplete === 'string' ? `: ${incomplete}` : ''}`);
}
