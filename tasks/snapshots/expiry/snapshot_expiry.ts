/**
 * Deletes the snapshots of a brand that no rule keeps (`ops.snapshot_keeps`) and the files that nothing needs; without a brand,
 * what stores have of brands that were removed.
 */
import { z } from 'zod';
import { openDb } from '#sql/db/pool.ts';
import { listBrands } from '#sql/tenants/brands.ts';
import { NoStore } from '../../snapshot.ts';
import { defineTask, type Tally } from '../../task.ts';
import { fileOf, ifAllowed, type Store } from '../store.ts';
import { expireSnapshots } from './expire.ts';
import { removeRemoved } from './removed.ts';
import { graceFor } from './sweep.ts';

/** Someone with another key does it then: docs/operations.md. */
const MAY_ONLY_PUT = { skipped: 'the key of the store may not list, read or delete what is in it' };

const TIMEOUT_SECONDS = 6 * 3_600;

export const snapshotExpiry = defineTask({
  name: 'snapshot_expiry',
  payload: z.strictObject({
    brandId: z.uuid().optional(),
    now: z.iso.datetime({ offset: true }).optional(),
  }),
  // That of the snapshots, which it would find busy.
  lane: ({ brandId }) => `snapshot:${brandId ?? 'removed'}`,
  key: ({ brandId }) => brandId ?? 'removed',
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  priority: 'bulk',
  schedules: [
    { name: 'snapshot-expiry', of: 'brand', expression: '0 5 * * *' },
    { name: 'snapshot-expiry', of: 'platform', expression: '0 5 * * *' },
  ],
  async run({ brandId }, { db, job, signal, now, services }): Promise<Tally> {
    const { snapshots, sealer } = services;
    if (snapshots === undefined) throw new NoStore();
    const { url, store, minutes } = snapshots;
    await using locking = openDb(url, { applicationName: 'nightshift snapshot', max: 1 });
    const work = { db, locking, store, jobId: job, signal };
    if (brandId === undefined)
      return (await mayRead(() => store.brands())) ? await removeRemoved(work) : MAY_ONLY_PUT;
    const brand = (await listBrands(db)).find(({ id }) => id === brandId);
    if (brand === undefined || brand.removingAt !== null) return { skipped: 'the brand is gone, or going' };
    if (!(await mayRead(() => anyManifest(store, brandId)))) return MAY_ONLY_PUT;
    const graceSeconds = graceFor(minutes);
    return await expireSnapshots({ ...work, sealer, brandId, graceSeconds, now: now() });
  },
});

/** Asked before anything is done: a key that may read but not delete has to be mended, so a later refusal fails the run. */
async function mayRead(lists: () => Promise<unknown>): Promise<boolean> {
  return (await ifAllowed(() => lists().then(() => true))) === true;
}

async function anyManifest(store: Store, brandId: string): Promise<boolean> {
  for await (const _ of store.list(fileOf.manifests(brandId))) return true;
  return false;
}
