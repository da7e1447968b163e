/** `jobs list` */
import type { Command } from 'commander';
import { findJobs, findRuns, queueStates, runOutcomes, type State } from '#sql/queue/find.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';
import { instant } from '../ui/output.ts';
import { type FilterOptions, filterOptions, readFilter } from './filter.ts';

const LIST_MAX = 200;
const MORE = 'There are more. Narrow it down: npx nightshift jobs list --help';
const QUEUED_COLUMNS = ['job_id', 'task', 'lane', 'priority', 'state', 'attempts', 'run_at', 'error'];
const FINISHED_COLUMNS = [
  ...['job_id', 'task', 'outcome', 'attempt', 'finished_at', 'seconds', 'error_code', 'error'],
];

export function addList(command: Command, cli: Cli): void {
  const verb = command
    .command('list')
    .description(`list the queue, next job first, or runs that have ended (at most ${LIST_MAX})`);
  filterOptions(verb, [...new Set([...queueStates, ...runOutcomes])])
    .option('--finished', 'runs that have ended instead, latest first; so do states that only they have')
    .action((options: Options) => list(cli, options));
}

type Options = FilterOptions & { finished?: boolean };

const isOf = (states: readonly State[], state: State | undefined) =>
  state === undefined || states.includes(state);

async function list(cli: Cli, options: Options): Promise<void> {
  const { state, finished = !isOf(queueStates, state) } = options;
  if (finished && !isOf(runOutcomes, state))
    throw new UsageError(
      `No run has ended as ${state}.`,
      `one of ${runOutcomes.join(', ')}, or without --finished`,
    );
  await using session = await openSession(cli);
  const filter = await readFilter(session.db, options);
  if (!finished) {
    const jobs = await findJobs(session.db, filter, LIST_MAX + 1);
    cli.out.list(jobs.slice(0, LIST_MAX), QUEUED_COLUMNS);
    if (jobs.length > LIST_MAX) cli.out.say(MORE);
    return;
  }
  const { runs, readTo } = await findRuns(session.db, filter, LIST_MAX + 1);
  cli.out.list(runs.slice(0, LIST_MAX), FINISHED_COLUMNS);
  if (runs.length > LIST_MAX) cli.out.say(MORE);
  else if (readTo)
    cli.out.say(`Runs before ${instant(readTo)} were not looked at: name a connection to look further back.`);
}
