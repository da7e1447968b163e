/** Removes what a store has of a brand that was removed a while ago. Until then `snapshots sync` can take it in again. */
import { forgetBrand, removedBrands } from '#sql/snapshots/garbage.ts';
import { fileOf } from '../store.ts';
import { type ExpireOptions, recordedAlone } from './expire.ts';
import { removeFiles } from './sweep.ts';

export const REMOVED_KEPT_DAYS = 30;

type Options = Omit<ExpireOptions, 'brandId' | 'sealer' | 'now' | 'graceSeconds'>;

/** A brand that this database does not say to have been removed here is left alone: the store may be that of others too. */
export async function removeRemoved(
  options: Options,
): Promise<{ brands: number; files: number; bytes: number }> {
  const { db, store, signal } = options;
  const sums = { brands: 0, files: 0, bytes: 0 };
  for (const brandId of await removedBrands(db, await store.brands(), REMOVED_KEPT_DAYS)) {
    signal.throwIfAborted();
    if (await isEmpty(options, brandId)) continue;
    const { files, bytes } = await removeAll({ ...options, brandId });
    sums.brands++;
    sums.files += files;
    sums.bytes += bytes;
  }
  return sums;
}

const foldersOf = (brandId: string) => [
  fileOf.manifests(brandId),
  fileOf.parts(brandId),
  fileOf.keys(brandId),
];

async function isEmpty({ store }: Options, brandId: string): Promise<boolean> {
  for (const folder of foldersOf(brandId)) for await (const _ of store.list(folder)) return false;
  return true;
}

/** Manifests first: what is half removed is no snapshot. */
async function removeAll(options: Options & { brandId: string }): Promise<{ files: number; bytes: number }> {
  const { db, store, brandId } = options;
  return recordedAlone(options, async (prove, removing) => {
    await db.transaction((tx) => forgetBrand(tx, brandId));
    await store.clearDrafts(brandId);
    for (const folder of foldersOf(brandId)) {
      const found: { name: string; bytes: number }[] = [];
      for await (const { name, bytes } of store.list(folder))
        found.push({ name: name.slice(brandId.length + 1), bytes });
      await removeFiles({ ...options, prove, removing }, found);
    }
    const { files, bytes } = removing.removed;
    return { files, bytes };
  });
}
