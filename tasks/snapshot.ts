/**
 * Makes a snapshot of a brand in the store: see snapshots/create.ts. Each run has a row in `ops.snapshot_runs`, whatever
 * came of it.
 */
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import { openDb } from '#sql/db/pool.ts';
import { beginSnapshotRun, endBrokenOff, endSnapshotRun } from '#sql/snapshots/runs.ts';
import { scopes } from '#sql/snapshots/tables.ts';
import { listBrands } from '#sql/tenants/brands.ts';
import { createSnapshot } from './snapshots/create.ts';
import { defineTask, type SnapshotServices, type Tally, type TaskContext } from './task.ts';

/** Longer than a snapshot may take, whose own limit says what to do about it. */
const TIMEOUT_SECONDS = 24 * 3_600;
const READERS = 2;
export const RATE_MAX = 100_000;

const payload = z.strictObject({
  brandId: z.uuid(),
  scope: z.enum(scopes).default('all'),
  /** Megabytes a second that are read at most; that of the environment if not said. */
  rate: z.int().min(0).max(RATE_MAX).optional(),
});

export class NoStore extends coded('NS_SNAPSHOT_STORE') {
  constructor() {
    super('This process has no store of snapshots.', {
      hint: 'Start it with NIGHTSHIFT_SNAPSHOT_DIR, NIGHTSHIFT_SNAPSHOT_STORE or NIGHTSHIFT_DATA_DIR set.',
    });
  }
}

export const snapshot = defineTask({
  name: 'snapshot',
  payload,
  lane: ({ brandId }) => `snapshot:${brandId}`,
  key: ({ brandId, scope }) => `${brandId}:${scope}`,
  attempts: 5,
  timeoutSeconds: TIMEOUT_SECONDS,
  priority: 'bulk',
  schedules: [
    { name: 'snapshot', of: 'brand', expression: '0 3 * * *' },
    // Figures alone: small enough to be kept for years, and with hardly anything of a person in them.
    { name: 'snapshot-weekly', of: 'brand', expression: '0 4 * * 0', payload: { scope: 'aggregates' } },
  ],
  async run(given, context): Promise<Tally> {
    const { db, job, services } = context;
    const { snapshots } = services;
    if (snapshots === undefined) throw new NoStore();
    const { brandId } = given;
    const brand = (await listBrands(db)).find(({ id }) => id === brandId);
    if (brand === undefined || brand.removingAt !== null) return { skipped: 'the brand is gone, or going' };
    const run = await db.transaction((tx) => beginSnapshotRun(tx, { brandId, kind: 'create', jobId: job }));
    try {
      return await make(context, snapshots, { ...given, brand, run });
    } catch (error) {
      await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, error })).catch(() => {}); // the job says it too
      throw error;
    }
  },
});

type Given = z.output<typeof payload> & { brand: { id: string; slug: string }; run: number };

async function make(
  { db, signal, progress, services }: TaskContext,
  { url, store, minutes, rate: usual }: SnapshotServices,
  { brandId, brand, scope, rate, run }: Given,
): Promise<Tally> {
  const limitSeconds = minutes * 60;
  await using reading = openDb(url, {
    ...{ applicationName: 'nightshift snapshot', max: READERS + 1, statementTimeoutMs: limitSeconds * 1_000 },
  });
  const began = performance.now();
  const { id, content, parts, damages, complete } = await createSnapshot({
    ...{ db, reading, readers: READERS, store, sealer: services.sealer, brand, scope, signal, limitSeconds },
    bytesPerSecond: (rate ?? usual) * 1_000_000,
    onAlone: () => db.transaction((tx) => endBrokenOff(tx, { brandId, kind: 'create', but: run })),
    progress,
  });
  const fresh = parts.filter(({ isNew }) => isNew);
  const tally = {
    ...{ snapshot: id, ...content.totals, new_parts: fresh.length },
    new_bytes: fresh.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
    ms: Math.round(performance.now() - began),
    ...(damages[0] !== undefined && { incomplete: `an earlier snapshot is lost: ${damages[0]}` }),
  };
  return db.finish(async (tx) => {
    await complete(tx);
    await endSnapshotRun(tx, { brandId, run, snapshotId: id, tally });
    return tally;
  });
}
