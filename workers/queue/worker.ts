/**
 * A worker process: claims jobs, runs them, hands back what others left behind, and stops in order.
 * It lives through restarts of PostgreSQL. If it cannot go on, `stopped` rejects, so that the
 * process ends with an exit code that says so.
 */
import type { TaskList } from 'graphile-worker';
import type { Log } from '#runtime/log.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { assertKeysFit } from '#sql/tenants/secrets.ts';
import type { Services, Task } from '#tasks/task.ts';
import { untilAnswered } from './db_retry.ts';
import { drain, handBack, makeStops, STOP_SECONDS_MAX } from './drain.ts';
import { type Graphile, startGraphile } from './graphile.ts';
import { join } from './liveness.ts';
import { watchPauses } from './pauses.ts';
import { type RunningJob, rescue } from './rescuer.ts';
import { claimOf, type RunOptions, runJob } from './run_job.ts';
import { supervise } from './supervise.ts';
import { watchEventLoop } from './watchdog.ts';

export type WorkerOptions = {
  url: string;
  /** Jobs at a time. */
  concurrency: number;
  /** How long running jobs may go on after `stop` before they are broken off and handed back. */
  drainSeconds: number;
  /**
   * How long the event loop may stand still before the process is ended; 0 or nothing: for ever. Never longer
   * than a stop may take, because a process that stands still does not hear that it must stop.
   */
  stallSeconds?: number;
  log: Log;
  tasks: readonly Task[];
  services: Services;
  /** Hears of each error that a person must act on: the job is dead, or its connection held. */
  report?: Report;
};

type Report = (error: unknown, tags: Record<string, string>) => void;

export type Worker = AsyncDisposable & {
  /** Settles when the worker has ended; rejects if it could not go on, or left jobs in its name. */
  stopped: Promise<void>;
  stop(): Promise<void>;
};

const CONTROL_CONNECTIONS = 3; // the advisory lock, the sweep, and one to spare
const SETTLING_MAX = 8; // runs that begin or end at the same moment; the others wait a moment for their turn

/** Starts a worker; leaving the scope stops it. */
export async function startWorker({ url, concurrency, log, ...options }: WorkerOptions): Promise<Worker> {
  await using opening = new AsyncDisposableStack();
  const open = (applicationName: string, max: number, address = url) =>
    opening.use(openDb(address, { applicationName, max }));
  const db = open('nightshift jobs', 2 * concurrency + 2);
  const control = open('nightshift worker', Math.min(concurrency, SETTLING_MAX) + CONTROL_CONNECTIONS);
  const queue = open('nightshift queue', concurrency + 1, forClaims(url)); // and one that listens
  await assertSchema(control);
  await assertKeysFit(control, options.services.sealer);
  const stops = makeStops();
  const liveness = await join(control, log, stops.claiming.signal);
  opening.defer(() => liveness.leave());
  const { stallSeconds, drainSeconds } = options;
  if (stallSeconds) opening.use(watchEventLoop(Math.min(stallSeconds, drainSeconds + STOP_SECONDS_MAX), log));

  const running: Running = new Set();
  const { services } = options;
  const tasks = options.tasks.map(({ name }) => name);
  const runs = {
    db,
    control,
    log,
    services,
    tasks,
    stop: stops.running.signal,
    giveUp: stops.waiting.signal,
  };
  const taskList = handlers(
    options.tasks,
    running,
    { ...runs, claiming: stops.claiming.signal },
    options.report,
  );
  let poolId = '';
  const forbidden = watchPauses(control);
  const claim = async (): Promise<Graphile> => {
    const mayClaim = () => liveness.ready();
    const graphile = await startGraphile({ db: queue, taskList, concurrency, log, mayClaim, forbidden });
    poolId = graphile.poolId;
    await liveness.register(poolId).catch(async (error) => {
      stops.claiming.abort();
      await graphile.stop();
      throw error;
    });
    return graphile;
  };
  const claimAgain = () =>
    untilAnswered(stops.claiming.signal, async () => {
      await assertSchema(control);
      return claim();
    });
  const first = await claim();
  const opened = opening.move();

  const sweeping = rescue({
    db: control,
    log,
    stop: stops.sweeping.signal,
    self: liveness.id,
    poolId: () => poolId,
    running: () => [...running],
    rejoinedAt: liveness.rejoinedAt,
  });
  const claiming = supervise(first, { log, db: control, stop: stops.claiming.signal, start: claimAgain });
  const end = async () => {
    await using _ = opened;
    const idle = claiming.catch(() => {}); // the reason is reported at the end
    await drain(stops, idle, drainSeconds);
    await sweeping;
    await handBack(control, poolId);
    await claiming;
  };
  let ended: Promise<void> | undefined;
  const stop = () => {
    ended ??= end();
    return ended;
  };
  // If claiming ends by itself the worker cannot go on, and ends in order.
  const stopped = claiming.then(stop, stop);
  stopped.catch(() => {}); // the caller of `stop`, or the awaiter, gets the error
  return { stopped, stop, [Symbol.asyncDispose]: stop };
}

/** Claims need not wait for the disk: of one that a crash of the server loses, the fence refuses the run. */
function forClaims(url: string): string {
  const address = new URL(url);
  const given = address.searchParams.get('options') ?? '';
  address.searchParams.set('options', `${given} -c synchronous_commit=off`.trim());
  return address.href;
}

/** Tells the library that a job did not succeed; what becomes of it is written already. */
class Settled extends Error {}

/** Not ids alone: a run that lost its job may still go on when the next run of it begins here. */
type Running = Set<RunningJob>;

/** The tasks as the library calls them. `running` names the jobs in hand. */
function handlers(
  tasks: readonly Task[],
  running: Running,
  { claiming, ...options }: Omit<RunOptions, 'lost'> & { claiming: AbortSignal },
  report: Report | undefined,
): TaskList {
  const handler = (task: Task): TaskList[string] => {
    return async (_payload, { job }) => {
      const lost = new AbortController();
      const run = { ...claimOf(job), lose: () => lost.abort() };
      running.add(run);
      try {
        const stop = claiming.aborted ? claiming : options.stop; // a claim was under way when claiming stopped
        const { outcome, error } = await runJob(task, job, { ...options, stop, lost: lost.signal });
        if (error !== undefined && (outcome === 'dead' || outcome === 'held'))
          report?.(error, { task: task.name });
        if (outcome !== 'succeeded' && outcome !== 'partial') throw new Settled(outcome);
      } catch (error) {
        // Its row stays in our name: the sweep hands it back when PostgreSQL can be reached.
        if (!(error instanceof Settled))
          options.log.error({ job: job.id, err: error }, 'a run could not be written');
        throw error;
      } finally {
        running.delete(run);
      }
    };
  };
  return Object.fromEntries(tasks.map((task) => [task.name, handler(task)]));
}
