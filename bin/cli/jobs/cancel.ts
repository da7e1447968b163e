/** `jobs cancel` */
import type { Command } from 'commander';
import { cancelJob } from '#sql/queue/jobs.ts';
import { currentAccount, recordAction } from '#sql/tenants/audit.ts';
import type { Cli } from '../shared/noun.ts';
import { jobStates } from '../shared/queue_state.ts';
import { openSession } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';
import { JobEnded, JobNotFound } from '../ui/errors.ts';
import { jobArgument } from './which.ts';

export function addCancel(command: Command, cli: Cli): void {
  command
    .command('cancel')
    .description('take a job off the queue for good; a run of it is broken off and commits nothing more')
    .addArgument(jobArgument())
    .option('--reason <text>', 'why, for its record', title)
    .action((id: string, { reason }: { reason?: string }) => cancel(cli, id, reason));
}

async function cancel(cli: Cli, id: string, reason: string | undefined): Promise<void> {
  await using session = await openSession(cli);
  const [job] = await jobStates(session.db, [id]);
  const cancelled = await session.db.transaction(async (tx) => {
    const done = await cancelJob(tx, id, cancellation(reason));
    if (done === undefined) return undefined;
    const details = { task: job?.task, was: job?.state, reason };
    await recordAction(tx, { action: 'jobs.cancel', target: id, details });
    return done;
  });
  if (cancelled === undefined) {
    const [ended] = await jobStates(session.db, [id]);
    if (!ended || ended.state === 'gone') throw new JobNotFound(id);
    throw new JobEnded(id, ended.state);
  }
  const state = cancelled === 'cancelled' ? 'cancelled' : 'cancelling';
  cli.out.record({ job_id: id, state }, () => [
    state === 'cancelled'
      ? `job ${id} is cancelled`
      : `job ${id} runs: it is broken off within seconds, and commits nothing more. See npx nightshift jobs show ${id}`,
  ]);
}

/** What the record of the job will say. */
export function cancellation(reason: string | undefined) {
  return {
    code: 'NS_JOB_CANCELLED',
    message: `${currentAccount()} cancelled it${reason === undefined ? '.' : `: ${reason}`}`,
    hint: 'Nothing to do. If the work is wanted after all it has to be queued anew.',
  };
}
