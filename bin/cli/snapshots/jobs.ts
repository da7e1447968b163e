/** What a command says of jobs that it has queued, one a brand: that they wait, or how they ended. */
import type { Followed } from '../shared/follow.ts';
import type { Cli } from '../shared/noun.ts';
import type { WaitOptions } from '../shared/options/options.ts';
import type { Session } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';

/** `columns`: those of the tally that a person reads. */
export async function endJobs(
  cli: Cli,
  session: Session,
  jobs: readonly (Followed & { brand: string })[],
  { wait, timeout, columns }: WaitOptions & { columns: readonly string[] },
): Promise<void> {
  if (!wait) {
    await sayQueued(cli, session, jobs);
    return cli.out.list(
      jobs.map((job) => ({ job_id: job.id, brand: job.brand })),
      ['job_id', 'brand'],
    );
  }
  const states = await finish(cli, session, jobs, { timeout });
  const done = jobs.map(({ id, brand: of }, at) => ({
    ...{ job_id: id, brand: of, state: states[at]?.state },
    ...states[at]?.tally,
    error: states[at]?.error_message,
  }));
  cli.out.list(done, ['brand', 'state', ...columns, 'error']);
}
