/** `schedules run` */
import type { Command } from 'commander';
import { nightly } from '#tasks/nightly.ts';
import { runSchedule } from '#workers/scheduler/actions.ts';
import type { Cli } from '../shared/noun.ts';
import { type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { nightStep } from './night_step.ts';
import { actor, findWhich, type Which, whichSchedule } from './which.ts';

export function addRun(command: Command, cli: Cli): void {
  const verb = whichSchedule(
    command.command('run').description('run the task of a schedule now, outside its slots'),
  );
  waitOptions(verb).action(async (said: string, options: Which & WaitOptions) => {
    await using session = await openSession(cli);
    const { id, task, brand } = await findWhich(session.db, said, options);
    const job = await runSchedule(session.db, id, actor());
    const jobs = [{ id: job, label: task }];
    if (!options.wait) {
      await sayQueued(cli, session, jobs);
      return cli.out.record({ job_id: job }, () => [`job ${job}`]);
    }
    const [state] = await finish(cli, session, jobs, options);
    cli.out.record({ job_id: job, state: state?.state, tally: state?.tally }, () => [
      `job ${job}  ${state?.state}`,
    ]);
    const step = task === nightly.name ? nightStep(state?.tally, brand) : undefined;
    if (step !== undefined) cli.out.say(step);
  });
}
