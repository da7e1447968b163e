/** Taking marks: what a rollup does first, under the lock of its retailer. */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { noticeRates } from '../fx/days.ts';
import { lockRollup, type Mark } from './marks.ts';

/**
 * Takes the marks of up to `limit` days, oldest first. Only marks that it sees go; one that commits later stays
 * for the next claim. Read the facts by a later statement than this one: its snapshot then holds all that the
 * deleted marks stood for.
 */
export async function claimMarks(
  tx: Tx,
  brandId: string,
  retailerId: string,
  limit: number,
): Promise<Mark[]> {
  await lockRollup(tx, brandId, retailerId);
  await followIndexes(tx);
  await noticeRates(tx, brandId, retailerId);
  const { rows } = await tx.query<Mark>(
    `with wanted as (
       select distinct day from ops.marks where brand_id = $1 and retailer_id = $2 order by day limit $3
     ), seen as (
       select ctid from ops.marks
       where brand_id = $1 and retailer_id = $2 and day <= (select max(day) from wanted)
       order by day
       for update skip locked
     ), claimed as (
       delete from ops.marks where ctid = any (array(select ctid from seen)) returning subject, day
     )
     select distinct day, subject from claimed order by day, subject`,
    [brandId, retailerId, limit],
  );
  return rows;
}

/** Drops the marks of days that are about to be computed whatever has changed; else as `claimMarks`. */
export async function dropMarks(
  tx: Tx,
  brandId: string,
  retailerId: string,
  days: readonly string[],
): Promise<void> {
  await lockRollup(tx, brandId, retailerId);
  await followIndexes(tx);
  await noticeRates(tx, brandId, retailerId);
  await tx.query(
    `delete from ops.marks where ctid = any (array(
       select ctid from ops.marks where brand_id = $1 and retailer_id = $2 and day = any ($3::date[])
       for update skip locked))`,
    [brandId, retailerId, days],
  );
}
