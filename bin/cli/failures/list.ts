/** `failures list` */
import { type Command, Option } from 'commander';
import { type FailureState, failureStates, listFailures } from '#sql/triage/failures.ts';
import { type FilterOptions, readFilter } from '../jobs/filter.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { isoInstant } from '../ui/arguments.ts';

const LIST_MAX = 200;
const COLUMNS = [
  ...['id', 'state', 'brand', 'task', 'failures', 'dead', 'held', 'trying', 'last_at', 'owner', 'error_code'],
  'message',
];

type Options = Omit<FilterOptions, 'state' | 'failure'> & { state?: FailureState | 'all' };

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description(`list groups that jobs on the queue bear, open ones first (at most ${LIST_MAX})`)
    .option('--task <task>', 'only failures of this task')
    .option('--brand <brand>', 'only failures of this brand')
    .option('--connection <connection>', 'only failures of this connection, by its name or id')
    .addOption(
      new Option('--state <state>', 'only groups in this state; over: no job bears it any more').choices([
        ...failureStates,
        'all',
      ]),
    )
    .option('--since <instant>', 'only groups that failed since', isoInstant)
    .option('--text <text>', 'only groups whose error contains this text (case-insensitive)')
    .action((options: Options) => list(cli, options));
}

async function list(cli: Cli, { state, ...options }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { state: _, ...filter } = await readFilter(session.db, options);
  const groups = await listFailures(session.db, { ...filter, state }, LIST_MAX + 1);
  cli.out.list(groups.slice(0, LIST_MAX), COLUMNS);
  if (groups.length > LIST_MAX)
    cli.out.say('There are more. Narrow it down: npx nightshift failures list --help');
  const first = groups.find((group) => group.state === 'open');
  if (first) cli.out.say(`Next: npx nightshift failures show ${first.id}`);
}
