/** The store of snapshots that the environment names. */
import type { Config } from '#runtime/config.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import { s3Store } from '#tasks/snapshots/s3/s3_store.ts';
import type { SnapshotServices } from '#tasks/task.ts';
import { keyringOf } from './keyring.ts';
import type { Cli } from './noun.ts';
import type { Session } from './session.ts';

export function snapshotServices(
  { snapshots: { dir, bucket, minutes, rate, drillUrl } }: Config,
  url: string,
): SnapshotServices {
  const store = bucket === undefined ? localStore(dir) : s3Store({ ...bucket, draftsDir: dir });
  return { url, store, minutes, rate, drillUrl };
}

/** The store as a command uses it, with what opens its keys. */
export async function openSnapshots(
  cli: Cli,
  session: Session,
): Promise<SnapshotServices & { sealer: Sealer }> {
  const { sealer } = await keyringOf(cli, session);
  return { ...snapshotServices(session.config, session.url), sealer };
}
