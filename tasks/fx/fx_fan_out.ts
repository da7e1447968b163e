/**
 * Passes the newest change of exchange rates on: queues a job for each brand, in a transaction of its own, so that no
 * brand waits for another. The change itself stores the progress: a run that comes twice, late or after a
 * crash continues behind the last brand that has its job.
 */
import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { type BrandsToPass, finishPassing, nextBrands, notePassed } from '#sql/fx/changes.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask } from '../task.ts';
import { fxBrand } from './fx_brand.ts';

const PAGE_BRANDS = 100;
/** Beyond this, another job continues, with a timeout of its own. */
const PAGES_MAX = 1_000;

const payload = z.strictObject({
  /** The instant that the rollups take for now. */
  now: z.iso.datetime({ offset: true }).optional(),
});

export const fxFanOut = defineTask({
  name: 'fx_fan_out',
  payload,
  lane: () => 'fx_fan_out',
  // Without a key: a publication must not wait for the row of a run that begins. A second run finds nothing to do.
  attempts: 8,
  timeoutSeconds: 30 * 60,
  async run(which, { db, signal, now, progress }) {
    let brands = 0;
    for (let page = 0; page < PAGES_MAX; page++) {
      const next = await nextBrands(db, PAGE_BRANDS);
      if (next === undefined) return { brands };
      for (const brandId of next.brandIds) {
        signal.throwIfAborted();
        await db.transaction((tx) => pass(tx, next, brandId, which));
        progress({ brands: ++brands });
      }
      if (next.brandIds.length < PAGE_BRANDS)
        await db.transaction((tx) => finishPassing(tx, next.changeId, now()));
    }
    await db.transaction((tx) => enqueue(tx, fxFanOut, which));
    return { brands };
  },
});

/** A brand that is being removed gets no job. */
async function pass(
  tx: Tx,
  { changeId }: BrandsToPass,
  brandId: string,
  { now }: z.output<typeof payload>,
): Promise<void> {
  const { rowCount } = await tx.query(
    'select from app.brands where id = $1 and removing_at is null for key share',
    [brandId],
  );
  await notePassed(tx, changeId, brandId);
  if (rowCount === 1) await enqueue(tx, fxBrand, { brandId, ...(now && { now }) });
}
