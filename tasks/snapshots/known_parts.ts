/**
 * Files that are there already: of the snapshots before, or of one that was broken off. What did not change is neither
 * read again nor stored again.
 */
import type { Db } from '#sql/db/pool.ts';
import { partNamed, recentParts, type StoredPart } from '#sql/snapshots/catalogue.ts';
import type { Part } from '#sql/snapshots/parts.ts';
import { fileOf, type Store } from './store.ts';

export type KnownParts = {
  /** The file with these rows. */
  find(table: string, headerSha256: string, part: Part): StoredPart | undefined;
  /** The file of this name, if some snapshot has it. */
  named(name: string): Promise<StoredPart | undefined>;
};

export async function knownParts(db: Pick<Db, 'query'>, store: Store, brandId: string): Promise<KnownParts> {
  const files = new Map<string, number>();
  for await (const { name, bytes } of store.list(fileOf.parts(brandId))) files.set(name, bytes);
  const isThere = ({ name, storedBytes }: StoredPart) =>
    files.get(fileOf.part(brandId, name)) === storedBytes;
  const recent = (await recentParts(db, brandId)).filter(isThere);
  const byContent = new Map(recent.map((part) => [contentOf(part.table, part.headerSha256, part), part]));
  return {
    find: (table, headerSha256, part) => byContent.get(contentOf(table, headerSha256, part)),
    async named(name) {
      const listed = await partNamed(db, brandId, name);
      return listed && isThere(listed) ? listed : undefined;
    },
  };
}

function contentOf(table: string, headerSha256: string, { part, rows, rowHash }: Part): string {
  return [table, part, headerSha256, rows, rowHash].join(' ');
}
