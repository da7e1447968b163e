/**
 * Proves each night that the newest snapshot of a brand restores, and reads some of the files of older ones
 * (`sample.ts`).
 */
import { z } from 'zod';
import { openDb } from '#sql/db/pool.ts';
import { latestToRestore } from '#sql/snapshots/catalogue.ts';
import { VERIFY_JOB_SECONDS_MAX } from '#sql/snapshots/runs.ts';
import { NoStore } from '../../snapshot.ts';
import { defineTask, type Tally } from '../../task.ts';
import { verifyRecorded } from '../verify_recorded.ts';
import { LEVEL_OF_FIGURES, LEVEL_OF_RESTORE, LEVEL_OF_VERSIONS } from './prove.ts';
import { sample } from './sample.ts';

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
  timeoutSeconds: VERIFY_JOB_SECONDS_MAX,
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
    const sampled = await sample({ db, job, signal, store, sealer, newest: snapshot });
    return {
      ...{ snapshot: snapshot.id, level: reached, parts, rows, recovery_seconds: proved?.recoverySeconds },
      sampled,
    };
  },
});
