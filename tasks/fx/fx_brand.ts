/**
 * Compares the rows of one brand with the exchange rates, marks the days that differ, and queues the rollups of their
 * retailers, and of the brand itself. A brand whose figures no change reaches costs one look and gets no rollup.
 */
import { z } from 'zod';
import { noticeRatesOfBrand, ownersMoved } from '#sql/fx/days.ts';
import { enqueue } from '../enqueue.ts';
import { rollup } from '../rollup.ts';
import { defineTask } from '../task.ts';

export const fxBrand = defineTask({
  name: 'fx_brand',
  payload: z.strictObject({
    brandId: z.uuid(),
    /** The instant that the rollups take for now. */
    now: z.iso.datetime({ offset: true }).optional(),
  }),
  // Two concurrent jobs of a brand would take each other for running rollups.
  lane: ({ brandId }) => `fx_brand:${brandId}`,
  // Without a key: a brand whose run begins must not keep the next brands waiting. A second run finds nothing to do.
  attempts: 8,
  timeoutSeconds: 30 * 60,
  async run({ brandId, now }, { db, services }) {
    const { days, busy } = await db.transaction((tx) => noticeRatesOfBrand(tx, brandId, services.rollups));
    // After the locks are released, one transaction each: queueing a rollup may wait for one that begins, which waits
    // for its lock. The marks say whose rollup is owed, so a crash before this point loses none.
    const owed = new Set([...busy, ...(await ownersMoved(db, brandId))]);
    for (const retailerId of owed)
      await db.transaction(async (tx) => {
        const { rowCount } = await tx.query(
          retailerId === null
            ? 'select from app.brands where id = $1 and $2::uuid is null and removing_at is null for key share'
            : 'select from app.retailers where brand_id = $1 and id = $2 and removing_at is null for key share',
          [brandId, retailerId],
        );
        if (rowCount === 1) await enqueue(tx, rollup, { brandId, retailerId, ...(now && { now }) });
      });
    return { days, retailers: [...owed].filter((owner) => owner !== null).length };
  },
});
