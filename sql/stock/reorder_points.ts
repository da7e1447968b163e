/** At how many pieces a product is to be ordered again: of a retailer, or of all that have no point of their own. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { keepBrand, keepRetailer } from '../tenants/removing.ts';

/** `retailerId`: null for all of the brand. `sku`: that of the variant; its id where it has none. */
export type ReorderPoint = { retailerId: string | null; sku: string; quantity: number };

type Changing = { brandId: string; target: string; actor?: string };

/** How many are new or differ. */
export async function storeReorderPoints(
  tx: Tx,
  { brandId, target, actor }: Changing,
  points: readonly ReorderPoint[],
): Promise<number> {
  await keepBrand(tx, brandId);
  const retailers = new Set(points.map(({ retailerId }) => retailerId));
  for (const retailer of retailers) if (retailer !== null) await keepRetailer(tx, brandId, retailer);
  const column = (name: keyof ReorderPoint) => points.map((point) => point[name]);
  const { rowCount } = await tx.query(
    `insert into app.reorder_points as p (brand_id, retailer_id, sku, quantity)
     select $1, retailer_id, sku, quantity
     from unnest($2::uuid[], $3::text[], $4::integer[]) as n (retailer_id, sku, quantity)
     order by sku, retailer_id
     on conflict (brand_id, sku, retailer_id)
     do update set quantity = excluded.quantity, changed_at = now() where p.quantity <> excluded.quantity`,
    [brandId, column('retailerId'), column('sku'), column('quantity')],
  );
  const changed = rowCount ?? 0;
  const details = { rows: points.length, changed };
  if (changed > 0) await recordAction(tx, { action: 'stock.reorder', brandId, target, details, actor });
  return changed;
}

/** Whether there was one. */
export async function removeReorderPoint(
  tx: Tx,
  { brandId, retailerId, sku, actor }: { brandId: string; actor?: string } & Omit<ReorderPoint, 'quantity'>,
): Promise<boolean> {
  const { rows } = await tx.query<{ quantity: number }>(
    `delete from app.reorder_points where brand_id = $1 and sku = $3 and retailer_id is not distinct from $2
     returning quantity`,
    [brandId, retailerId, sku],
  );
  const [before] = rows;
  if (before) await recordAction(tx, { action: 'stock.unorder', brandId, target: sku, before, actor });
  return before !== undefined;
}

export async function listReorderPoints(
  db: Reader,
  brandId: string,
): Promise<{ retailer: string | null; sku: string; quantity: number }[]> {
  const { rows } = await db.query<{ retailer: string | null; sku: string; quantity: number }>(
    `select r.slug as retailer, p.sku, p.quantity from app.reorder_points p
     left join app.retailers r on r.brand_id = p.brand_id and r.id = p.retailer_id
     where p.brand_id = $1 order by p.sku, r.slug nulls first`,
    [brandId],
  );
  return rows;
}
