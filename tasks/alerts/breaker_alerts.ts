/** Alerts of breakers that stay open, and of those that closed after all. */
import { type Breaker, breakersToTell, raiseBreaker, resolveBreaker } from '#sql/alerts/breakers.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { queueDeliveries } from './deliver_alert.ts';

/** In one look. */
const BREAKERS_MAX = 100;

/**
 * Any number may look at once: an alert is raised once, and resolved once. One that cannot be told keeps no other from
 * it; the first error is thrown at the end.
 */
export async function tellBreakers(db: Db, now: Date): Promise<void> {
  const { stuck, closed } = await breakersToTell(db, BREAKERS_MAX);
  const errors: unknown[] = [];
  const tell = (breaker: Breaker, change: typeof raiseBreaker, isResolved: boolean) =>
    db
      .transaction(async (tx: Tx) => {
        const alert = await change(tx, breaker, now);
        if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved });
      })
      .catch((error) => errors.push(error));
  for (const breaker of stuck) await tell(breaker, raiseBreaker, false);
  for (const breaker of closed) await tell(breaker, resolveBreaker, true);
  if (errors.length > 0) throw errors[0];
}
