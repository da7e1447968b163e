/** Applies a change that moves figures; its marks and rollup jobs commit with it. */

import type { Stream } from '#connectors/kit/stream.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { Table } from '#sql/load/table.ts';
import type { Marked } from '#sql/tenants/brands.ts';
import { attempt } from './options/rehearse.ts';
import type { Session } from './session.ts';

type Change = (tx: Tx, tables: readonly Table[], now: Date) => Promise<Marked>;

/** How many days are marked, of how many retailers. */
export async function recompute(
  { db }: Session,
  {
    brandId,
    dryRun,
    streams: given,
  }: { brandId: string; dryRun: boolean | undefined; streams?: readonly Stream[] },
  change: Change,
): Promise<{ days: number; retailers: number }> {
  const [{ streams }, { enqueue }, { rollup }] = await Promise.all([
    import('#connectors/providers.ts'),
    import('#tasks/enqueue.ts'),
    import('#tasks/rollup.ts'),
  ]);
  const tables = (given ?? streams).flatMap((stream) => [...stream.tables]);
  const { days, retailerIds } = await attempt(db, dryRun, async (tx) => {
    const marked = await change(tx, tables, new Date());
    // In the order of loads, the brand first: whoever queues under several keys holds each until it commits.
    const owners = marked.retailerIds.toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1));
    for (const retailerId of owners) await enqueue(tx, rollup, { brandId, retailerId });
    return marked;
  });
  return { days, retailers: retailerIds.filter((id) => id !== null).length };
}
