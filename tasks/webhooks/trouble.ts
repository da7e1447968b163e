/**
 * How work for deliveries fails: its job ends all the same, the work rests, longer each time, and after an hour somebody
 * is told. If the job itself failed it would come back beside the one that newer deliveries have made, and what fails for
 * good would leave a dead job for each of them.
 */
import type { Tx } from '#sql/db/pool.ts';
import { endTrouble, noteTrouble, raiseTrouble, type Work } from '#sql/webhooks/trouble.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';
import type { EnqueueOptions } from '../enqueue.ts';

/** When a job for deliveries is to run: at the last of the times, or at once; one that waits takes the earlier time. */
export function dueAt(...times: readonly (Date | undefined)[]): EnqueueOptions {
  const ahead = times.flatMap((time) =>
    time === undefined || time.getTime() <= Date.now() ? [] : [time.getTime()],
  );
  return { keyMode: 'earliest', ...(ahead.length > 0 && { runAt: new Date(Math.max(...ahead)) }) };
}

/** Queues, so it comes behind what writes. */
export async function putOff(tx: Tx, work: Work, error: string, { rests = true } = {}): Promise<void> {
  await noteTrouble(tx, work, { error, rests });
  const alert = await raiseTrouble(tx, work);
  if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: false });
}

/** The same of work that succeeds, or that nobody wants any more. */
export async function endPutOff(tx: Tx, work: Work): Promise<void> {
  const alert = await endTrouble(tx, work);
  if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
}
