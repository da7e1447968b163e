/**
 * Removes files that no snapshot of a brand needs, whatever left them: an expired snapshot, a run that was broken off. A file
 * is marked when nothing needs it any more and removed when a time of grace is over, and only by one who works alone on the
 * snapshots of the brand. So a snapshot that is being made loses no file that it goes on with: a file that it found in the
 * catalogue has no mark, and would get one at the earliest after it; a file that it writes loses its mark with the row that
 * names it, before the manifest does.
 */
import type { Db } from '#sql/db/pool.ts';
import {
  dueFiles,
  forgetFiles,
  forgetLongBrokenOff,
  markUnneeded,
  unmarkNeeded,
} from '#sql/snapshots/garbage.ts';
import { fileOf, type Store } from '../store.ts';

/** Those who read a snapshot that expires meanwhile have so long to end. */
const GRACE_SECONDS = 24 * 3_600;
const FILES_AT_ONCE = 1_000;
const BATCHES_MAX = 1_000;
export const NAMES_MAX = 10_000;

export type Sweeping = {
  db: Pick<Db, 'query' | 'transaction'>;
  store: Store;
  brandId: string;
  /** Throws once it is no longer sure that nobody else works on the snapshots of the brand. */
  prove(): Promise<void>;
  signal: AbortSignal;
  graceSeconds: number;
  removing: Removing;
};

/** What is removed, as it is kept in `ops.snapshot_runs`. */
export type Removed = { files: number; bytes: number; names: string[] };

/** Keeps what is about to be removed. */
export type Removing = { removed: Removed; save(): Promise<void> };

/** Longer than two snapshots may take, so that one whose session was lost has ended too. */
export function graceFor(minutes: number): number {
  return Math.max(GRACE_SECONDS, 2 * minutes * 60);
}

/** Manifests of snapshots that have expired: until they are gone, the store still has these. */
export async function removeManifests(sweeping: Sweeping): Promise<void> {
  await removeDue(sweeping, 'manifests');
}

export async function sweepFiles(sweeping: Sweeping): Promise<void> {
  const { db, store, brandId, prove, graceSeconds } = sweeping;
  await prove();
  await store.clearDrafts(brandId);
  await db.transaction(async (tx) => {
    await forgetLongBrokenOff(tx, brandId, graceSeconds);
    await unmarkNeeded(tx, brandId);
  });
  const sizes = new Map<string, number>();
  for (const folder of [fileOf.parts(brandId), fileOf.keys(brandId)])
    for await (const { name, bytes } of store.list(folder)) sizes.set(name.slice(brandId.length + 1), bytes);
  const names = [...sizes.keys()].sort();
  for (let at = 0; at < names.length; at += FILES_AT_ONCE) {
    const some = names.slice(at, at + FILES_AT_ONCE);
    await prove();
    await db.transaction((tx) => markUnneeded(tx, brandId, some));
  }
  await removeDue(sweeping, 'others', sizes);
}

async function removeDue(
  sweeping: Sweeping,
  kind: 'manifests' | 'others',
  sizes?: ReadonlyMap<string, number>,
): Promise<void> {
  const { db, brandId, graceSeconds } = sweeping;
  for (let count = 0; count < BATCHES_MAX; count++) {
    const due = await dueFiles(db, brandId, { kind, graceSeconds, max: FILES_AT_ONCE });
    if (due.length === 0) return;
    // One that another run has removed already is none.
    const there = sizes ? due.filter((file) => sizes.has(file)) : due;
    await removeFiles(
      sweeping,
      there.map((name) => ({ name, bytes: sizes?.get(name) ?? 0 })),
    );
    await db.transaction((tx) => forgetFiles(tx, brandId, due));
  }
}

/** Each is written down before it goes, so none goes unseen. */
export async function removeFiles(
  { store, brandId, prove, signal, removing }: Omit<Sweeping, 'db' | 'graceSeconds'>,
  files: readonly { name: string; bytes: number }[],
): Promise<void> {
  if (files.length === 0) return;
  const { removed } = removing;
  removed.files += files.length;
  removed.bytes += files.reduce((sum, { bytes }) => sum + bytes, 0);
  removed.names.push(...files.map(({ name }) => name).slice(0, NAMES_MAX - removed.names.length));
  await removing.save();
  for (const { name } of files) {
    signal.throwIfAborted();
    await prove();
    await store.remove(`${brandId}/${name}`);
  }
  await store.settle();
}
