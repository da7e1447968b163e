/** `schedules edit` */
import type { Command } from 'commander';
import { editSchedule, ScheduleRefused } from '#workers/scheduler/actions.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { nextFiring } from './firing.ts';
import { type PolicyOptions, policyOf, policyOptions } from './policy_options.ts';
import { localTime } from './times.ts';
import { actor, findWhich, type Which, whichSchedule } from './which.ts';

export function addEdit(command: Command, cli: Cli): void {
  const verb = whichSchedule(
    command.command('edit').description('change a schedule from now on; past slots stay as they are'),
  ).option('--expression <fields>', "when it fires: minute hour day month weekday, such as '0 2 * * *'");
  policyOptions(verb).action(async (said: string, options: Which & PolicyOptions) => {
    const given = policyOf(options);
    if (Object.keys(given).length === 0)
      throw new ScheduleRefused('Nothing is to be changed.', {
        hint: 'npx nightshift schedules edit --help',
      });
    await using session = await openSession(cli);
    const { id, name } = await findWhich(session.db, said, options);
    const edit = await editSchedule(session.db, id, given, actor());
    const edited = await findWhich(session.db, String(id), {});
    const next = nextFiring(edited);
    cli.out.record({ id, name, ...edit, next }, () => [
      `Changed schedule ${id} ${name}. It fires next at ${next ? localTime(next, edited.timeZone) : 'no time'}.`,
    ]);
  });
}
