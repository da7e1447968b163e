/**
 * Proves each night that the newest snapshot of a brand restores, and reads some of the files of older ones, those first whose
 * last proof is oldest: all are read once a quarter, whatever nights there were.
 */
import { z } from 'zod';
import { openDb } from '#sql/db/pool.ts';
import { latestToRestore, type Snapshot, snapshotsOf } from '#sql/snapshots/catalogue.ts';
import {
  filesToProve,
  LEVEL_OF_ROWS,
  type ProvedFile,
  recordProved,
  recordVerified,
} from '#sql/snapshots/proofs.ts';
import { NoStore } from '../../snapshot.ts';
import { defineTask, type Tally, type TaskContext } from '../../task.ts';
import { verifySnapshot } from '../verify.ts';
import { damageOf, verifyRecorded } from '../verify_recorded.ts';
import { LEVEL_OF_FIGURES, LEVEL_OF_RESTORE, LEVEL_OF_VERSIONS } from './prove.ts';

const TIMEOUT_SECONDS = 6 * 3_600;

const payload = z.strictObject({
  brandId: z.uuid(),
  level: z.int().min(LEVEL_OF_RESTORE).max(LEVEL_OF_FIGURES).default(LEVEL_OF_RESTORE),
});

export const snapshotDrill = defineTask({
  name: 'snapshot_drill',
  payload,
  // That of the snapshots: what one makes, and what another sweeps, is not proved meanwhile.
  lane: ({ brandId }) => `snapshot:${brandId}`,
  key: ({ brandId, level }) => `${brandId}:${level}`,
  attempts: 3,
  timeoutSeconds: TIMEOUT_SECONDS,
  priority: 'bulk',
  schedules: [
    { name: 'snapshot-drill', of: 'brand', expression: '30 4 * * 1-6' },
    // On the server of NIGHTSHIFT_DRILL_URL, where there is one.
    {
      name: 'snapshot-drill-weekly',
      of: 'brand',
      expression: '30 4 * * 0',
      payload: { level: LEVEL_OF_FIGURES },
    },
  ],
  async run({ brandId, level }, context): Promise<Tally> {
    const { db, job, signal, services, progress } = context;
    const { snapshots, sealer, providers, rollups } = services;
    if (snapshots === undefined) throw new NoStore();
    const { url, store, minutes, drillUrl } = snapshots;
    const snapshot = await latestToRestore(db, brandId);
    if (snapshot === undefined) return { skipped: 'the brand has no snapshot' };
    const isHighest = level >= LEVEL_OF_FIGURES && snapshot.scope === 'all';
    const isElsewhere = isHighest && drillUrl !== undefined;
    const usual = isHighest ? LEVEL_OF_FIGURES : LEVEL_OF_RESTORE;
    const reached = isElsewhere ? LEVEL_OF_VERSIONS : usual;
    // A session of its own: those of the job hold its row, for which who asks after the job would wait.
    const limitSeconds = minutes * 60;
    await using own = openDb(url, {
      ...{ applicationName: 'nightshift drill', max: 1, statementTimeoutMs: limitSeconds * 1_000 },
    });
    const place = {
      ...{ db: own, url, streams: providers.streams, rollups, limitSeconds },
      server: isElsewhere ? drillUrl : undefined,
    };
    const { parts, rows, proved } = await verifyRecorded({
      ...{ db, store, sealer, snapshot, level: reached, place, signal, jobId: job, progress },
    });
    const sampled = await sample(context, snapshot, brandId);
    return {
      ...{ snapshot: snapshot.id, level: reached, parts, rows, recovery_seconds: proved?.recoverySeconds },
      sampled,
    };
  },
});

/** Files that the newest one has too were read just now. Throws NS_SNAPSHOT_DAMAGED once it has read all. */
async function sample(
  { db, services, signal }: TaskContext,
  newest: Snapshot,
  brandId: string,
): Promise<number> {
  const { snapshots, sealer } = services;
  if (snapshots === undefined) throw new NoStore();
  const fileOf = ({ name, keyId }: ProvedFile) => `${keyId} ${name}`;
  const { store } = snapshots;
  const next = await filesToProve(db, { brandId, newest: newest.id, store: store.place });
  const waiting = new Set(next.map(fileOf));
  const ids = [...new Set(next.map(({ snapshot }) => snapshot))];
  let first: Error | undefined;
  let sampled = 0;
  for (const snapshot of await snapshotsOf(db, { brandId, ids })) {
    signal.throwIfAborted();
    const read: ProvedFile[] = [];
    const { damages, damagedParts } = await verifySnapshot({
      ...{ store, sealer, snapshot, level: LEVEL_OF_ROWS, signal },
      isWanted(part) {
        const isNext = waiting.delete(fileOf(part));
        if (isNext) read.push(part);
        return isNext;
      },
    });
    sampled += read.length;
    const damage = damages.length > 0 ? damageOf(snapshot, damages) : undefined;
    first ??= damage;
    await db.transaction(async (tx) => {
      if (damage === undefined) return recordProved(tx, brandId, read);
      await recordVerified(tx, snapshot, { level: LEVEL_OF_ROWS, damage: damage.message, damagedParts });
    });
  }
  if (first) throw first;
  return sampled;
}
