/**
 * Tells what is wrong with this process from damage of a snapshot: keys that open nothing, and a store that has neither it nor another one.
 * Such a fault says nothing of the files, so nothing may be recorded of them.
 */
import { coded, NightshiftError } from '#runtime/errors.ts';
import type { Reader } from '#sql/db/reader.ts';
import { knownIds } from '#sql/snapshots/catalogue.ts';
import { type StoredSecret, storedSecrets } from '#sql/snapshots/stored_secrets.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { damageSaid } from './damage.ts';
import { sealedDataKey } from './data_key.ts';
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

const OF_KEYS = ['NS_SECRET_KEY_UNKNOWN', 'NS_SECRET_UNREADABLE'];
/** An error of a key is that of each file under it, and is judged once. */
const judged = new WeakMap<NightshiftError, Promise<void>>();

/** Throws what is wrong with the configuration; returns if `error` says something of the snapshot, or nothing of either. */
export async function assertOurs(error: unknown, options: Options): Promise<void> {
  if (error instanceof StoreFileMissing) return await assertIsTheStore(options);
  if (!(error instanceof NightshiftError) || !OF_KEYS.includes(error.code)) return;
  const verdict = judged.get(error) ?? assertKeysOurs(error, options);
  judged.set(error, verdict);
  await verdict;
}

/**
 * The file of one data key can be damaged, all that a key has sealed is not: so its own key decides if that has sealed anything
 * else, be it a secret of the database. Where it has not, any of our keys that opens something does.
 */
async function assertKeysOurs(error: NightshiftError, options: Options): Promise<void> {
  const { store, sealer, snapshot } = options;
  const keyId = String(error.context.keyId);
  const isKnown = sealer.has(keyId);
  let [alike, isOneOpen] = [0, false];
  for await (const other of otherSecrets(options, { keyId, but: String(error.context.connectionId) })) {
    if (other.keyId !== keyId) {
      isOneOpen ||= opens(sealer, other);
      continue;
    }
    if (opens(sealer, other)) return;
    if (++alike === KEYS_TRIED_MAX || !isKnown) break;
  }
  if (alike === 0 && isOneOpen) return;
  const { place } = store;
  throw new SnapshotKeysWrong(
    isKnown
      ? `Key ${keyId} of NIGHTSHIFT_SECRET_KEYS opens nothing that it should: ${alike + 1} of the data keys in ${fileOf.keys(snapshot.brandId)} of ${place} and of the secrets of the brand were tried. It is another one than the key of this name that sealed them.`
      : `Snapshot ${snapshot.id} in ${place} is sealed with key ${keyId}, which is not in NIGHTSHIFT_SECRET_KEYS.`,
    { keyId, place },
  );
}

/** Those of the database and the data keys in the store, without that of one snapshot. */
async function* otherSecrets(
  { db, store, snapshot: { brandId } }: Options,
  { keyId, but }: { keyId: string; but: string },
): AsyncGenerator<StoredSecret> {
  yield* await storedSecrets(db, brandId, keyId);
  for (const id of await keysIn(store, brandId)) {
    if (id === but) continue;
    const found = await sealedDataKey(store, { brandId, id }).catch(damageSaid);
    if (typeof found === 'object') yield found;
  }
}

function opens(sealer: Sealer, { place, ...sealed }: StoredSecret): boolean {
  try {
    sealer.open(sealed, place);
    return true;
  } catch {
    return false;
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
