/** Retailers: the shops and partners that a brand sells through. */

import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from './audit.ts';
import { only } from './brands.ts';
import { named, taking } from './names.ts';
import { keepBrand } from './removing.ts';

export type Retailer = {
  id: string;
  brandId: string;
  slug: string;
  name: string;
  /** Since when it is being removed, for good. */
  removingAt: Date | null;
};

export type NewRetailer = Omit<Retailer, 'id' | 'removingAt'> & { actor?: string };

const COLUMNS = 'id, brand_id as "brandId", slug, name, removing_at as "removingAt"';

export async function addRetailer(tx: Tx, { brandId, slug, name, actor }: NewRetailer): Promise<Retailer> {
  await keepBrand(tx, brandId);
  const { rows } = await taking('retailer', slug, () =>
    tx.query<Retailer>(
      `insert into app.retailers (brand_id, slug, name) values ($1, $2, $3) returning ${COLUMNS}`,
      [brandId, slug, name],
    ),
  );
  await recordAction(tx, { action: 'retailers.add', brandId, target: slug, after: { name }, actor });
  return only(rows);
}

export async function listRetailers(db: Reader, brandId: string): Promise<Retailer[]> {
  const { rows } = await db.query<Retailer>(
    `select ${COLUMNS} from app.retailers where brand_id = $1 order by slug`,
    [brandId],
  );
  return rows;
}

export async function findRetailer(db: Reader, brandId: string, slug: string): Promise<Retailer> {
  return named('retailer', slug, await listRetailers(db, brandId), (retailer) => retailer.slug);
}
