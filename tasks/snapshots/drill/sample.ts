/** Reads those files of older snapshots whose turn it is: all are read once a quarter, whatever nights there were. */
import type { Snapshot } from '#sql/snapshots/catalogue.ts';
import { snapshotsOf } from '#sql/snapshots/catalogue.ts';
import {
  filesToProve,
  LEVEL_OF_ROWS,
  type ProvedFile,
  recordProved,
  recordVerified,
} from '#sql/snapshots/proofs.ts';
import { beginSnapshotRun, endBrokenOff, endSnapshotRun } from '#sql/snapshots/runs.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { TaskContext } from '../../task.ts';
import type { Store } from '../store.ts';
import { verifySnapshot } from '../verify.ts';
import { damageOf } from '../verify_recorded.ts';

/** The promises of snapshots rest on the last one. */
const KIND = 'sample';

type Sampling = Pick<TaskContext, 'db' | 'job' | 'signal'> & {
  store: Store;
  sealer: Sealer;
  newest: Snapshot;
};

/**
 * Files that the newest one has too were read just now. What is wrong with one snapshot keeps no other from being read: the
 * first error is thrown once all are.
 */
export async function sample(options: Sampling): Promise<number> {
  const { db, job: jobId, signal, newest } = options;
  const { brandId } = newest;
  const run = await db.transaction(async (tx) => {
    const begun = await beginSnapshotRun(tx, {
      ...{ brandId, kind: KIND, snapshotId: newest.id, level: LEVEL_OF_ROWS, jobId },
    });
    await endBrokenOff(tx, { brandId, kind: KIND, but: begun }); // only one drill of a brand is under way
    return begun;
  });
  const tally = { files: 0, snapshots: 0 };
  let first: { error: unknown; snapshotId?: string } | undefined;
  try {
    const next = await filesToProve(db, { brandId, newest: newest.id, store: options.store.place });
    const waiting = new Set(next.map(fileOf));
    const ids = [...new Set(next.map(({ snapshot }) => snapshot))];
    for (const snapshot of await snapshotsOf(db, { brandId, ids })) {
      signal.throwIfAborted();
      try {
        tally.snapshots++;
        tally.files += await sampleOne(options, snapshot, waiting);
      } catch (error) {
        signal.throwIfAborted();
        first ??= { error, snapshotId: snapshot.id };
      }
    }
  } catch (error) {
    first = { error };
  }
  const end = db.transaction((tx) => endSnapshotRun(tx, { brandId, run, ...first, tally }));
  if (first === undefined) await end;
  else await end.catch(() => {}); // the job says it too
  if (first) throw first.error;
  return tally.files;
}

const fileOf = ({ name, keyId }: ProvedFile) => `${keyId} ${name}`;

/** Takes those that it reads from `waiting`. */
async function sampleOne(
  { db, store, sealer, signal }: Sampling,
  snapshot: Snapshot,
  waiting: Set<string>,
): Promise<number> {
  const { brandId } = snapshot;
  const read: ProvedFile[] = [];
  const { damages, damagedParts, damagedKeys } = await verifySnapshot({
    ...{ db, store, sealer, snapshot, level: LEVEL_OF_ROWS, signal },
    isWanted(part) {
      const isNext = waiting.delete(fileOf(part));
      if (isNext) read.push(part);
      return isNext;
    },
  });
  const damage = damages.length > 0 ? damageOf(snapshot, damages) : undefined;
  await db.transaction(async (tx) => {
    if (damage === undefined) return recordProved(tx, brandId, read);
    await recordVerified(tx, snapshot, {
      ...{ level: LEVEL_OF_ROWS, damage: damage.message, damagedParts, damagedKeys },
    });
  });
  if (damage) throw damage;
  return read.length;
}
