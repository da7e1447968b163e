/** Days that were final once: `ops.final_days`. */
import type { Tx } from '../db/pool.ts';

/**
 * Notes the days of a brand that have become final, by the definition of `bi.completeness`: whoever has read a stream to
 * its end, or computed what was marked, calls it. From then on a change of these days is a restatement.
 */
export async function tellFinal(tx: Tx, brandId: string, now: Date): Promise<void> {
  await tx.query('select ops.tell_final($1, $2)', [brandId, now]);
}
