/** How much each component counts in the score of a retailer. What a brand sets none for has the usual weight. */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from '../dirty/marks.ts';
import { recordAction } from '../tenants/audit.ts';
import type { Brand } from '../tenants/brands.ts';

export const WEIGHT_MAX = 100;

/** Decimal text; `isOwn` if the brand has set it. */
export type Weight = { component: string; weight: string; usual: string; isOwn: boolean };

/** By component; null is the usual weight again. */
export type WeightChanges = ReadonlyMap<string, string | null>;

export class WeightsUnfit extends coded('NS_WEIGHTS_UNFIT') {
  constructor(problem: string, known: readonly string[]) {
    super(`These weights cannot be set: ${problem}.`, {
      hint: `Components are ${known.join(', ')}; a weight is 0 to ${WEIGHT_MAX}, and one at least is above 0.`,
      context: { problem },
    });
  }
}

export async function listWeights(db: Reader, brandId: string): Promise<Weight[]> {
  const { rows } = await db.query<Weight>(
    `select c.component, trim_scale(coalesce(w.weight, c.weight))::text as weight, trim_scale(c.weight)::text as usual,
            w.weight is not null as "isOwn"
     from fact.ranking_components c
     left join app.ranking_weights w on w.brand_id = $1 and w.component = c.component
     order by c.position`,
    [brandId],
  );
  return rows;
}

/**
 * Sets weights, marks every ranked period of the brand, and says whether anything is different now. It waits for a rollup
 * of the brand, which may be about to store periods by the weights of before that nobody could mark yet.
 */
export async function setWeights(
  tx: Tx,
  { id: brandId, slug: target }: Pick<Brand, 'id' | 'slug'>,
  changes: WeightChanges,
  { actor }: { actor?: string } = {},
): Promise<boolean> {
  await lockRollup(tx, brandId, null);
  const before = await listWeights(tx, brandId);
  const known = before.map(({ component }) => component);
  for (const component of changes.keys())
    if (!known.includes(component)) throw new WeightsUnfit(`there is no component ${component}`, known);
  for (const [component, weight] of changes)
    await tx.query(
      weight === null
        ? 'delete from app.ranking_weights where brand_id = $1 and component = $2'
        : `insert into app.ranking_weights (brand_id, component, weight) values ($1, $2, $3)
           on conflict (brand_id, component) do update set weight = excluded.weight, changed_at = now()`,
      [brandId, component, ...(weight === null ? [] : [weight])],
    );
  const after = await listWeights(tx, brandId);
  if (after.every(({ weight }) => weight === '0')) throw new WeightsUnfit('no component would count', known);
  const values = (weights: readonly Weight[]) =>
    Object.fromEntries(weights.map(({ component, weight }) => [component, weight]));
  const change = { before: values(before), after: values(after) };
  if (JSON.stringify(change.before) === JSON.stringify(change.after)) return false;
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, marked_at)
     select distinct brand_id, 'rankings', day, now() from agg.retailer_rankings where brand_id = $1`,
    [brandId],
  );
  await recordAction(tx, { action: 'rankings.weights', brandId, target, ...change, actor });
  return true;
}
