/** `schedules next` */
import type { Command } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { databaseTime } from '#sql/schedules/schedules.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { isoInstant, zone } from '../ui/arguments.ts';
import { instant } from '../ui/output.ts';
import { firingSlots } from './firing.ts';
import { localTime } from './times.ts';
import { countOption, findWhich, ownerOptions, type Which } from './which.ts';

type Options = Which & { count: number; expression?: string; timeZone?: string; from?: string };

export function addNext(command: Command, cli: Cli): void {
  ownerOptions(command.command('next'))
    .description('show the next slots of a schedule, or of an expression')
    .argument('[schedule]', 'number of the schedule, as shown by schedules list, or its name')
    .addOption(countOption(1_000, 5))
    .option('--expression <expression>', 'expression to show instead of a schedule')
    .option('--time-zone <zone>', 'IANA time zone of --expression (default: UTC)', zone)
    .option('--from <instant>', 'show slots after this instant (default: now)', isoInstant)
    .action(async (said: string | undefined, options: Options) => next(command, cli, said, options));
}

async function next(command: Command, cli: Cli, said: string | undefined, options: Options): Promise<void> {
  const { expression, timeZone, from, count } = options;
  if ((said === undefined) === (expression === undefined))
    command.error('error: name a schedule, or give --expression', { exitCode: exitCodes.usage });
  await using session = await openSession(cli);
  const row = said === undefined ? undefined : await findWhich(session.db, said, options);
  const which = row ?? { expression: expression ?? '', timeZone: timeZone ?? 'UTC', excludedDays: [] };
  const start = from === undefined ? await databaseTime(session.db) : new Date(from);
  const { slots, stoppedAt } = firingSlots(which, start, count);
  cli.out.list(
    slots.map((at) => ({ local: localTime(at, which.timeZone), utc: at, time_zone: which.timeZone })),
    ['local', 'utc', 'time_zone'],
  );
  if (stoppedAt)
    cli.out.say(
      `Only excluded days were found up to ${instant(stoppedAt)}: add --from ${instant(stoppedAt)} to look further.`,
    );
  if (row?.pausedAt) cli.out.say(`It is paused: these slots will not fire before it is resumed.`);
}
