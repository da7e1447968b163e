/** Retailers: through whom a brand sells. */
import { recordAction } from './audit.ts';
import { only } from './brands.ts';
import { NameNotFound, taking } from './names.ts';
import type { Tx } from './pool.ts';
import type { Reader } from './reader.ts';

export type Retailer = { id: string; brandId: string; slug: string; name: string };

export type NewRetailer = Omit<Retailer, 'id'> & { actor?: string };

const COLUMNS = 'id, brand_id as "brandId", slug, name';

export async function addRetailer(tx: Tx, { brandId, slug, name, actor }: NewRetailer): Promise<Retailer> {
  const { rows } = await taking('retailer', slug, () =>
    tx.query<Retailer>(
      `insert into app.retailers (brand_id, slug, name) values ($1, $2, $3) returning ${COLUMNS}`,
      [brandId, slug, name],
    ),
  );
  await recordAction(tx, { action: 'retailers.add', brandId, target: slug, actor });
  return only(rows);
}

export async function listRetailers(db: Reader, brandId: string): Promise<Retailer[]> {
  const { rows } = await db.query<Retailer>(
    `select ${COLUMNS} from app.retailers where brand_id = $1 order by slug`,
    [brandId],
  );
  return rows;
}

/** By slug; NS_NAME_NOT_FOUND names those that there are. */
export async function findRetailer(db: Reader, brandId: string, slug: string): Promise<Retailer> {
  const retailers = await listRetailers(db, brandId);
  const found = retailers.find((retailer) => retailer.slug === slug);
  if (found === undefined)
    throw new NameNotFound(
      'retailer',
      slug,
      retailers.map((retailer) => retailer.slug),
    );
  return found;
}

/** For what must not outlive the retailer, such as a job: it stays until the transaction ends. */
export async function keepRetailer(tx: Tx, { brandId, id, slug }: Retailer): Promise<void> {
  const { rows } = await tx.query('select from app.retailers where brand_id = $1 and id = $2 for key share', [
    brandId,
    id,
  ]);
  if (rows.length === 0) throw new NameNotFound('retailer', slug, []);
}
