/** Checks of what was read against what the provider says there is. */
import type { Tx } from './pool.ts';

export type Check = {
  name: string;
  /** As decimal text where it is an amount. */
  expected?: number | string | null;
  found?: number | string | null;
  ok: boolean;
  cause?: string | null;
};

export async function recordCheck(
  tx: Tx,
  brandId: string,
  connectionId: string,
  stream: string,
  { name, expected = null, found = null, ok, cause = null }: Check,
  now = new Date(),
): Promise<void> {
  await tx.query(
    `insert into ops.completeness
       (brand_id, connection_id, stream, check_name, expected, found, ok, cause, checked_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [brandId, connectionId, stream, name, expected, found, ok, cause, now],
  );
}
