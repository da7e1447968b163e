/**
 * `jobs cancel`, `jobs retry` and `jobs discard`: of one job, or of those that a filter finds. Those are listed
 * first, and what was listed is what is done, by number: a job that comes later is left alone.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import {
  countJobs,
  findJobs,
  type JobFilter,
  type QueuedJob,
  queuedJob,
  type State,
  stillFound,
} from '#sql/queue/find.ts';
import { JobBusy } from '#sql/queue/jobs.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Cli } from '../shared/noun.ts';
import { jobStates } from '../shared/queue_state.ts';
import { openSession } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';
import { confirm } from '../ui/confirm.ts';
import { UsageError } from '../ui/errors.ts';
import { count, isOrAre } from '../ui/format.ts';
import { cellOf } from '../ui/output.ts';
import { JobNotFound } from './errors.ts';
import { type FilterOptions, filterNames, filterOptions, jobArgument, readFilter } from './filter.ts';

/**
 * `asked`: the run is to end, and may still succeed if it is through before it hears of it; `asking`: it was asked
 * before; `busy`: not now; `left`: the job is not what it was.
 */
export type Result = 'done' | 'asked' | 'asking' | 'busy' | 'left';

export type Verb = {
  name: 'cancel' | 'retry' | 'discard';
  description: string;
  /** As in '3 jobs are …'. */
  done: string;
  /** The state that a job has afterwards. */
  state: string;
  /** Jobs in these states. */
  of: readonly State[];
  /** In the given order. */
  apply(tx: Tx, ids: readonly string[], reason: string | undefined): Promise<Result[]>;
  /** Why a job is left alone that is in this state. */
  refusal(id: string, state: string): Error;
};

/** A command takes so many jobs at most, and so many in a transaction, each with its row in the audit log. */
const JOBS_MAX = 10_000;
const BATCH_MAX = 1_000;
const SAMPLE = 10;
const TRIES = 5;
const TRY_AGAIN_MS = 200;

export type ActOptions = FilterOptions & { reason?: string; dryRun?: boolean; yes?: boolean };

export function addVerb(command: Command, cli: Cli, verb: Verb): void {
  const added = command.command(verb.name).description(verb.description).addArgument(jobArgument('[job]'));
  actOptions(filterOptions(added, verb.of)).action((id: string | undefined, options: ActOptions) => {
    const isFiltered = filterNames.some((name) => options[name] !== undefined);
    if ((id === undefined) !== isFiltered)
      throw new UsageError(
        'Which jobs?',
        `npx nightshift jobs ${verb.name} N, or a filter such as --state dead`,
      );
    return id === undefined ? actOnMany(cli, verb, options) : actOnOne(cli, verb, id, options);
  });
}

export function actOptions(command: Command): Command {
  return command
    .option('--reason <text>', 'why, for the records', title)
    .option('--dry-run', 'only say how many jobs are found, and show some')
    .option('--yes', 'do not ask for confirmation of many');
}

async function actOnOne(cli: Cli, verb: Verb, id: string, { reason, dryRun }: ActOptions): Promise<void> {
  await using session = await openSession(cli);
  const [job] = await jobStates(session.db, [id]);
  if (dryRun && (job === undefined || job.state === 'gone')) throw new JobNotFound(id);
  if (dryRun) return cli.out.record({ job_id: id, state: job?.state }, () => [`job ${id} is ${job?.state}`]);
  const result = await untilNotBusy(async () =>
    session.db.transaction(async (tx) => {
      const before = await queuedJob(tx, id);
      const [one = 'left'] = await verb.apply(tx, [id], reason);
      if (isNews(one))
        await recordAction(tx, {
          action: `jobs.${verb.name}`,
          ...{ target: id, details: { task: before?.task, reason } },
          before: { state: one === 'asked' ? 'running' : before?.state },
          after: { state: one === 'asked' ? CANCELLING : verb.state },
          ...(before?.brandId && { brandId: before.brandId }),
        });
      return [one];
    }),
  );
  if (result[0] === 'busy') throw new JobBusy(id);
  if (result[0] === 'left') {
    const [now] = await jobStates(session.db, [id]);
    throw verb.refusal(id, now?.state ?? 'gone');
  }
  const isAsked = result[0] === 'asked' || result[0] === 'asking';
  cli.out.record({ job_id: id, state: isAsked ? CANCELLING : verb.state }, () => [
    isAsked
      ? `job ${id} is running; it will be stopped within seconds, and commits nothing more. See npx nightshift jobs show ${id}`
      : `job ${id} is ${verb.done}`,
  ]);
}

/** Until the run has ended, one way or the other. */
const CANCELLING = 'cancelling';

/** A repeated request changes nothing, and has no row in the audit log. */
const isNews = (result: Result) => result === 'done' || result === 'asked';

/** Of those that the filter finds: shown first, then confirmed. */
export async function actOnMany(cli: Cli, verb: Verb, options: ActOptions): Promise<void> {
  const { reason, dryRun, yes } = options;
  await using session = await openSession(cli);
  const filter = await readFilter(session.db, options);
  const found = await findEach(session.db, verb, filter);
  const total = found.length < JOBS_MAX ? found.length : await countEach(session.db, verb, filter);
  const shown = preview(found, total);
  const sample = found.slice(0, SAMPLE);
  if (found.length === 0) await sayWhyNone(cli, session.db, verb, { filter, failure: options.failure });
  if (dryRun || found.length === 0) return cli.out.record({ jobs: total, sample }, () => shown);
  for (const line of shown) cli.out.say(line);
  const what = `${verb.name[0]?.toUpperCase()}${verb.name.slice(1)} ${count(found.length, 'job')}?`;
  await confirm(cli.io, what, yes);
  const given = Object.fromEntries(filterNames.map((name) => [name, options[name]]));
  const tally = { done: 0, asked: 0, asking: 0, busy: 0, left: 0 };
  for (let from = 0; from < found.length; from += BATCH_MAX) {
    const ids = found.slice(from, from + BATCH_MAX).map(({ job_id }) => job_id);
    const results = await act(session.db, verb, ids, { reason, filter, given });
    for (const result of results) tally[result] += 1;
  }
  if (tally.busy > 0) cli.exitCode = exitCodes.partial;
  cli.out.record({ jobs: found.length, [verb.state]: tally.done, ...rest(tally) }, () =>
    summary(verb, tally),
  );
}

type Nothing = { filter: JobFilter; failure: string | undefined };

/** Who names jobs in another state than the verb takes is told so. */
async function sayWhyNone(cli: Cli, db: Db, { of }: Verb, { filter, failure }: Nothing): Promise<void> {
  const others = filter.state === undefined && of.length === 1 ? await countJobs(db, filter) : 0;
  if (others === 0) return;
  const list = failure === undefined ? 'jobs list with the same filter' : `failures show ${failure}`;
  cli.out.say(
    `None is ${of[0]}; ${count(others, 'job')} ${isOrAre(others)} in another state: npx nightshift ${list}`,
  );
}

async function findEach(db: Db, { of }: Verb, filter: JobFilter): Promise<QueuedJob[]> {
  if (filter.state !== undefined || of.length > 1) return findJobs(db, filter, JOBS_MAX);
  return findJobs(db, { ...filter, state: of[0] }, JOBS_MAX);
}

async function countEach(db: Db, { of }: Verb, filter: JobFilter): Promise<number> {
  return countJobs(db, of.length > 1 ? filter : { ...filter, state: of[0] });
}

type Told = { reason: string | undefined; filter: JobFilter; given: Record<string, unknown> };

/** Nothing is done without its row in the audit log, which has the numbers of the jobs of which it was. */
async function act(db: Db, verb: Verb, ids: string[], { reason, filter, given }: Told): Promise<Result[]> {
  const final = new Map<string, Result>();
  await untilNotBusy(async () => {
    const open = ids.filter((id) => (final.get(id) ?? 'busy') === 'busy');
    const results = await db.transaction(async (tx) => {
      const found = await stillFound(tx, filter, open);
      const meant = open.filter((id) => found.has(id));
      const applied = await verb.apply(tx, meant, reason);
      const done = meant.filter((_, at) => isNews(applied[at] ?? 'left'));
      const cancelling = meant.filter((_, at) => applied[at] === 'asked');
      if (done.length > 0)
        await recordAction(tx, {
          action: `jobs.${verb.name}`,
          ...{ target: count(done.length, 'job'), brandId: filter.brandId },
          details: {
            filter: given,
            jobs: done.length,
            ids: done,
            ...(cancelling.length > 0 && { cancelling }),
            reason,
          },
        });
      for (const id of open) final.set(id, 'left');
      for (const [at, id] of meant.entries()) final.set(id, applied[at] ?? 'left');
      return applied;
    });
    return results;
  });
  return [...final.values()];
}

/** A row that is being claimed is free, or runs, in a moment. */
async function untilNotBusy(work: () => Promise<Result[]>): Promise<Result[]> {
  for (let tried = 1; ; tried++) {
    const results = await work();
    if (tried === TRIES || !results.includes('busy')) return results;
    await sleep(TRY_AGAIN_MS);
  }
}

function preview(found: readonly QueuedJob[], total: number): string[] {
  const more = total - Math.min(found.length, SAMPLE);
  return [
    `${count(total, 'job')}${total > found.length ? `; the first ${found.length} are taken, then run it again` : ''}`,
    ...found
      .slice(0, SAMPLE)
      .map(
        ({ job_id, task, lane, state, error }) =>
          `  ${[job_id, task, state, lane, error].map(cellOf).filter(Boolean).join('  ')}`,
      ),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

type Counts = Record<Result, number>;

function rest({ asked, asking, busy, left }: Counts): Record<string, number> {
  const cancelling = asked + asking;
  return { ...(cancelling > 0 && { cancelling }), ...(busy > 0 && { busy }), ...(left > 0 && { left }) };
}

function summary({ done: word }: Verb, { done, asked, asking, busy, left }: Counts): string[] {
  const ending = asked + asking;
  return [
    `${count(done, 'job')} ${word}`,
    ...(ending > 0 ? [`${count(ending, 'job')} broken off within seconds`] : []),
    ...(left > 0 ? [`${count(left, 'job')} had changed meanwhile and stay as they are`] : []),
    ...(busy > 0 ? [`${count(busy, 'job')} being changed by somebody else: run it again`] : []),
  ];
}
