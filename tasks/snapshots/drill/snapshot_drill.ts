/**
 * Proves each night that the newest snapshot of a brand restores, and reads a sample of the files of older ones: each file has
 * its night, by its name, so that all are read once a quarter.
 */
import { z } from 'zod';
import { openDb } from '#sql/db/pool.ts';
import {
  latestToRestore,
  listSnapshots,
  partsOf,
  recordVerified,
  type Snapshot,
  type StoredPart,
} from '#sql/snapshots/catalogue.ts';
import { NoStore } from '../../snapshot.ts';
import { defineTask, type Tally, type TaskContext } from '../../task.ts';
import { verifySnapshot } from '../verify.ts';
import { damageOf, verifyRecorded } from '../verify_recorded.ts';
import { LEVEL_OF_FIGURES, LEVEL_OF_RESTORE, LEVEL_OF_VERSIONS } from './prove.ts';

const TIMEOUT_SECONDS = 6 * 3_600;
/** Nights until each file was read. */
export const QUARTER = 91;
const DAY_MS = 86_400_000;
const PREFIX_CHARS = 8;
const LEVEL_OF_SAMPLE = 2;

const payload = z.strictObject({
  brandId: z.uuid(),
  level: z.int().min(LEVEL_OF_RESTORE).max(LEVEL_OF_FIGURES).default(LEVEL_OF_RESTORE),
  now: z.iso.datetime({ offset: true }).optional(),
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

/** Of so many nights in a row, a file has one. */
export function isOfNight({ name }: Pick<StoredPart, 'name'>, now: Date): boolean {
  const night = Math.floor(now.getTime() / DAY_MS) % QUARTER;
  return Number.parseInt(name.slice(0, PREFIX_CHARS), 16) % QUARTER === night;
}

/** Files that the newest one has too were read just now. Throws NS_SNAPSHOT_DAMAGED once it has read all. */
async function sample(context: TaskContext, newest: Snapshot, brandId: string): Promise<number> {
  const { db, services, signal, now } = context;
  const { snapshots, sealer } = services;
  if (snapshots === undefined) throw new NoStore();
  const fileOf = ({ name, keyId }: StoredPart) => `${keyId} ${name}`;
  const seen = new Set((await partsOf(db, newest)).map(fileOf));
  let first: Error | undefined;
  let sampled = 0;
  for (const snapshot of await listSnapshots(db, { brandId })) {
    if (snapshot.id === newest.id || snapshot.state === 'damaged') continue;
    signal.throwIfAborted();
    const { damages, damagedParts, parts } = await verifySnapshot({
      ...{ store: snapshots.store, sealer, snapshot, level: LEVEL_OF_SAMPLE, signal },
      isWanted(part) {
        const isNew = !seen.has(fileOf(part));
        seen.add(fileOf(part));
        return isNew && isOfNight(part, now());
      },
    });
    sampled += parts;
    if (damages.length === 0) continue;
    const damage = damageOf(snapshot, damages);
    first ??= damage;
    await db.transaction((tx) =>
      recordVerified(tx, snapshot, { level: LEVEL_OF_SAMPLE, damage: damage.message, damagedParts }),
    );
  }
  if (first) throw first;
  return sampled;
}
