/** Lets nights go on whose jobs are done, or whose time has come. */
import type { Db } from '#sql/db/pool.ts';
import { type DueNight, nightsToAdvance } from '#sql/nights/nights.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { nightly } from '#tasks/nightly.ts';

const NIGHTS_MAX = 100;

export function dueNights(db: Db, now: Date): Promise<DueNight[]> {
  return nightsToAdvance(db, now, NIGHTS_MAX);
}

export async function advanceNight(db: Db, { brandId, localDay }: DueNight): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      'select from app.brands where id = $1 and removing_at is null for key share',
      [brandId],
    );
    if (rowCount === 1) await enqueue(tx, nightly, { brandId, localDay });
  });
}
