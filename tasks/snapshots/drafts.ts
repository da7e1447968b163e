/** Drafts in a directory of this machine, `<brand>/drafts`. Only the account that writes them can read them. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Draft, type Store, storePath } from './store.ts';

type Place = {
  place: string;
  /** Makes a folder; what fails is said by the store. */
  folder(path: string): Promise<void>;
  failing(error: unknown): never;
};

export function drafts({ place, folder, failing }: Place): Pick<Store, 'draft' | 'clearDrafts'> {
  const draftsOf = (brandId: string) => join(place, storePath(place, `${brandId}/drafts`));
  return {
    async draft(brandId): Promise<Draft> {
      const dir = draftsOf(brandId);
      await folder(dir);
      const path = join(dir, randomUUID());
      return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    },
    clearDrafts: (brandId) => rm(draftsOf(brandId), { recursive: true, force: true }).catch(failing),
  };
}
