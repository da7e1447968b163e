/**
 * What every worker does each second: look for workers that died, and hand their jobs back. Now and then it
 * also sees to it that old records are deleted once a day.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import { returnStrays, sweepStrangers, sweepWorkers } from '#sql/queue/workers.ts';
import { enqueueIfDue } from '#tasks/retention.ts';

export const RESCUE_MS = 1_000;
// These two read the whole queue, and find what happens once in a blue moon; retention is due once a day.
const SLOW_EVERY = 10;
export const GRACE_SECONDS = 10;
// When our own lock was lost, a restarted server lost everybody's: they get this long to come back.
const OTHERS_MAY_RETURN_MS = 2_000;

export type RescuerOptions = {
  db: Db;
  log: Log;
  stop: AbortSignal;
  /** Which worker asks. */
  self: string;
  poolId: () => string;
  running: () => readonly string[];
  rejoinedAt: () => number | undefined;
};

/** Settles when `stop` aborts. An error of the database is no reason to end: the next second may do better. */
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
  const ofDead = await sweepWorkers(db, self);
  const ofStrangers = slow ? await sweepStrangers(db, GRACE_SECONDS) : 0;
  const own = { poolId: poolId(), running: running(), graceSeconds: GRACE_SECONDS };
  const ofOurs = slow ? await returnStrays(db, own) : 0;
  if (slow) await enqueueIfDue(db);
  const jobs = ofDead + ofStrangers + ofOurs;
  if (jobs > 0) log.warn({ jobs, ofDead, ofStrangers, ofOurs }, 'handed jobs back');
}
