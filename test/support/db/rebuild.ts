/** What the aggregates would be if they were made from nothing, to compare with what they have become. */
import { expect } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { rollups as ours } from '#sql/rollups/index.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { runRollups } from '#sql/rollups/run.ts';

export type Aggregates = Record<string, Record<string, unknown>[]>;

/** Every aggregate of a brand as it stands; only when a row was written is left out. */
export async function aggregatesOf(
  db: Pick<Tx, 'query'> | Db,
  brandId: string,
  rollups: readonly Rollup[] = ours,
): Promise<Aggregates> {
  const found: Aggregates = {};
  for (const { writes, grain } of rollups) {
    const { rows } = await (db as Tx).query(
      `select (to_jsonb(a) - 'computed_at')::text as row from ${writes} a where brand_id = $1 order by ${grain}`,
      [brandId],
    );
    found[writes] = rows.map(({ row }) => JSON.parse(row, keepDigits));
  }
  return found;
}

type Settled = { from: string; to: string; now: Date; rollups: readonly Rollup[] };

/** A run over every day writes and deletes nothing. */
export async function assertSettled(
  db: Db,
  { brandId, retailers }: { brandId: string; retailers: readonly string[] },
  { from, to, now, rollups }: Settled,
): Promise<void> {
  const { rows } = await db.query<{ day: string }>(
    "select day::date from generate_series($1::date, $2::date, interval '1 day') day",
    [from, to],
  );
  const days = rows.map(({ day }) => day);
  for (const retailerId of retailers) {
    const target = { brandId, retailerId, days, now };
    expect(await db.transaction((tx) => runRollups(tx, rollups, target))).toMatchObject({
      written: 0,
      deleted: 0,
    });
  }
}

/** Empties the brand's aggregates, computes every day that has facts, and puts everything back. */
export async function rebuiltFromNothing(
  db: Db,
  brandId: string,
  rollups: readonly Rollup[] = ours,
): Promise<Aggregates> {
  let rebuilt: Aggregates = {};
  await db
    .transaction(async (tx) => {
      for (const { writes } of rollups)
        await tx.query(`delete from ${writes} where brand_id = $1`, [brandId]);
      const { rows } = await tx.query<{ retailerId: string; days: string[] }>(
        `select r.id as "retailerId", array(
           select distinct (f.instant at time zone b.time_zone)::date
           from (select booked_at as instant from fact.sales where (brand_id, retailer_id) = (b.id, r.id)
                 union select processed_at from fact.orders where (brand_id, retailer_id) = (b.id, r.id)
                 union select processed_at from fact.refunds where (brand_id, retailer_id) = (b.id, r.id)
                 union select created_at from fact.payments where (brand_id, retailer_id) = (b.id, r.id)
                 union select created_at from fact.failed_charges where (brand_id, retailer_id) = (b.id, r.id)) f
         ) as days
         from app.brands b join app.retailers r on r.brand_id = b.id where b.id = $1`,
        [brandId],
      );
      const ofBrand = { retailerId: null, days: [...new Set(rows.flatMap(({ days }) => days))].sort() };
      for (const part of [...rows, ofBrand])
        await runRollups(tx, rollups, { brandId, now: new Date(), ...part });
      rebuilt = await aggregatesOf(tx, brandId, rollups);
      throw new PutBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof PutBack)) throw error;
    });
  return rebuilt;
}

class PutBack extends Error {}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? context?.source : value;
}
