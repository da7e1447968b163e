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
import { rejectedLines, rejectedOf } from './rejected.ts';
import { RUNS_MAX, readRuns, runLines } from './runs.ts';
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
    .description(`show a job with its runs (the latest ${RUNS_MAX})`)
    .addArgument(jobArgument())
    .action(async (id: string) => {
      await using session = await openSession(cli);
      const [job] = await jobStates(session.db, [id]);
      const { runs, hasMore } = await readRuns(session.db, id);
      if (!job || (job.state === 'gone' && runs.length === 0)) throw new JobNotFound(id);
      const last = runs.at(-1);
      const rejected = last?.outcome === 'partial' ? await rejectedOf(session.db, last) : [];
      cli.out.record({ ...job, runs, rejected }, () => [
        `job ${id}  ${job.task}  ${job.state}`,
        ...(job.run_at && !last?.finished_at ? [`runs at ${instant(job.run_at)}`] : []),
        ...runs.flatMap(runLines),
        ...rejectedLines(rejected),
      ]);
      if (hasMore) cli.out.say(`There are earlier runs: the latest ${RUNS_MAX} are shown.`);
    });
}
