/** The promise of a night: that the figures of its day are final by the deadline. */
import { raiseAlert, resolveAlert } from '#sql/alerts/alerts.ts';
import type { Tx } from '#sql/db/pool.ts';
import { type Night, wasPromised } from '#sql/nights/nights.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';

/** Raises the alert once the deadline has passed. The last of its transaction. */
export async function alertIfDue(
  tx: Tx,
  night: Night,
  { cause, now }: { cause: string; now: Date },
): Promise<number | undefined> {
  const { brandId, day, brand, deadlineAt } = night;
  if (now < deadlineAt || !(await wasPromised(tx, night))) return undefined;
  const hint = `npx nightshift nights show --brand ${brand} --date ${day}`;
  const alert = await raiseAlert(tx, { brandId, kind: 'night', promise: promiseOf(day), cause, hint, now });
  if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: false });
  return alert;
}

/** The day is final after all. The last of its transaction. */
export async function keepPromise(tx: Tx, { brandId, day }: Night, now: Date): Promise<number | undefined> {
  const alert = await resolveAlert(tx, { brandId, promise: promiseOf(day), now });
  if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
  return alert;
}

function promiseOf(day: string): string {
  return `figures of ${day} are final by the deadline of its night`;
}
