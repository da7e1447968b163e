/**
 * Where the files of snapshots are. A file is whole or not there: it is written as a draft, which is a local file, and
 * then gets its name. Names are paths of plain words with slashes between, the brand first.
 */
import { writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { coded, messageOf } from '#runtime/errors.ts';
import { partFile } from '#sql/snapshots/garbage.ts';

export type Draft = AsyncDisposable & {
  /** A local file that is not there yet; leaving the scope removes it. */
  path: string;
};

export type StoredFile = { name: string; bytes: number };

export type Store = {
  /** For people and the catalogue. */
  readonly place: string;
  /** Only the process that holds the brand may have drafts of it. */
  draft(brandId: string): Promise<Draft>;
  /** Drafts that were left behind. */
  clearDrafts(brandId: string): Promise<void>;
  /** Replaces what has the name. Where that takes requests, the signal ends them. */
  put(name: string, draft: Draft, signal?: AbortSignal): Promise<void>;
  /** What was put outlasts a crash of the machine from here on. */
  settle(): Promise<void>;
  /** Throws `StoreFileMissing`. */
  read(name: string): Promise<Readable>;
  /** The files of a folder, not those of folders in it. */
  list(folder: string): AsyncIterable<StoredFile>;
  /** The brands that it has files of. */
  brands(signal?: AbortSignal): Promise<string[]>;
  /** Does what a put needs, makes nothing that was not there, and leaves nothing. */
  tryWrite(signal: AbortSignal): Promise<void>;
  remove(name: string): Promise<void>;
};

const HINT_OF_A_DIRECTORY =
  'Free space or correct the permissions, or name another place in NIGHTSHIFT_SNAPSHOT_DIR; then: npx nightshift snapshots create';

export class StoreFailed extends coded('NS_SNAPSHOT_STORE') {
  constructor(place: string, cause: unknown, hint = HINT_OF_A_DIRECTORY) {
    super(`The store of snapshots ${place} cannot be used: ${messageOf(cause)}`, {
      hint,
      context: { place },
      cause,
    });
  }
}

/** The store does not allow this to whoever asked, though it knows them. */
export class StoreRefused extends StoreFailed {}

/** What reads in a store gives; undefined where the key of this process may only write. */
export async function ifAllowed<T>(reads: () => Promise<T>): Promise<T | undefined> {
  try {
    return await reads();
  } catch (error) {
    if (error instanceof StoreRefused) return undefined;
    throw error;
  }
}

export class StoreFileMissing extends coded('NS_SNAPSHOT_DAMAGED') {
  constructor(place: string, name: string) {
    super(`The file ${name} is missing in ${place}.`, {
      hint: 'Bring it back from a copy of the store, or make another snapshot: npx nightshift snapshots create',
      context: { place, name },
    });
  }
}

const OBJECT_STORAGE = /^s3:\/\//;

/** With which a process has the store of this name. */
export function settingOf(place: string): string {
  return OBJECT_STORAGE.test(place)
    ? `NIGHTSHIFT_SNAPSHOT_STORE=${place}`
    : `NIGHTSHIFT_SNAPSHOT_DIR=${place} and without NIGHTSHIFT_SNAPSHOT_STORE`;
}

export const FOLDER_MODE = 0o700;
export const BRAND = /^[0-9a-f-]{36}$/;
const NAME = /^[0-9a-z][0-9a-z._-]*(\/[0-9a-z][0-9a-z._-]*){0,4}$/;

/** The name as a path. Names come from manifests too, which may be from anywhere. */
export function storePath(place: string, name: string): string {
  if (!NAME.test(name)) throw new StoreFailed(place, `${name} is no name of a file in it`);
  return name;
}

/** `id` is that of a snapshot. */
export const fileOf = {
  parts: (brandId: string) => `${brandId}/parts`,
  /** With the snapshot that wrote it: none ever replaces a file of another one, also where nobody can look what is there. */
  part: (brandId: string, part: { name: string; keyId: string }) => `${brandId}/${partFile(part)}`,
  manifests: (brandId: string) => `${brandId}/manifests`,
  manifest: (brandId: string, id: string) => `${brandId}/manifests/${id}.json`,
  keys: (brandId: string) => `${brandId}/keys`,
  key: (brandId: string, id: string) => `${brandId}/keys/${id}.json`,
};

/** A manifest of a hundred thousand parts is smaller. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;
const OWNER_ONLY = 0o600;

export async function putText(
  store: Store,
  brandId: string,
  { name, text, signal }: { name: string; text: string; signal?: AbortSignal | undefined },
): Promise<void> {
  await using draft = await store.draft(brandId);
  await writeFile(draft.path, text, { mode: OWNER_ONLY, flag: 'wx', flush: true }).catch((error) => {
    throw new StoreFailed(store.place, error);
  });
  await store.put(name, draft, signal);
}

export async function readText(store: Store, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of await store.read(name)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > TEXT_BYTES_MAX) throw new StoreFailed(store.place, `${name} is too large`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The files of a folder, with their bytes. */
export async function sizesIn(store: Store, folder: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of store.list(folder)) sizes.set(name, bytes);
  return sizes;
}

/** The ids of the snapshots that a store has a key of. */
export async function keysIn(store: Store, brandId: string): Promise<string[]> {
  return idsIn(store, fileOf.keys(brandId));
}

/** The ids of the snapshots that a store has of a brand. */
export async function manifestsIn(store: Store, brandId: string): Promise<string[]> {
  return idsIn(store, fileOf.manifests(brandId));
}

async function idsIn(store: Store, folder: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { name } of store.list(folder))
    ids.push(...(/([0-9a-f-]{36})\.json$/.exec(name)?.slice(1) ?? []));
  return ids.sort();
}
