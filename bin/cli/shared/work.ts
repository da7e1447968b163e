/**
 * Handles the jobs that a command has queued. With --wait it follows them to their end, and runs them itself if no
 * worker lives; without, it prints how to follow them.
 */
import { count } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';
import { complaints, exitCodeOfJobs, type Followed, type FollowOptions, follow, patience } from './follow.ts';
import { startLocalWorker } from './local_worker.ts';
import type { Cli } from './noun.ts';
import { type JobState, liveWorkers } from './queue_state.ts';
import type { Session } from './session.ts';

/** Says what waits and how to follow it. */
export async function sayQueued(cli: Cli, { db }: Session, jobs: readonly Followed[]): Promise<void> {
  const { length } = await liveWorkers(db);
  if (length > 0) return cli.out.say(`Queued ${count(jobs.length, 'job')}. Follow: npx nightshift jobs list`);
  cli.out.say(`Queued ${count(jobs.length, 'job')}, but no worker runs. Start one: npx nightshift up`);
}

/**
 * Follows the jobs, then those that `thenAlso` returns, until it returns none, and returns their states in that
 * order. The exit code becomes that of the worst job.
 */
export async function finish(
  cli: Cli,
  session: Session,
  jobs: readonly Followed[],
  { timeout, thenAlso }: { timeout: number; thenAlso?: () => Promise<Followed[]> },
): Promise<JobState[]> {
  await using own = await workerIfNone(cli, session);
  using progress = startProgress(cli.io.stderr);
  const { db } = session;
  const options: FollowOptions = { db, progress, patience: patience(timeout), broken: own.stopped };
  const states = await follow(jobs, options);
  const [all, allStates] = [[...jobs], [...states]];
  for (let more = await thenAlso?.(); more && more.length > 0; more = await thenAlso?.()) {
    all.push(...more);
    allStates.push(...(await follow(more, options)));
  }
  for (const line of complaints(all, allStates)) progress.note(line);
  cli.exitCode = exitCodeOfJobs(allStates);
  return allStates;
}

type OwnWorker = AsyncDisposable & { stopped?: Promise<void> };

async function workerIfNone(cli: Cli, session: Session): Promise<OwnWorker> {
  if ((await liveWorkers(session.db)).length > 0) return { async [Symbol.asyncDispose]() {} };
  cli.out.say('No worker runs, so this command does the work itself.');
  // After the wait the command must not go on with other jobs: they are handed back at once.
  return startLocalWorker(cli, session, { drainSeconds: 0 });
}
