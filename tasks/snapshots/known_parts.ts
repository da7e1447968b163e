/**
 * Files that are there already: of the snapshots before, or of one that was broken off. What did not change is neither
 * read again nor stored again.
 */
import type { Db } from '#sql/db/pool.ts';
import { partNamed, recentParts, type StoredPart } from '#sql/snapshots/catalogue.ts';
import type { Part } from '#sql/snapshots/parts.ts';
import { fileOf, ifAllowed, type Store, sizesIn } from './store.ts';

export type KnownParts = {
  /** The file with these rows. */
  find(table: string, headerSha256: string, part: Part): StoredPart | undefined;
  /** The file of this name, if some snapshot has it. */
  named(name: string): Promise<StoredPart | undefined>;
};

/** Without permission to list, what the catalogue has of this store is there. */
export async function knownParts(db: Pick<Db, 'query'>, store: Store, brandId: string): Promise<KnownParts> {
  const files = await ifAllowed(() => sizesIn(store, fileOf.parts(brandId)));
  const where = { brandId, store: files === undefined ? store.place : undefined };
  const isThere = (part: StoredPart) =>
    files === undefined || files.get(fileOf.part(brandId, part)) === part.storedBytes;
  const recent = (await recentParts(db, where)).filter(isThere);
  const byContent = new Map(recent.map((part) => [contentOf(part.table, part.headerSha256, part), part]));
  return {
    find: (table, headerSha256, part) => byContent.get(contentOf(table, headerSha256, part)),
    async named(name) {
      const listed = await partNamed(db, where, name);
      return listed && isThere(listed) ? listed : undefined;
    },
  };
}

function contentOf(table: string, headerSha256: string, { part, rows, rowHash }: Part): string {
  return [table, part, headerSha256, rows, rowHash].join(' ');
}
