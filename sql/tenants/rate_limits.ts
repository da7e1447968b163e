/** The counters by which all workers keep to the limits of providers (`connectors/kit/http/rate_limit.ts`). */

import type { Tx } from '../db/pool.ts';
import { recordAction } from './audit.ts';
import type { Connection } from './connections.ts';

/**
 * Resets the counters of the account, blocks included. The answer to the next request corrects them. They belong to
 * the account, so this affects every brand that reads it.
 */
export async function resetRateBudgets(tx: Tx, connection: Connection, actor?: string): Promise<number> {
  const { brandId, name, provider, account } = connection;
  const { rowCount } = await tx.query(
    `delete from ops.rate_budgets where provider = $1 and (account = $2 or starts_with(account, $2 || ' '))`,
    [provider, account],
  );
  const buckets = rowCount ?? 0;
  await recordAction(tx, {
    action: 'connections.limits_reset',
    ...{ brandId, target: name, actor },
    ...{ before: { buckets }, after: { buckets: 0 }, details: { provider, account } },
  });
  return buckets;
}
