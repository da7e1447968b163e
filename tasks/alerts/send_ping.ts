/**
 * Tells an outside watch that a promise is kept: the night of a brand is complete, or those of all brands are. The watch
 * raises an alarm when it hears nothing, so nothing is said unless that is true now, and a word that comes too late is not
 * said at all. The address is sealed in the database, or in the environment, and in no payload.
 */
import { z } from 'zod';
import { ping } from '#runtime/deliver.ts';
import { areAllNightsKept, hasPing, isNightKept, readPing } from '#sql/alerts/pings.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { NightKey } from '#sql/nights/nights.ts';
import { databaseTime } from '#sql/schedules/schedules.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask } from '../task.ts';

export const sendPing = defineTask({
  name: 'send_ping',
  payload: z.strictObject({ brandId: z.uuid(), day: z.iso.date() }),
  attempts: 8,
  timeoutSeconds: 60,
  async run({ brandId, day }, { db, signal, services }) {
    if (!(await isNightKept(db, brandId, day, await databaseTime(db))))
      return { skipped: 'a later night has begun, or is due' };
    const address = await readPing(db, services.sealer, brandId);
    if (address === undefined) return { skipped: 'the brand has no address' };
    await ping(address, signal);
    return { delivered: true };
  },
});

/** Each hour, since brands whose nights complete at once would otherwise each look at all. Just after the deadlines. */
export const pingNights = defineTask({
  name: 'ping_nights',
  payload: z.strictObject({}),
  key: () => 'all',
  attempts: 3,
  timeoutSeconds: 60,
  schedules: [{ name: 'ping-nights', of: 'platform', expression: '5 * * * *' }],
  async run(_, { db, signal, services }) {
    const address = services.pings?.nights;
    if (address === undefined) return { skipped: 'NIGHTSHIFT_PING_NIGHTS_URL is not set' };
    if (!(await areAllNightsKept(db, await databaseTime(db)))) return { skipped: 'a brand is not final' };
    await ping(address, signal);
    return { delivered: true };
  },
});

/** The last of its transaction. */
export async function queuePing(tx: Tx, { brandId, day }: NightKey): Promise<void> {
  if (await hasPing(tx, brandId)) await enqueue(tx, sendPing, { brandId, day });
}
