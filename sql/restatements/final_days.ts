/** Days that were final once: `ops.final_days`. */
import type { Tx } from '../db/pool.ts';

const LOCK = "select pg_advisory_xact_lock(hashtextextended('final days ' || $1, 0))"; // as in ops.tell_final

/**
 * Notes the days of a brand that have become final, by the definition of `bi.completeness`: whoever has read a stream to
 * its end, or computed what was marked, calls it. From then on a change of these days is a restatement.
 */
export async function tellFinal(tx: Tx, brandId: string, now: Date): Promise<void> {
  await tx.query('select ops.tell_final($1, $2)', [brandId, now]);
}

/**
 * Days are others in another zone: the first one may give rows to the day before, and what is over may not be over there.
 * The caller holds the brand.
 */
export async function moveFinalDays(tx: Tx, brandId: string, timeZone: string): Promise<void> {
  await tx.query(LOCK, [brandId]);
  await tx.query(
    `update ops.final_days
     set final_from = final_from - 1, final_to = least(final_to, (now() at time zone $2)::date - 1)
     where brand_id = $1`,
    [brandId, timeZone],
  );
}

/** Who gets the data of a retailer was told what that one was: what the one loses, the other gains. */
export async function tellNextOwner(tx: Tx, brandId: string, from: string | null, to: string): Promise<void> {
  await tx.query(LOCK, [brandId]);
  await tx.query(
    `insert into ops.final_days (brand_id, retailer_id, figures, final_from, final_to, told_at)
     select brand_id, $3, figures, final_from, final_to, told_at from ops.final_days where brand_id = $1 and retailer_id = $2
     on conflict do nothing`,
    [brandId, from, to],
  );
}

/** Figures have changed without the log, which is whole from now on only. */
export async function beginLogAnew(tx: Tx, brandId: string): Promise<void> {
  await tx.query(
    `insert into ops.log_whole_from (brand_id, retailer_id, whole_from)
     select t.brand_id, t.retailer_id, clock_timestamp() from ops.days_told t where t.brand_id = $1
     group by t.brand_id, t.retailer_id order by t.retailer_id
     on conflict (brand_id, retailer_id) do update set whole_from = excluded.whole_from`,
    [brandId],
  );
}
