/** Days that were final once: `ops.final_days`. */
import type { Tx } from '../db/pool.ts';
import type { Owner } from '../dirty/marks.ts';

/**
 * Notes the days that have become final, by the definition of `bi.completeness`: whoever has computed all that was marked
 * of an owner calls it. From then on a change of these days is a restatement.
 */
export async function tellFinal(
  tx: Tx,
  { brandId, retailerId, now }: { brandId: string; retailerId: Owner; now: Date },
): Promise<void> {
  await tx.query('select ops.tell_final($1, $2, $3)', [brandId, retailerId, now]);
}

/** The same for all figures of a brand, also while some of them wait: that keeps only their own days back. */
export async function tellFinalOfBrand(tx: Tx, brandId: string, now: Date): Promise<void> {
  await tx.query(
    `select ops.tell_final_days($1, f.figures, true, $2)
     from (select distinct unnest(feeds) as figures from ops.streams order by 1) f`,
    [brandId, now],
  );
}
