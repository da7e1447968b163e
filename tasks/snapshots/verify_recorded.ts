/** Verifies a snapshot and keeps what came of it, also that it could not be verified. */
import type { Db } from '#sql/db/pool.ts';
import type { Snapshot } from '#sql/snapshots/catalogue.ts';
import { recordVerified } from '#sql/snapshots/proofs.ts';
import { beginSnapshotRun, endBrokenOff, endLostRuns, endSnapshotRun } from '#sql/snapshots/runs.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { SnapshotDamaged } from './damage.ts';
import { FiguresWrong } from './drill/figures.ts';
import { LEVEL_OF_RESTORE, type ProvingPlace } from './drill/prove.ts';
import type { Store } from './store.ts';
import { type Verified, verifySnapshot } from './verify.ts';

const KIND = 'verify';
const DAMAGES_SAID_MAX = 5;

export type VerifyRecorded = {
  db: Pick<Db, 'query' | 'transaction'>;
  store: Store;
  sealer: Sealer;
  snapshot: Snapshot;
  level: number;
  place: ProvingPlace;
  jobId?: string;
  signal?: AbortSignal;
  progress?(state: { parts: number; of: number }): void;
};

/** Throws NS_SNAPSHOT_DAMAGED, which names the first damages, or NS_SNAPSHOT_FIGURES: then it restores, but with wrong figures. */
export async function verifyRecorded(options: VerifyRecorded): Promise<Verified> {
  const { db, snapshot, level, jobId } = options;
  const { brandId, id } = snapshot;
  const run = await db.transaction(async (tx) => {
    await endLostRuns(tx, brandId);
    const begun = await beginSnapshotRun(tx, { brandId, kind: KIND, snapshotId: id, level, jobId });
    // A job runs once at a time; commands verify beside it.
    if (jobId !== undefined) await endBrokenOff(tx, { brandId, kind: KIND, but: begun, jobId });
    return begun;
  });
  try {
    const verified = await verifySnapshot(options);
    const { damages, damagedParts, damagedKeys } = verified;
    const damage = damages.length > 0 ? damageOf(snapshot, damages) : undefined;
    const differing = verified.proved?.figures?.differing ?? [];
    const error = damage ?? (differing.length > 0 ? new FiguresWrong(snapshot, differing) : undefined);
    const reached = differing.length > 0 ? LEVEL_OF_RESTORE : level;
    await db.transaction(async (tx) => {
      await recordVerified(tx, snapshot, {
        level: reached,
        damage: damage?.message,
        damagedParts,
        damagedKeys,
      });
      await endSnapshotRun(tx, { brandId, run, error, tally: tallyOf(verified, snapshot) });
    });
    if (error) throw error;
    return verified;
  } catch (error) {
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, error })).catch(() => {}); // the error says it too
    throw error;
  }
}

/** Of what a drill has shown, `bi.snapshot_drills` reads the first two. */
function tallyOf({ parts, rows, damages, proved }: Verified, { createdAt }: Snapshot) {
  const { recoverySeconds, serverVersion, figures } = proved ?? {};
  return {
    ...{ recovery_seconds: recoverySeconds, snapshot_at: createdAt, parts, rows, damages: damages.length },
    ...{ server_version: serverVersion, figures: figures?.tables, waiting: figures?.waiting },
    differing: figures?.differing.reduce(
      (sum, one) => sum + one.onlyStored + one.onlyRecomputed + one.changed,
      0,
    ),
  };
}

export function damageOf({ id, brand }: Snapshot, damages: readonly string[]): SnapshotDamaged {
  const more = damages.length - DAMAGES_SAID_MAX;
  const said = [...damages.slice(0, DAMAGES_SAID_MAX), ...(more > 0 ? [`And ${more} more.`] : [])];
  return new SnapshotDamaged(`Snapshot ${id} of ${brand} is damaged. ${said.join(' ')}`, {
    snapshot: id,
    damages: said,
  });
}
