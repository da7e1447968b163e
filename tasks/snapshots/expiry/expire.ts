/** Lets the snapshots of a brand go that no rule keeps, and sweeps its store. A run may end anywhere: the next one goes on. */
import type { Db } from '#sql/db/pool.ts';
import { forgetPersons } from '#sql/privacy/remembered.ts';
import { alone } from '#sql/snapshots/moment.ts';
import { expire, planSnapshots } from '#sql/snapshots/retention.ts';
import { beginSnapshotRun, endBrokenOff, endSnapshotRun, noteInRun } from '#sql/snapshots/runs.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { adoptManifests } from '../adopt.ts';
import { type Store, settingOf } from '../store.ts';
import { type Removed, type Removing, removeManifests, type Sweeping, sweepFiles } from './sweep.ts';

export const KIND = 'expire';
const EXPIRED_AT_ONCE = 50;

export type ExpireOptions = {
  db: Pick<Db, 'query' | 'transaction'>;
  /** A session of its own, which holds the lock. */
  locking: Pick<Db, 'transaction'>;
  store: Store;
  sealer: Sealer;
  brandId: string;
  jobId?: string | undefined;
  signal: AbortSignal;
  graceSeconds: number;
  now: Date;
};

export type Expired = {
  expired: number;
  kept: number;
  files: number;
  bytes: number;
  /** Why files stay. */
  incomplete?: string;
};

/** Everything that the run did is in `ops.snapshot_runs`: the ids that expired, and the names of the files. */
export async function expireSnapshots(options: ExpireOptions): Promise<Expired> {
  return recordedAlone(options, async (prove, removing, note) => {
    const { db, store, sealer, brandId, now } = options;
    const { damages } = await adoptManifests({ db, store, sealer, brandId });
    const sweeping: Sweeping = { ...options, prove, removing };
    const plan = await planSnapshots(db, { brandId, now });
    const over = plan.filter(({ expires }) => expires);
    const due = over.filter((one) => one.store === store.place).map(({ id }) => id);
    const elsewhere = over.find((one) => one.store !== store.place)?.store;
    const snapshots: string[] = [];
    await removeManifests(sweeping); // where nothing can be removed, nothing more leaves the catalogue
    for (let at = 0; at < due.length; at += EXPIRED_AT_ONCE) {
      await prove();
      const ids = due.slice(at, at + EXPIRED_AT_ONCE);
      snapshots.push(...(await db.transaction((tx) => expire(tx, { brandId, ids, now }))));
      note({ snapshots });
      await removing.save();
      await removeManifests(sweeping);
    }
    await db.transaction((tx) => forgetPersons(tx, brandId));
    // Nobody knows which files a manifest names that cannot be read.
    if (damages[0] === undefined) await sweepFiles(sweeping);
    const { files, bytes } = removing.removed;
    const tally = { expired: snapshots.length, kept: plan.length - snapshots.length, files, bytes };
    const incomplete = whyIncomplete({ damage: damages[0], elsewhere });
    return { ...tally, ...(incomplete !== undefined && { incomplete }) };
  });
}

type Left = { damage: string | undefined; elsewhere: string | undefined };

function whyIncomplete({ damage, elsewhere }: Left): string | undefined {
  if (damage !== undefined) return `no part is removed, because a manifest cannot be read: ${damage}`;
  if (elsewhere === undefined) return undefined;
  return `what no rule keeps ${elsewhereSaid(elsewhere)}`;
}

/** What is due in another store than that of this process, and who removes it. */
export function elsewhereSaid(place: string): string {
  return `is in ${place}: npx nightshift snapshots expire --here, with ${settingOf(place)}, removes it`;
}

type Note = (more: object) => void;

/** Runs alone for the brand, with a row of its own for the run. */
export async function recordedAlone<T extends object>(
  { db, locking, brandId, jobId }: Pick<ExpireOptions, 'db' | 'locking' | 'brandId' | 'jobId'>,
  work: (prove: () => Promise<void>, removing: Removing, note: Note) => Promise<T>,
): Promise<T> {
  const run = await db.transaction((tx) => beginSnapshotRun(tx, { brandId, kind: KIND, jobId }));
  const removed: Removed = { files: 0, bytes: 0, names: [] };
  let noted: object = {};
  const save = () => db.transaction((tx) => noteInRun(tx, { brandId, run, tally: { ...noted, ...removed } }));
  try {
    const result = await alone(locking, brandId, async (prove) => {
      await db.transaction((tx) => endBrokenOff(tx, { brandId, kind: KIND, but: run }));
      const note: Note = (more) => {
        noted = { ...noted, ...more };
      };
      return work(prove, { removed, save }, note);
    });
    const tally = { ...noted, ...removed, ...result };
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, tally }));
    return result;
  } catch (error) {
    const tally = { ...noted, ...removed };
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, error, tally })).catch(() => {}); // the error says it too
    throw error;
  }
}
