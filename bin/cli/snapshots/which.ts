/** Which snapshot of a brand is meant, or which brands. */
import { findSnapshot, latestToRestore, type Snapshot, SnapshotNotFound } from '#sql/snapshots/catalogue.ts';
import { type Brand, findBrand, listBrands } from '#sql/tenants/brands.ts';
import type { Session } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';

export async function ofBrand(
  { db }: Session,
  id: string | undefined,
  { brand, latest }: { brand: string; latest?: boolean },
): Promise<Snapshot> {
  if ((id === undefined) !== (latest === true)) throw whichSnapshot(id);
  const { id: brandId } = await findBrand(db, brand);
  if (id !== undefined) return findSnapshot(db, id, brandId);
  const found = await latestToRestore(db, brandId);
  if (found === undefined) throw new SnapshotNotFound(`snapshot of ${brand}`);
  return found;
}

/** Neither was given, or both. */
export function whichSnapshot(id: string | undefined): UsageError {
  return new UsageError('Which snapshot?', `give its id or --latest${id === undefined ? '' : ', not both'}`);
}

/** One that is being removed has nothing to keep. */
export async function brandsOf({ db }: Session, slug: string | undefined): Promise<Brand[]> {
  if (slug !== undefined) return [await findBrand(db, slug)];
  return (await listBrands(db)).filter(({ removingAt }) => removingAt === null);
}
