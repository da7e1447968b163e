/** The rollups of every brand that new rates have caused. */
import { listBrands } from '#sql/brands.ts';
import type { Db } from '#sql/pool.ts';
import { listRetailers } from '#sql/retailers.ts';
import type { Followed } from '../follow.ts';
import { pendingRollups } from '../rollups_pending.ts';

export async function rollupsOfAll(db: Db): Promise<Followed[]> {
  const followed: Followed[] = [];
  for (const { id, slug } of await listBrands(db)) {
    const pending = await pendingRollups(db, id, await listRetailers(db, id));
    followed.push(...pending.map((job) => ({ ...job, label: `${job.label} of ${slug}` })));
  }
  return followed;
}
