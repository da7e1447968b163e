/**
 * Proves a snapshot in levels, up to the second by its files alone: 0 all are there and as large as they were; 1 they have the hashes that the
 * manifest names; 2 they open, decompress, and are the rows that were written, each with all its columns. At level 3 they
 * are restored too, where nobody sees it; 4 its figures are what its rows give; 5 the same on another major version of
 * PostgreSQL. Each level includes those below it.
 */
import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import type { Reader } from '#sql/db/reader.ts';
import type { StoredPart } from '#sql/snapshots/catalogue.ts';
import { LEVEL_OF_ROWS } from '#sql/snapshots/proofs.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { damageSaid, SnapshotDamaged } from './damage.ts';
import { dataKeys, openDataKey } from './data_key.ts';
import {
  LEVEL_OF_RESTORE,
  LEVEL_OF_VERSIONS,
  type Proved,
  type ProvingPlace,
  proveRestored,
} from './drill/prove.ts';
import { type Manifest, partsOfManifest, readManifest } from './manifest.ts';
import { assertOurs } from './misconfigured.ts';
import { readPart } from './part_file.ts';
import { fileOf, type Store, StoreFileMissing, sizesIn } from './store.ts';

export const VERIFY_LEVEL_MAX = LEVEL_OF_VERSIONS;

export type VerifyOptions = {
  /** Of the catalogue. */
  db: Reader;
  store: Store;
  sealer: Sealer;
  /** `manifestSha256` as the catalogue has it: one that was exchanged for another one of ours is signed too. */
  snapshot: { brandId: string; id: string; manifestSha256?: string | null; store?: string };
  level: number;
  /** Only some of its files, up to level 2. */
  isWanted?: (part: StoredPart) => boolean;
  /** From level 3 on. */
  place?: ProvingPlace;
  signal?: AbortSignal;
  progress?(state: { parts: number; of: number }): void;
};

export type Verified = {
  level: number;
  parts: number;
  rows: number;
  /** What is wrong, a sentence each; nothing if all is as it was. */
  damages: string[];
  /** Whose files these are, as far as they are of parts. */
  damagedParts: StoredPart[];
  /** Snapshots whose data key nobody can open, and with it all that they wrote. */
  damagedKeys: string[];
  /** From level 3 on, if nothing is damaged. */
  proved?: Proved | undefined;
};

const AT_ONCE = 2;

export async function verifySnapshot(options: VerifyOptions): Promise<Verified> {
  const { store, sealer, snapshot, level } = options;
  const found: Found = { damages: [], damagedParts: [], damagedKeys: new Set() };
  const said = async (error: unknown) => {
    await assertOurs(error, options);
    return damageSaid(error);
  };
  const content = await readWhole(options).catch(async (error) => {
    found.damages.push(await said(error));
  });
  if (content === undefined) {
    // What it wrote is lost with its key, whatever became of the manifest.
    await openDataKey(store, sealer, snapshot).catch(async (error) => {
      await said(error);
      found.damagedKeys.add(snapshot.id);
    });
    return { level, parts: 0, rows: 0, ...found, damagedKeys: [...found.damagedKeys] };
  }
  const parts = partsOfManifest(content).filter(options.isWanted ?? (() => true));
  const check = (reached: number) =>
    checkParts({ ...options, level: reached }, { content, parts, found, said });
  await check(level);
  const isProved = level >= LEVEL_OF_RESTORE && found.damages.length === 0;
  const proved = isProved
    ? await prove(options, content).catch(async (error) => {
        const why = await said(error);
        await check(LEVEL_OF_ROWS); // says which files it is
        if (found.damages.length === 0) found.damages.push(why);
      })
    : undefined;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { damages, damagedParts, damagedKeys } = found;
  return {
    ...{ level, parts: parts.length, rows, damages: damages.sort(), damagedParts },
    ...{ damagedKeys: [...damagedKeys], proved: proved ?? undefined },
  };
}

type Found = { damages: string[]; damagedParts: StoredPart[]; damagedKeys: Set<string> };
type Checking = {
  content: Manifest;
  parts: readonly StoredPart[];
  found: Found;
  /** Throws what is no damage. */
  said(error: unknown): Promise<string>;
};

async function checkParts(
  { store, sealer, snapshot: { brandId }, level, signal, progress }: VerifyOptions,
  { content, parts, found: { damages, damagedParts, damagedKeys }, said }: Checking,
): Promise<void> {
  const columns = new Map(content.tables.map((table) => [table.name, table.columns.length]));
  const keyOf = dataKeys(store, sealer, brandId);
  const sizes = parts.length > 0 ? await sizesIn(store, fileOf.parts(brandId)) : new Map();
  const checkRead = async (part: StoredPart) => {
    const key = await keyOf(part.keyId).catch(async (error) => {
      const why = await said(error);
      if (!damagedKeys.has(part.keyId)) damages.push(why);
      damagedKeys.add(part.keyId);
    });
    if (key) await checkRows(store, key, brandId, part, columns.get(part.table) ?? 0);
  };
  const limit = pLimit(AT_ONCE);
  let done = 0;
  const checkPart = async (part: StoredPart) => {
    signal?.throwIfAborted();
    try {
      checkPresent(store, sizes, brandId, part);
      if (level === 1) await checkHash(store, brandId, part);
      if (level === LEVEL_OF_ROWS) await checkRead(part);
    } catch (error) {
      damages.push(await said(error));
      damagedParts.push(part);
    }
    progress?.({ parts: ++done, of: parts.length });
  };
  await Promise.all(parts.map((part) => limit(() => checkPart(part))));
}

/** To restore reads each file as levels 1 and 2 do. */
function prove({ place, store, sealer, level, signal, progress }: VerifyOptions, content: Manifest) {
  if (place === undefined) throw new TypeError(`level ${level} needs a database to restore into`);
  return proveRestored({ store, sealer, brandId: content.brand_id, content, level, place, signal, progress });
}

/** Throws NS_SNAPSHOT_DAMAGED for a manifest that is not the one that the catalogue knows, else what keeps this process from reading it. */
export async function readWhole(
  options: Pick<VerifyOptions, 'db' | 'store' | 'sealer' | 'snapshot'>,
): Promise<Manifest> {
  const { store, sealer, snapshot } = options;
  const { content, sha256 } = await readManifest(store, sealer, snapshot).catch(async (error) => {
    await assertOurs(error, options);
    throw error;
  });
  const known = snapshot.manifestSha256;
  if (known && known !== sha256)
    throw new SnapshotDamaged(
      `The manifest ${fileOf.manifest(snapshot.brandId, snapshot.id)} is another one than the catalogue knows.`,
    );
  return content;
}

function checkPresent(
  store: Store,
  sizes: ReadonlyMap<string, number>,
  brandId: string,
  part: StoredPart,
): void {
  const at = fileOf.part(brandId, part);
  const bytes = sizes.get(at);
  if (bytes === undefined) throw damaged(store, brandId, part, new StoreFileMissing(store.place, at).message);
  if (bytes !== part.storedBytes)
    throw damaged(store, brandId, part, `it has ${bytes} bytes instead of ${part.storedBytes}`);
}

async function checkHash(store: Store, brandId: string, part: StoredPart): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of await store.read(fileOf.part(brandId, part))) hash.update(chunk);
  if (hash.digest('hex') !== part.storedSha256) throw damaged(store, brandId, part, 'its bytes are others');
}

const [TAB, NEWLINE] = [9, 10];

/** That there is one row for each line, `readPart` counts; that each has all columns is counted here. */
async function checkRows(
  ...[store, key, brandId, part, columns]: [Store, Parameters<typeof readPart>[1], string, StoredPart, number]
): Promise<void> {
  let found = 1;
  for await (const chunk of readPart(store, key, brandId, part)) {
    for (const byte of chunk) {
      if (byte === TAB) found++;
      if (byte !== NEWLINE) continue;
      if (found !== columns)
        throw damaged(store, brandId, part, `a row has ${found} columns instead of ${columns}`);
      found = 1;
    }
  }
}

function damaged(store: Store, brandId: string, part: StoredPart, why: string): SnapshotDamaged {
  const file = fileOf.part(brandId, part);
  return new SnapshotDamaged(
    `Part ${part.part} of ${part.table} is damaged: ${why} (${file} in ${store.place}).`,
    {
      file,
    },
  );
}
