/**
 * Counts what is there of the frozen figures of a brand, once a night. They are kept for good, so whoever wants to know at any time
 * (`doctor`) reads what was found here. One owner after the other: the index that they are counted by has the rows of each together.
 */
import type { Night } from '#sql/nights/nights.ts';
import { ownersOfFigures, recordLost, waitsForCount } from '#sql/periods/counted.ts';
import { type Lost, lostFigures, lostText } from '#sql/periods/lost.ts';
import type { Tally, TaskContext } from '../task.ts';

/** Of an owner. */
const LOST_MAX = 1_000;

/** Tallies the losses: figures of a month and owner. */
export async function countFrozen(
  { db, signal, log }: TaskContext,
  { brandId, begunAt }: Night,
  now: Date,
): Promise<Tally> {
  if (!(await waitsForCount(db, brandId, begunAt))) return {};
  const lost: Lost[] = [];
  for (const owner of await ownersOfFigures(db, brandId)) {
    signal.throwIfAborted();
    lost.push(...(await lostFigures(db, { brandId, owner, max: LOST_MAX })));
  }
  await db.transaction((tx) => recordLost(tx, { brandId, lost, now }));
  for (const one of lost) log.error({ brandId, ...one }, `frozen rows are lost: ${lostText(one)}`);
  return lost.length > 0 ? { lost_figures: lost.length } : {};
}
