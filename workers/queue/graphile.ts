/**
 * graphile-worker, reduced to waking up and claiming jobs.
 *
 * Since 0.17 it writes the end of a job without awaiting it and without checking the owner of the job: a stop loses the
 * last one, a server outage at that moment ends the process by an unhandled rejection, a zombie deletes a job that runs
 * elsewhere, and the failure of an earlier run undoes a quick retry by the same process. Its sweep frees jobs that have
 * run for 4 hours, alive or not. We write all of that ourselves, in our own transactions (0002_queue.sql), so these
 * statements of the library are answered here, without server and connection. They are recognised by the names of their
 * prepared statements; the version is pinned, and a test fails if one gets through.
 */
import { EventEmitter } from 'node:events';
import { Logger, type Runner, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import type pg from 'pg';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import { SOON_SECONDS } from '#tasks/enqueue.ts';

const SCHEMA = 'graphile_worker';
const INSERTED = 'jobs:insert';
const POLL_MS = 1_000; // finds jobs whose notification was lost, and those whose time has come
/** Notifications of this time share a look. */
const GRAIN_MS = 50;
const NOT_ITS_BUSINESS = [
  'complete_job',
  'complete_jobs',
  'complete_job_q',
  'fail_job',
  'fail_jobs',
  'fail_job_q',
  'clear_stale_locks',
].map((name) => `${name}/${SCHEMA}`);

export type Graphile = {
  /** The value of `locked_by`. */
  poolId: string;
  /** Settles when the library ends, stopped or not. */
  ended: Promise<void>;
  /** Stops claiming; resolves when the running jobs are done. */
  stop(): Promise<void>;
  /** The number of failed claims in a row. */
  failures(): number;
};

export type GraphileOptions = {
  db: Db;
  taskList: TaskList;
  concurrency: number;
  log: Log;
  /** Awaited before each claim. */
  mayClaim: () => Promise<void>;
  /** Flags of jobs that are not to be claimed; null for none, which costs a claim nothing. */
  forbidden: () => Promise<string[] | null>;
};

export async function startGraphile(options: GraphileOptions): Promise<Graphile> {
  const { db, taskList, concurrency, log, mayClaim, forbidden } = options;
  const events: WorkerEvents = new EventEmitter();
  let poolId = '';
  let failures = 0;
  events.on('pool:create', ({ workerPool }) => {
    poolId = workerPool.id;
  });
  events.on('worker:getJob:error', () => {
    failures += 1;
  });
  for (const event of ['worker:getJob:empty', 'job:start'] as const) {
    events.on(event, () => {
      failures = 0;
    });
  }
  const looks = lookAgain(events);
  const runner: Runner = await run({
    pgPool: claimsOnly(db.pool),
    taskList,
    concurrency,
    events,
    logger: new Logger(() => (level, message, { failure }) => {
      // We log failed jobs ourselves. Other errors of the library are transient or end it.
      log[level === 'error' && !failure ? 'warn' : 'trace']({ graphile: message }, 'queue');
    }),
    noHandleSignals: true,
    pollInterval: POLL_MS,
    schema: SCHEMA,
    parsedCronItems: [],
    forbiddenFlags: () => mayClaim().then(forbidden),
  });
  runner.promise.then(looks.stop, looks.stop);
  runner.promise.catch(() => {}); // the awaiter of `ended` gets the error
  return {
    poolId,
    ended: runner.promise,
    stop() {
      looks.stop();
      return runner.stop().catch(() => runner.promise); // it may have stopped by itself
    },
    failures: () => failures,
  };
}

/** A job that was queued a moment ahead is looked for when that moment is over: its notification came with the queueing. */
function lookAgain(events: WorkerEvents): { stop(): void } {
  const timers = new Set<NodeJS.Timeout>();
  let lastAt = Number.NEGATIVE_INFINITY;
  let isOver = false;
  events.on('pool:listen:notification', ({ workerPool, message }) => {
    const now = performance.now();
    if (isOver || message.channel !== INSERTED || now - lastAt < GRAIN_MS) return;
    lastAt = now;
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        if (!workerPool._shuttingDown) workerPool.nudge(1);
      },
      SOON_SECONDS * 1000 + GRAIN_MS,
    );
    timers.add(timer);
  });
  return {
    stop() {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

type Connected = Parameters<pg.Pool['connect']>[0];

/**
 * The pool as the library sees it. It takes a connection only for the first real statement: for a statement that we
 * answer ourselves none may be available, and the library would fail.
 */
function claimsOnly(pool: pg.Pool): pg.Pool {
  const lazy = () => {
    let taken: Promise<pg.PoolClient> | undefined;
    return {
      query: async (query: pg.QueryConfig | string, values?: unknown[]) => {
        if (NOT_ITS_BUSINESS.includes(Object(query).name)) return nothing;
        taken ??= pool.connect();
        return (await taken).query(query, values);
      },
      release: () => taken?.then((client) => client.release()),
    };
  };
  const connect = (callback?: Connected) => (callback ? pool.connect(callback) : Promise.resolve(lazy()));
  return Object.assign(Object.create(pool) as pg.Pool, { connect });
}

const nothing: pg.QueryResult = { command: '', rowCount: 0, oid: 0, fields: [], rows: [] };
