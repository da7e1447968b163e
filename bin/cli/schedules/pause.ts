/** `schedules pause` */
import type { Command } from 'commander';
import { nightly } from '#tasks/nightly.ts';
import { pauseSchedule } from '#workers/scheduler/actions.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { isoInstant, title } from '../ui/arguments.ts';
import { actor, findWhich, type Which, whichSchedule } from './which.ts';

type Options = Which & { reason: string; until?: string };

export function addPause(command: Command, cli: Cli): void {
  whichSchedule(
    command.command('pause').description('keep a schedule from firing; its slots are recorded as they pass'),
  )
    .requiredOption('--reason <text>', 'reason for the pause', title)
    .option('--until <instant>', 'resume automatically after this instant', isoInstant)
    .action(async (said: string, options: Options) => {
      await using session = await openSession(cli);
      const { id, name, task } = await findWhich(session.db, said, options);
      const { reason } = options;
      const until = options.until === undefined ? undefined : new Date(options.until);
      await pauseSchedule(session.db, id, { reason, until }, actor());
      cli.out.record({ id, name, state: 'paused', reason, until }, () => [
        `Schedule ${id} ${name} is paused.`,
      ]);
      // A night that is skipped never comes: its day is never judged.
      const missed = task === nightly.name ? 'latest' : 'skip';
      cli.out.say(`Next: npx nightshift schedules resume ${id} --missed ${missed}`);
    });
}
