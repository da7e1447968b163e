/** A connection that changes hands. */
import type { Tx } from '../db/pool.ts';
import { markAllDays } from '../dirty/marks.ts';
import type { Table } from '../load/table.ts';
import { tellNextOwner } from '../restatements/final_days.ts';
import { recordAction } from './audit.ts';
import { lockForChange, type Which } from './connections.ts';
import { keepRetailer } from './removing.ts';

export type Move = Which & { retailerId: string; tables: readonly Table[]; now: Date };

/** Gives its data to another retailer, and marks all their days for both. Loads wait for it. */
export async function moveConnection(tx: Tx, move: Move): Promise<{ days: number; retailerIds: string[] }> {
  const { brandId, connectionId, retailerId, tables, now, actor } = move;
  const before = await lockForChange(tx, brandId, connectionId);
  await keepRetailer(tx, brandId, retailerId);
  const from = before.retailer_id;
  if (from === retailerId) return { days: 0, retailerIds: [] };
  await tx.query('update app.connections set retailer_id = $3 where brand_id = $1 and id = $2', [
    brandId,
    connectionId,
    retailerId,
  ]);
  await tellNextOwner(tx, brandId, from, retailerId);
  const alsoRetailers = from === null ? [] : [from];
  const moved = { brandId, connectionId, alsoRetailers, timeZones: [before.time_zone], tables, now };
  const days = await markAllDays(tx, { ...moved, cause: 'mapping' });
  await recordAction(tx, {
    action: 'connections.move',
    ...{ brandId, target: before.name, actor },
    ...{ before: { retailerId: from }, after: { retailerId } },
  });
  return { days, retailerIds: [...alsoRetailers, retailerId] };
}
