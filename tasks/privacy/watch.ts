/** Raises an alert for each request whose deadline is near, and resolves it once the request is done. */
import { z } from 'zod';
import { raiseAlert, resolveAlert } from '#sql/alerts/alerts.ts';
import { type Due, requestsDue, requestsTold } from '#sql/privacy/deadlines.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';
import { defineTask, type Tally } from '../task.ts';

/** In one look. */
const REQUESTS_MAX = 100;

export const privacyWatch = defineTask({
  name: 'privacy_watch',
  payload: z.strictObject({}),
  key: () => 'all',
  attempts: 3,
  timeoutSeconds: 300,
  schedules: [{ name: 'privacy-watch', of: 'platform', expression: '35 * * * *' }],
  async run(_, { db, now }): Promise<Tally> {
    const at = now();
    const due = await requestsDue(db, at, REQUESTS_MAX);
    const done = await requestsTold(db, REQUESTS_MAX);
    for (const request of due) {
      await db.transaction(async (tx) => {
        const alert = await raiseAlert(tx, { ...brokenOf(request), now: at });
        if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: false });
      });
    }
    for (const { brandId, promise } of done) {
      await db.transaction(async (tx) => {
        const alert = await resolveAlert(tx, { brandId, promise, now: at });
        if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
      });
    }
    return { raised: due.length, resolved: done.length };
  },
});

function brokenOf({ brandId, brand, id, kind, promise, dueAt }: Due) {
  const day = dueAt.toISOString().slice(0, 10);
  return {
    ...{ brandId, kind: 'privacy' as const, promise },
    cause: `request ${id} (${kind}) is not done, and the law wants it done by ${day}`,
    hint: `npx nightshift privacy show ${id} --brand ${brand}`,
  };
}
