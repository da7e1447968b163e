/** Takes into the catalogue what a store has and the database does not know: after a loss of the database, or a crash. */
import type { Db } from '#sql/db/pool.ts';
import { adoptSnapshot, knownIds } from '#sql/snapshots/catalogue.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { damageSaid } from './damage.ts';
import { type Manifest, partsOfManifest, readManifest } from './manifest.ts';
import { manifestsIn, type Store } from './store.ts';

type Options = { db: Pick<Db, 'query' | 'transaction'>; store: Store; sealer: Sealer; brandId: string };

export type Adopted = {
  taken: Manifest[];
  /** What is wrong with those that nobody can read. */
  damages: string[];
};

export async function adoptManifests({ db, store, sealer, brandId }: Options): Promise<Adopted> {
  const known = new Set(await knownIds(db, brandId));
  const adopted: Adopted = { taken: [], damages: [] };
  for (const id of await manifestsIn(store, brandId)) {
    if (known.has(id)) continue;
    const read = await readManifest(store, sealer, { brandId, id }).catch((error) => {
      adopted.damages.push(damageSaid(error));
    });
    if (read === undefined) continue;
    const { content, sha256 } = read;
    const parts = partsOfManifest(content).map((part) => ({ ...part, isNew: part.keyId === id }));
    await db.transaction((tx) =>
      adoptSnapshot(tx, { ...factsOf(content), store: store.place, manifestSha256: sha256 }, parts),
    );
    adopted.taken.push(content);
  }
  return adopted;
}

function factsOf(content: Manifest) {
  const { id, brand_id, brand, scope, created_at, lsn, server_version, schema_version, previous } = content;
  return {
    ...{ id, brandId: brand_id, brand, scope, createdAt: new Date(created_at), lsn },
    ...{ serverVersion: server_version, schemaVersion: schema_version, previousId: previous?.id ?? null },
  };
}
