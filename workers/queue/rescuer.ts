/**
 * What every worker does each second: tell the runs whose jobs were taken from them, or are to be cancelled; look for
 * workers that died, and hand their jobs back; and keep the order of the queue, which must not delay the others.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import type { Claim } from '#sql/queue/jobs.ts';
import { lostClaims, returnStrays, sweepStrangers, sweepTurns, sweepWorkers } from '#sql/queue/workers.ts';

export const RESCUE_MS = 1_000;
// These two read the whole queue, and find what happens once in a blue moon.
const SLOW_EVERY = 10;
export const GRACE_SECONDS = 10;
// When our own lock was lost, a restarted server lost everybody's: they get this long to come back.
const OTHERS_MAY_RETURN_MS = 2_000;

/** A run that goes on. `lose` tells it that its claim does not stand any more. */
export type RunningJob = Claim & { lose(): void };

export type RescuerOptions = {
  db: Db;
  log: Log;
  stop: AbortSignal;
  /** Which worker asks. */
  self: string;
  poolId: () => string;
  running: () => readonly RunningJob[];
  rejoinedAt: () => number | undefined;
};

/** Resolves when `stop` aborts. A database error does not end it: it tries again a second later. */
export async function rescue(options: RescuerOptions): Promise<void> {
  const { stop, log } = options;
  for (let round = 0; !stop.aborted; round++) {
    await sweepOnce(options, round % SLOW_EVERY === SLOW_EVERY - 1).catch((error) => {
      log.debug({ reason: messageOf(error) }, 'the sweep could not be done');
    });
    await sleep(RESCUE_MS, undefined, { signal: stop }).catch(() => {});
  }
}

async function sweepOnce(
  { db, log, self, poolId, running, rejoinedAt }: RescuerOptions,
  slow: boolean,
): Promise<void> {
  if (performance.now() - (rejoinedAt() ?? -Infinity) < OTHERS_MAY_RETURN_MS) return;
  for (const lost of await lostClaims(db, running())) lost.lose();
  const ofDead = await sweepWorkers(db, self);
  const ofStrangers = slow ? await sweepStrangers(db, GRACE_SECONDS) : 0;
  const own = { poolId: poolId(), running: running().map(({ jobId }) => jobId), graceSeconds: GRACE_SECONDS };
  const ofOurs = slow ? await returnStrays(db, own) : 0;
  const jobs = ofDead + ofStrangers + ofOurs;
  if (jobs > 0) log.warn({ jobs, ofDead, ofStrangers, ofOurs }, 'handed jobs back');
  await sweepTurns(db).catch((error) => {
    log.warn({ reason: messageOf(error) }, 'the order of the queue could not be kept');
  });
}
