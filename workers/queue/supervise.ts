/**
 * Keeps the library claiming. It can end by itself (on an unexpected error) or stay up and fail at every claim (it
 * caches a failed lookup of its tasks for ever, such as during an outage of the server). In both cases it is restarted;
 * after too many restarts the worker fails.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { coded } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import type { Graphile } from './graphile.ts';

const LOOK_MS = 1_000;
const FAILURES_MAX = 5; // in a row, without a successful or empty claim in between
const STUCK_LOOKS_MAX = 5;
const RESTARTS_MAX = 5;
const RESTARTS_WINDOW_MS = 60_000;

export class QueueFailing extends coded('NS_QUEUE_FAILING') {
  constructor(restarts: number) {
    super(`The queue library ended ${restarts} times within a minute; this worker cannot continue.`, {
      hint: 'The log lines before this one say why. Its jobs were handed back; start the worker again.',
    });
  }
}

export type Supervised = {
  log: Log;
  db: Db;
  stop: AbortSignal;
  /** Starts the library and registers it. Called again after each end. */
  start(): Promise<Graphile>;
};

/** Resolves after a stop, when the running jobs are done; rejects when it cannot continue. */
export async function supervise(first: Graphile, { log, db, stop, start }: Supervised): Promise<void> {
  const restarts: number[] = [];
  for (let graphile = first; ; graphile = await start()) {
    await untilEnded(graphile, db, stop);
    if (stop.aborted) return;
    const now = performance.now();
    restarts.push(now);
    const recent = restarts.filter((at) => now - at < RESTARTS_WINDOW_MS).length;
    if (recent > RESTARTS_MAX) throw new QueueFailing(recent);
    log.warn({ recent }, 'the queue library ended by itself and is restarted');
  }
}

async function untilEnded(graphile: Graphile, db: Db, stop: AbortSignal): Promise<void> {
  const ended = new AbortController();
  graphile.ended.catch(() => {}).finally(() => ended.abort());
  const wake = AbortSignal.any([stop, ended.signal]);
  for (let stuck = 0; !wake.aborted && stuck < STUCK_LOOKS_MAX; ) {
    await sleep(LOOK_MS, undefined, { signal: wake }).catch(() => {});
    // During an outage of the server every claim fails, and the library is not at fault.
    stuck = graphile.failures() >= FAILURES_MAX && (await answers(db)) ? stuck + 1 : 0;
  }
  if (!ended.signal.aborted) await graphile.stop();
}

async function answers(db: Db): Promise<boolean> {
  return db.query('select').then(
    () => true,
    () => false,
  );
}
