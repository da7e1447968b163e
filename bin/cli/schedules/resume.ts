/** `schedules resume` */
import { type Command, Option } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { FIRED_AT_ONCE_MAX, type Missed, resumeSchedule } from '#workers/scheduler/actions.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { count } from '../ui/format.ts';
import { actor, findWhich, type Which, whichSchedule } from './which.ts';

export function addResume(command: Command, cli: Cli): void {
  whichSchedule(command.command('resume').description('resume a paused schedule'))
    .addOption(
      new Option(
        '--missed <which>',
        `which slots that the pause suppressed fire now; all: the latest ${FIRED_AT_ONCE_MAX} at most`,
      )
        .choices(['skip', 'latest', 'all'])
        .default('skip'),
    )
    .action(async (said: string, options: Which & { missed: Missed }) => {
      await using session = await openSession(cli);
      const { id, name } = await findWhich(session.db, said, options);
      const { fired, failed, left } = await resumeSchedule(session.db, id, options.missed, actor());
      cli.out.record({ id, name, state: 'active', fired, failed, left }, () => [
        `Schedule ${id} ${name} fires again; ${count(fired, 'missed slot')} fired now${failed > 0 ? `, of ${failed} no job could be made: npx nightshift schedules history ${id}` : ''}.`,
      ]);
      if (options.missed === 'all' && left > 0)
        cli.out.say(
          `${count(left, 'earlier missed slot')} did not fire: at most ${FIRED_AT_ONCE_MAX} fire at once. Fire them: npx nightshift schedules backfill ${id} --since …`,
        );
      if (failed > 0) cli.exitCode = exitCodes.partial;
    });
}
