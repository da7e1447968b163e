/** Claims marks: the first step of a rollup, under the lock of its retailer. */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { noticeRates } from '../fx/days.ts';
import type { Rollup } from '../rollups/rollup.ts';
import { lockRollup, type Mark, type Owner } from './marks.ts';
import type { Subject } from './subject.ts';

/** The limit of partitions of each kind per claim. */
export type Limits = { days: number; objects: number };

export type ClaimOptions = {
  /** Subjects that others hand on: of days by objects, and of objects by days. */
  late?: { days?: readonly Subject[]; objects?: readonly Subject[] };
  /** Those of the product, if not said. */
  rollups?: readonly Rollup[] | undefined;
};

/**
 * Takes the marks of some objects, and those of some days, oldest first. Days that objects hand on stay while any
 * of these are left, because each batch of them would mark them again; so do objects that days hand on. Only marks that it
 * sees go; one that commits later stays for the next claim. Read the facts by a later statement than this one: its snapshot then holds all
 * that the deleted marks stood for.
 */
export async function claimMarks(
  tx: Tx,
  brandId: string,
  owner: Owner,
  limits: Limits,
  { late: { days: lateDays = [], objects: lateObjects = [] } = {}, rollups }: ClaimOptions = {},
): Promise<Mark[]> {
  await begin(tx, brandId, owner, rollups);
  const days = await claim(tx, brandId, owner, { of: 'day', limit: limits.days, late: lateDays });
  const isFull = (marks: readonly Mark[], of: 'day' | 'object') =>
    new Set(marks.map((mark) => mark[of])).size >= limits[`${of}s`];
  const late = isFull(days, 'day') ? lateObjects : [];
  const objects = await claim(tx, brandId, owner, { of: 'object', limit: limits.objects, late });
  if (lateDays.length === 0 || isFull(days, 'day') || isFull(objects, 'object')) return [...objects, ...days];
  const others = await claim(tx, brandId, owner, { of: 'day', limit: limits.days, late: [] });
  return [...objects, ...days, ...others];
}

type Claim = { of: 'day' | 'object'; limit: number; late: readonly Subject[] };

async function claim(tx: Tx, brandId: string, owner: Owner, { of, limit, late }: Claim): Promise<Mark[]> {
  const marked = `brand_id = $1 and ${isOf(owner)} and subject <> all ($4::text[])`;
  const { rows } = await tx.query<Mark>(
    `with wanted as (
       select distinct ${of} from ops.marks where ${marked} and ${of} is not null order by ${of} limit $3
     ), seen as (
       select ctid from ops.marks
       where ${marked} and ${of} <= (select max(${of}) from wanted)
       order by ${of}
       for update skip locked
     ), claimed as (
       delete from ops.marks where ctid = any (array(select ctid from seen)) returning subject, ${of}, cause
     )
     select distinct ${of}, subject, cause from claimed order by ${of}, subject, cause`,
    [brandId, owner, limit, late],
  );
  return rows;
}

/** Takes the marks of days that are computed in any case; otherwise like `claimMarks`. */
export async function dropMarks(
  tx: Tx,
  brandId: string,
  owner: Owner,
  days: readonly string[],
  rollups?: readonly Rollup[],
): Promise<Mark[]> {
  await begin(tx, brandId, owner, rollups);
  const { rows } = await tx.query<Mark>(
    `delete from ops.marks where ctid = any (array(
       select ctid from ops.marks where brand_id = $1 and ${isOf(owner)} and day = any ($3::date[])
       for update skip locked))
     returning subject, day, cause`,
    [brandId, owner, days],
  );
  return rows;
}

async function begin(
  tx: Tx,
  brandId: string,
  owner: Owner,
  rollups: readonly Rollup[] | undefined,
): Promise<void> {
  await lockRollup(tx, brandId, owner);
  await followIndexes(tx);
  await noticeRates(tx, brandId, [owner], rollups);
}

/** In a form that an index serves. */
function isOf(owner: Owner): string {
  return owner === null ? 'retailer_id is null and $2::uuid is null' : 'retailer_id = $2';
}
