/** Unfinished rollups of a brand. */

import type { Db } from '#sql/db/pool.ts';
import type { Retailer } from '#sql/tenants/retailers.ts';
import type { Followed } from './follow.ts';

/** Finds a waiting rollup by its key and a running one, which has no key any more, by its run. */
export async function pendingRollups(
  db: Db,
  brandId: string,
  retailers: readonly Retailer[],
): Promise<Followed[]> {
  const ids = retailers.map(({ id }) => id);
  const { rows } = await db.query<{ id: string; retailer_id: string }>(
    `select job_id::text as id, retailer_id::text from ops.jobs
     where key = any (select 'rollup:' || $1::text || ':' || retailer from unnest($2::text[]) retailer)
     union
     select r.job_id::text, r.payload ->> 'retailerId' from ops.job_runs r
     where r.outcome = 'running' and r.task = 'rollup' and r.brand_id = $1::uuid
       and r.payload ->> 'retailerId' = any ($2::text[])`,
    [brandId, ids],
  );
  return rows.map(({ id, retailer_id }) => {
    const retailer = retailers.find((one) => one.id === retailer_id);
    return { id, label: `rollup ${retailer?.slug ?? retailer_id}` };
  });
}
