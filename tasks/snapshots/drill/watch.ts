/** Raises an alert for each promise of the snapshots of a brand that is broken, and resolves it once it is kept again. */
import { z } from 'zod';
import { raiseAlert, resolveAlert } from '#sql/alerts/alerts.ts';
import type { Tx } from '#sql/db/pool.ts';
import { promisesOf, snapshotStates } from '#sql/snapshots/promises.ts';
import { queueDeliveries } from '../../alerts/deliver_alert.ts';
import { defineTask, type Tally } from '../../task.ts';

export const snapshotWatch = defineTask({
  name: 'snapshot_watch',
  payload: z.strictObject({ brandId: z.uuid() }),
  key: ({ brandId }) => brandId,
  attempts: 3,
  timeoutSeconds: 60,
  schedules: [{ name: 'snapshot-watch', of: 'brand', expression: '50 * * * *' }],
  run: ({ brandId }, { db, now }): Promise<Tally> => db.finish((tx) => watchSnapshots(tx, brandId, now())),
});

async function watchSnapshots(tx: Tx, brandId: string, now: Date): Promise<Tally> {
  const [state] = await snapshotStates(tx, { brandId, now, max: 1 });
  const tally = { raised: 0, resolved: 0 };
  const told: { alert: number; isResolved: boolean }[] = [];
  for (const { promise, broken } of state === undefined ? [] : promisesOf(state)) {
    const alert = broken
      ? await raiseAlert(tx, { brandId, kind: 'snapshots', promise, ...broken, now })
      : await resolveAlert(tx, { brandId, promise, now });
    if (alert === undefined) continue;
    tally[broken ? 'raised' : 'resolved']++;
    told.push({ alert, isResolved: broken === null });
  }
  for (const { alert, isResolved } of told) await queueDeliveries(tx, alert, { isResolved });
  return tally;
}
