/** Takes into the catalogue what a store has and the database does not know: after a loss of the database, or a crash. */
import type { Db } from '#sql/db/pool.ts';
import { adoptSnapshot, knownIds } from '#sql/snapshots/catalogue.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { type Manifest, partsOfManifest, readManifest } from './manifest.ts';
import { fileOf, type Store } from './store.ts';

type Options = { db: Pick<Db, 'query' | 'transaction'>; store: Store; sealer: Sealer; brandId: string };

/** Those that it took in. */
export async function adoptManifests({ db, store, sealer, brandId }: Options): Promise<Manifest[]> {
  const known = new Set(await knownIds(db, brandId));
  const adopted: Manifest[] = [];
  for (const id of await manifestsIn(store, brandId)) {
    if (known.has(id)) continue;
    const { content, sha256 } = await readManifest(store, sealer, { brandId, id });
    const parts = partsOfManifest(content).map((part) => ({ ...part, isNew: part.keyId === id }));
    await db.transaction((tx) =>
      adoptSnapshot(tx, { ...factsOf(content), store: store.place, manifestSha256: sha256 }, parts),
    );
    adopted.push(content);
  }
  return adopted;
}

/** The ids of the snapshots that a store has of a brand. */
export async function manifestsIn(store: Store, brandId: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { name } of store.list(fileOf.manifests(brandId)))
    ids.push(...(/([0-9a-f-]{36})\.json$/.exec(name)?.slice(1) ?? []));
  return ids.sort();
}

function factsOf(content: Manifest) {
  const { id, brand_id, brand, scope, created_at, lsn, server_version, schema_version, previous } = content;
  return {
    ...{ id, brandId: brand_id, brand, scope, createdAt: new Date(created_at), lsn },
    ...{ serverVersion: server_version, schemaVersion: schema_version, previousId: previous?.id ?? null },
  };
}
