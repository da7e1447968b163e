/** Lets nights go on whose jobs are done, or whose time has come. */
import type { Db } from '#sql/db/pool.ts';
import { nightsToAdvance } from '#sql/nights/nights.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { nightly } from '#tasks/nightly.ts';

const NIGHTS_MAX = 100;

export async function advanceNights(db: Db, now: Date): Promise<void> {
  for (const { brandId, localDay } of await nightsToAdvance(db, now, NIGHTS_MAX))
    await db.transaction((tx) => enqueue(tx, nightly, { brandId, localDay }));
}
