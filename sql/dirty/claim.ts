/** Taking marks: what a rollup does first, under the lock of its retailer. */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { noticeRates } from '../fx/days.ts';
import { lockRollup, type Mark, type Owner } from './marks.ts';

/**
 * Takes the marks of up to `limit` days, oldest first. Only marks that it sees go; one that commits later stays
 * for the next claim. Read the facts by a later statement than this one: its snapshot then holds all that the
 * deleted marks stood for.
 */
export async function claimMarks(tx: Tx, brandId: string, owner: Owner, limit: number): Promise<Mark[]> {
  await begin(tx, brandId, owner);
  const { rows } = await tx.query<Mark>(
    `with wanted as (
       select distinct day from ops.marks where brand_id = $1 and ${isOf(owner)} order by day limit $3
     ), seen as (
       select ctid from ops.marks
       where brand_id = $1 and ${isOf(owner)} and day <= (select max(day) from wanted)
       order by day
       for update skip locked
     ), claimed as (
       delete from ops.marks where ctid = any (array(select ctid from seen)) returning subject, day
     )
     select distinct day, subject from claimed order by day, subject`,
    [brandId, owner, limit],
  );
  return rows;
}

/** Drops the marks of days that are about to be computed whatever has changed; else as `claimMarks`. */
export async function dropMarks(
  tx: Tx,
  brandId: string,
  owner: Owner,
  days: readonly string[],
): Promise<void> {
  await begin(tx, brandId, owner);
  await tx.query(
    `delete from ops.marks where ctid = any (array(
       select ctid from ops.marks where brand_id = $1 and ${isOf(owner)} and day = any ($3::date[])
       for update skip locked))`,
    [brandId, owner, days],
  );
}

async function begin(tx: Tx, brandId: string, owner: Owner): Promise<void> {
  await lockRollup(tx, brandId, owner);
  await followIndexes(tx);
  if (owner !== null) await noticeRates(tx, brandId, [owner]);
}

/** As an index can look it up. */
function isOf(owner: Owner): string {
  return owner === null ? 'retailer_id is null and $2::uuid is null' : 'retailer_id = $2';
}
