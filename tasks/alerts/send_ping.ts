/**
 * Tells an outside watch that a promise was kept: the night of a brand is complete, or those of all brands. The watch
 * raises an alarm when it hears nothing, so nothing is said unless that is true now, and a word that comes too late is not
 * said at all. The address is sealed in the database, or in the environment, and in no payload.
 */
import { z } from 'zod';
import { ping } from '#runtime/deliver.ts';
import { areAllNightsKept, isNightKept, readPing } from '#sql/alerts/pings.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { NightKey } from '#sql/nights/nights.ts';
import { databaseTime } from '#sql/schedules/schedules.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask } from '../task.ts';

const promises = ['brand', 'all'] as const;

export const sendPing = defineTask({
  name: 'send_ping',
  payload: z.strictObject({ brandId: z.uuid(), day: z.iso.date(), of: z.enum(promises) }),
  attempts: 8,
  timeoutSeconds: 60,
  async run({ brandId, day, of }, { db, signal, services }) {
    if (!(await isNightKept(db, brandId, day))) return { skipped: 'a later night has begun' };
    if (of === 'all') {
      const address = services.pings?.nights;
      if (address === undefined) return { skipped: 'NIGHTSHIFT_PING_NIGHTS_URL is not set' };
      if (!(await areAllNightsKept(db, await databaseTime(db))))
        return { skipped: 'another brand is not final' };
      await ping(address, signal);
      return { delivered: true };
    }
    const address = await readPing(db, services.sealer, brandId);
    if (address === undefined) return { skipped: 'the brand has no address' };
    await ping(address, signal);
    return { delivered: true };
  },
});

/** The last of its transaction. */
export async function queuePings(tx: Tx, { brandId, day }: NightKey): Promise<void> {
  for (const of of promises) await enqueue(tx, sendPing, { brandId, day, of });
}
