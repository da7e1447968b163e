/** Each restore has a row in `ops.snapshot_runs`, whatever came of it. */
import type { Db } from '#sql/db/pool.ts';
import { beginSnapshotRun, endSnapshotRun } from '#sql/snapshots/runs.ts';

export async function restoreRecorded<T extends object>(
  db: Pick<Db, 'transaction'>,
  { brandId, id }: { brandId: string; id: string },
  work: () => Promise<T>,
): Promise<T> {
  const run = await db.transaction((tx) =>
    beginSnapshotRun(tx, { brandId, kind: 'restore', snapshotId: id }),
  );
  try {
    const tally = await work();
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, tally }));
    return tally;
  } catch (error) {
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, error })).catch(() => {}); // the error says it too
    throw error;
  }
}
