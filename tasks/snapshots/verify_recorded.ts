/** Verifies a snapshot and keeps what came of it, also that it could not be verified. */
import type { Db } from '#sql/db/pool.ts';
import { recordVerified, type Snapshot } from '#sql/snapshots/catalogue.ts';
import { beginSnapshotRun, endSnapshotRun } from '#sql/snapshots/runs.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { SnapshotDamaged } from './damage.ts';
import type { Store } from './store.ts';
import { type Verified, verifySnapshot } from './verify.ts';

const DAMAGES_SAID_MAX = 5;

type Options = {
  db: Pick<Db, 'transaction'>;
  store: Store;
  sealer: Sealer;
  snapshot: Snapshot;
  level: number;
  limitSeconds: number;
  progress?(state: { parts: number; of: number }): void;
};

/** Throws NS_SNAPSHOT_DAMAGED, which names the first damages. */
export async function verifyRecorded(options: Options): Promise<Verified> {
  const { db, snapshot, level, limitSeconds } = options;
  const { brandId, id } = snapshot;
  const run = await db.transaction((tx) =>
    beginSnapshotRun(tx, { brandId, kind: 'verify', snapshotId: id, level }),
  );
  try {
    const verified = await verifySnapshot({ ...options, scratch: { db, limitSeconds } });
    const { damages, damagedParts, ...tally } = verified;
    const error = damages.length > 0 ? damageOf(snapshot, damages) : undefined;
    await db.transaction(async (tx) => {
      await recordVerified(tx, snapshot, { level, damage: error?.message, damagedParts });
      await endSnapshotRun(tx, { brandId, run, error, tally: { ...tally, damages: damages.length } });
    });
    if (error) throw error;
    return verified;
  } catch (error) {
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, error })).catch(() => {}); // the error says it too
    throw error;
  }
}

function damageOf({ id, brand }: Snapshot, damages: readonly string[]): SnapshotDamaged {
  const more = damages.length - DAMAGES_SAID_MAX;
  const said = [...damages.slice(0, DAMAGES_SAID_MAX), ...(more > 0 ? [`And ${more} more.`] : [])];
  return new SnapshotDamaged(`Snapshot ${id} of ${brand} is damaged. ${said.join(' ')}`, {
    snapshot: id,
    damages: said,
  });
}
