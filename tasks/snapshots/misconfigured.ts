/**
 * Tells what is wrong with this process from damage of a snapshot: keys that open nothing, and a store that has neither it nor another one.
 * Such a fault says nothing of the files, so nothing may be recorded of them.
 */
import { coded, NightshiftError } from '#runtime/errors.ts';
import type { Reader } from '#sql/db/reader.ts';
import { knownIds } from '#sql/snapshots/catalogue.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { damageSaid } from './damage.ts';
import { openDataKey, sealingKeyOf } from './data_key.ts';
import {
  fileOf,
  keysIn,
  manifestsIn,
  type Store,
  StoreFailed,
  StoreFileMissing,
  settingOf,
} from './store.ts';

/** `store`: where the catalogue has it. */
export type Which = { brandId: string; id: string; store?: string };
type Options = { db: Reader; store: Store; sealer: Sealer; snapshot: Which };

/** So many other keys are tried: one that opens is enough. */
const KEYS_TRIED_MAX = 50;

export class SnapshotKeysWrong extends coded('NS_SNAPSHOT_KEYS') {
  constructor(problem: string, { keyId, place }: { keyId: string; place: string }) {
    super(problem, {
      hint: `Bring key ${keyId} into NIGHTSHIFT_SECRET_KEYS as it was when the snapshots were made, behind the first one; then: npx nightshift snapshots verify --latest`,
      context: { keyId, place },
    });
  }
}

/** Throws what is wrong with the configuration; returns if `error` says something of the snapshot, or nothing of either. */
export async function assertOurs(error: unknown, options: Options): Promise<void> {
  if (error instanceof StoreFileMissing) return await assertIsTheStore(options);
  if (!(error instanceof NightshiftError)) return;
  const { store } = options;
  const keyId = String(error.context.keyId);
  if (error.code === 'NS_SECRET_KEY_UNKNOWN')
    throw new SnapshotKeysWrong(
      `Snapshot ${options.snapshot.id} in ${store.place} is sealed with key ${keyId}, which is not in NIGHTSHIFT_SECRET_KEYS.`,
      { keyId, place: store.place },
    );
  if (error.code === 'NS_SECRET_UNREADABLE') await assertOpensAny(options, keyId);
}

/** The file of one key can be damaged, those of all that a key has sealed are not. */
async function assertOpensAny(
  { store, sealer, snapshot: { brandId } }: Options,
  keyId: string,
): Promise<void> {
  let tried = 0;
  for (const id of await keysIn(store, brandId)) {
    const which = { brandId, id };
    const isOpen = await opens(store, sealer, which, keyId);
    if (isOpen) return;
    if (isOpen !== undefined && ++tried === KEYS_TRIED_MAX) break;
  }
  throw new SnapshotKeysWrong(
    `Key ${keyId} of NIGHTSHIFT_SECRET_KEYS opens none of ${tried} data keys in ${fileOf.keys(brandId)} of ${store.place}: it is another one than the key of this name that sealed them.`,
    { keyId, place: store.place },
  );
}

/** Undefined if another key has sealed it, or nobody can say which. */
async function opens(
  store: Store,
  sealer: Sealer,
  which: { brandId: string; id: string },
  keyId: string,
): Promise<boolean | undefined> {
  try {
    if ((await sealingKeyOf(store, which)) !== keyId) return undefined;
    await openDataKey(store, sealer, which);
    return true;
  } catch (error) {
    damageSaid(error); // throws what is none
    return error instanceof NightshiftError && error.code === 'NS_SECRET_UNREADABLE' ? false : undefined;
  }
}

/** Of manifest, key and files that it wrote one at least is there; or all of it is lost, and the manifest of another one is there. */
async function assertIsTheStore({
  db,
  store,
  snapshot: { brandId, id, store: known },
}: Options): Promise<void> {
  for (const folder of [fileOf.manifests(brandId), fileOf.keys(brandId), fileOf.parts(brandId)])
    for await (const { name } of store.list(folder)) if (name.includes(id)) return;
  const isNamedSo = known === undefined || known === store.place;
  if (isNamedSo) {
    const ids = new Set(await knownIds(db, brandId));
    if ((await manifestsIn(store, brandId)).some((other) => ids.has(other))) return;
  }
  const right = isNamedSo
    ? 'Mount the directory, or correct NIGHTSHIFT_SNAPSHOT_DIR or NIGHTSHIFT_SNAPSHOT_STORE'
    : `It was made in ${known}: set ${settingOf(known)}`;
  throw new StoreFailed(
    store.place,
    `it has nothing of snapshot ${id}, neither manifest nor key nor a file that it wrote, and no other snapshot of its brand that is known`,
    `${right}. What was moved: npx nightshift snapshots sync; what is lost: npx nightshift snapshots create`,
  );
}
