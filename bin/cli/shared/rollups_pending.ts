/** Unfinished rollups of a brand: of retailers, and of its own figures. */

import type { Db } from '#sql/db/pool.ts';
import type { Retailer } from '#sql/tenants/retailers.ts';
import type { Followed } from './follow.ts';

/** Finds a waiting rollup by its key and a running one, which has no key any more, by its run. */
export async function pendingRollups(
  db: Db,
  brandId: string,
  retailers: readonly Retailer[],
): Promise<Followed[]> {
  const owners = [...retailers.map(({ id }) => id), 'brand'];
  const { rows } = await db.query<{ id: string; owner: string }>(
    `select job_id::text as id, coalesce(retailer_id::text, 'brand') as owner from ops.jobs
     where key = any (select 'rollup:' || $1::text || ':' || owner from unnest($2::text[]) owner)
     union
     select r.job_id::text, coalesce(r.payload ->> 'retailerId', 'brand') from ops.job_runs r
     where r.outcome = 'running' and r.task = 'rollup' and r.brand_id = $1::uuid
       and coalesce(r.payload ->> 'retailerId', 'brand') = any ($2::text[])`,
    [brandId, owners],
  );
  return rows.map(({ id, owner }) => {
    const retailer = retailers.find((one) => one.id === owner);
    return { id, label: `rollup ${retailer?.slug ?? 'of the brand'}` };
  });
}
