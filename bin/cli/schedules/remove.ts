/** `schedules remove` */
import type { Command } from 'commander';
import { removeSchedule } from '#workers/scheduler/actions.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { confirm } from '../ui/confirm.ts';
import { actor, findWhich, type Which, whichSchedule } from './which.ts';

export function addRemove(command: Command, cli: Cli): void {
  whichSchedule(command.command('remove').description('remove an added schedule and its history'))
    .option('--yes', 'do not ask for confirmation')
    .action(async (said: string, options: Which & { yes?: boolean }) => {
      await using session = await openSession(cli);
      const { id, name } = await findWhich(session.db, said, options);
      await confirm(cli.io, `Remove schedule ${id} ${name} and its ledger?`, options.yes);
      await removeSchedule(session.db, id, actor());
      cli.out.record({ id, name, removed: true }, () => [`Removed schedule ${id} ${name}.`]);
    });
}
