/**
 * graphile-worker, reduced to what we trust it with: waking up and claiming jobs.
 *
 * Since 0.17 it writes the end of a job without waiting for it and without looking whose the job is:
 * a stop loses the last one, a server that is away at that moment ends the process by an unhandled
 * rejection, a zombie deletes a job that runs elsewhere, and a quick retry by the same process is
 * undone by the failure of the run before. Its sweep frees what has run for 4 hours, alive or not.
 * We write all of that ourselves, in our own transactions (0002_queue.sql), so these statements of
 * the library are answered here, without the server and without a connection. They are known by the
 * names under which it prepares them; the version is pinned, and a test fails if one gets through.
 */
import { EventEmitter } from 'node:events';
import { Logger, type Runner, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import type pg from 'pg';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';

const SCHEMA = 'graphile_worker';
const POLL_MS = 1_000; // the net under notifications: what they lose, this finds
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
  /** What it writes into `locked_by`. */
  poolId: string;
  /** Settles when the library ends, asked or not. */
  ended: Promise<void>;
  /** No further claims; settles when the jobs in hand are through. */
  stop(): Promise<void>;
  /** How many attempts to get a job have failed in a row. */
  failures(): number;
};

export type GraphileOptions = {
  db: Db;
  taskList: TaskList;
  concurrency: number;
  log: Log;
  /** Awaited before each claim. */
  mayClaim: () => Promise<void>;
};

export async function startGraphile(options: GraphileOptions): Promise<Graphile> {
  const { db, taskList, concurrency, log, mayClaim } = options;
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
  const runner: Runner = await run({
    pgPool: claimsOnly(db.pool),
    taskList,
    concurrency,
    events,
    logger: new Logger(() => (level, message, { failure }) => {
      // A failed job has its line from us. What the library calls an error mends itself or ends it.
      log[level === 'error' && !failure ? 'warn' : 'trace']({ graphile: message }, 'queue');
    }),
    noHandleSignals: true,
    pollInterval: POLL_MS,
    schema: SCHEMA,
    parsedCronItems: [],
    forbiddenFlags: () => mayClaim().then(() => null),
  });
  runner.promise.catch(() => {}); // whoever waits for `ended` hears of it
  return {
    poolId,
    ended: runner.promise,
    stop: () => runner.stop().catch(() => runner.promise), // it may have stopped by itself
    failures: () => failures,
  };
}

type Connected = Parameters<pg.Pool['connect']>[0];

/**
 * The pool as the library sees it. A connection is taken at its first real statement only: for one
 * that we answer ourselves there may be none to have, and the library would fail at that.
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
