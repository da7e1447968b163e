/**
 * The law of explanations: what the parts of each figure add up to is the figure, for every column that is a sum; the others
 * are what the query makes them now.
 */
import { expect } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { readCells } from '#sql/explain/cells.ts';
import { type Explained, isExplained } from '#sql/explain/statement.ts';
import { rollups as ours } from '#sql/rollups/index.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';

/** Holds of all stored figures of the brand, and of these days if they have none. Returns how many cells there were. */
export async function assertExplained(
  db: Pick<Tx, 'query'> | Db,
  brandId: string,
  {
    rollups = ours,
    days = [],
    now = new Date(),
  }: { rollups?: readonly Rollup[]; days?: readonly string[]; now?: Date } = {},
): Promise<number> {
  const tx = db as Tx;
  let found = 0;
  for (const rollup of rollups) {
    if (!isExplained(rollup)) continue;
    for (const [retailerId, partitions] of await partitionsOf(tx, rollup, brandId, days)) {
      const where = { brandId, retailerId, partitions, now };
      const cells = await readCells(tx, rollup, where);
      for (const { key, sums, others } of cells)
        for (const one of [...sums, ...others])
          expect({ of: rollup.name, key, ...one }).toMatchObject({ agrees: true });
      found += cells.filter(({ row }) => row !== null).length;
    }
  }
  return found;
}

/** By owner: the days with rows, and the given ones. */
async function partitionsOf(
  tx: Tx,
  { writes, of, object, grain }: Explained,
  brandId: string,
  days: readonly string[],
) {
  const owner = of === 'brand' ? 'null::uuid' : 'retailer_id';
  const partition = object
    ? `connection_id || ' ' || ${object}`
    : grain.includes('day')
      ? 'day::text'
      : 'null';
  const { rows } = await tx.query<{ owner: string | null; days: string[] }>(
    `select o.owner, array(
       select ${partition} from ${writes} where brand_id = $1 and ${owner} is not distinct from o.owner
       union select unnest($2::text[]) order by 1) as days
     from (select id as owner from app.retailers where brand_id = $1 and $3 union all select null where not $3) o
     order by 1`,
    [brandId, object ? [] : days, of !== 'brand'],
  );
  return rows.map(({ owner, days }) => [owner, days.filter((day) => day !== null)] as const);
}
