/** The store of snapshots that the environment names. */
import type { Config } from '#runtime/config.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import type { SnapshotServices } from '#tasks/task.ts';

export function snapshotServices(
  { snapshots: { dir, minutes, rate } }: Config,
  url: string,
): SnapshotServices {
  return { url, store: localStore(dir), minutes, rate };
}
