/** What is booked and not available yet. */

import type { StripeRun } from '../sync/sync_run.ts';
import { secondOf } from '../sync/sync_state.ts';

/**
 * When the oldest was booked of those that are due by now. Some become available only after weeks, or
 * months: until they are due nothing of them changes.
 */
export async function oldestDue({ context }: StripeRun): Promise<number | undefined> {
  const { brandId, id } = context.connection;
  const { rows } = await context.db.query<{ oldest: Date | null }>(
    `select min(created_at) as oldest
     from (
       select created_at from raw.stripe_balance_transactions
       where brand_id = $1 and connection_id = $2 and status = 'pending' and deleted_at is null and available_on <= $3
       order by available_on
     ) due`,
    [brandId, id, context.now()],
  );
  const oldest = rows[0]?.oldest;
  return oldest ? secondOf(oldest) : undefined;
}
