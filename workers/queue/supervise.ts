/**
 * Keeps the library claiming. It can end by itself (an error it did not expect) or stay up and fail
 * at every claim (it remembers for good that looking up its tasks failed once, as when the server
 * went away in that moment). In both cases it is started anew; when that happens too often the
 * worker cannot go on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { coded } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import type { Graphile } from './graphile.ts';

const LOOK_MS = 1_000;
const FAILURES_MAX = 5; // in a row, without a claim or an empty answer between
const STUCK_LOOKS_MAX = 5;
const RESTARTS_MAX = 5;
const RESTARTS_WINDOW_MS = 60_000;

export class QueueFailing extends coded('NS_QUEUE_FAILING') {
  constructor(restarts: number) {
    super(`The queue library ended ${restarts} times within a minute; this worker cannot go on.`, {
      hint: 'The log lines before this one say why. Its jobs were handed back; start the worker again.',
    });
  }
}

export type Supervised = {
  log: Log;
  db: Db;
  stop: AbortSignal;
  /** Starts the library and registers it. Asked again after each end. */
  start(): Promise<Graphile>;
};

/** Settles when told to stop and the jobs in hand are through; rejects when it cannot go on. */
export async function supervise(first: Graphile, { log, db, stop, start }: Supervised): Promise<void> {
  const restarts: number[] = [];
  for (let graphile = first; ; graphile = await start()) {
    await untilEnded(graphile, db, stop);
    if (stop.aborted) return;
    const now = performance.now();
    restarts.push(now);
    const recent = restarts.filter((at) => now - at < RESTARTS_WINDOW_MS).length;
    if (recent > RESTARTS_MAX) throw new QueueFailing(recent);
    log.warn({ recent }, 'the queue library ended by itself and is started again');
  }
}

async function untilEnded(graphile: Graphile, db: Db, stop: AbortSignal): Promise<void> {
  const ended = new AbortController();
  graphile.ended.catch(() => {}).finally(() => ended.abort());
  const wake = AbortSignal.any([stop, ended.signal]);
  for (let stuck = 0; !wake.aborted && stuck < STUCK_LOOKS_MAX; ) {
    await sleep(LOOK_MS, undefined, { signal: wake }).catch(() => {});
    // While the server is away every claim fails, and nothing is wrong with the library.
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
