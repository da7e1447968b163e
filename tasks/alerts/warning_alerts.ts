/** Alerts of connections whose syncs warn of something. */
import { raiseWarnings, resolveWarnings } from '#sql/alerts/warnings.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { queueDeliveries } from './deliver_alert.ts';

/** Raises or resolves that of the connection, by what is stored. The last of its transaction. */
export async function tellWarnings(tx: Tx, key: ConnectionKey, now: Date): Promise<void> {
  const raised = await raiseWarnings(tx, key, now);
  const alert = raised ?? (await resolveWarnings(tx, key, now));
  if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: raised === undefined });
}
