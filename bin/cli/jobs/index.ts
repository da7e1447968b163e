import type { Command } from 'commander';
import type { Cli, Noun } from '../shared/noun.ts';
import { jobStates } from '../shared/queue_state.ts';
import { openSession } from '../shared/session.ts';
import { instant } from '../ui/output.ts';
import { addVerb } from './act.ts';
import { JobNotFound } from './errors.ts';
import { jobArgument } from './filter.ts';
import { addList } from './list.ts';
import { addPauses } from './pause.ts';
import { addPrune } from './prune.ts';
import { cancel, discard, retry } from './verbs.ts';
import { addWhy } from './why.ts';

export const noun: Noun = (command, cli) => {
  addList(command, cli);
  addShow(command, cli);
  addWhy(command, cli);
  for (const verb of [retry, cancel, discard]) addVerb(command, cli, verb);
  addPauses(command, cli);
  addPrune(command, cli);
};

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
