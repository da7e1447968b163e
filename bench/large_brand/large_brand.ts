/** A brand of 200 retailers with ten years of sales, its aggregates computed: for what must stay fast at that size. */
import { readFileSync } from 'node:fs';
import { rollups } from '../../sql/rollups/index.ts';
import { runRollups } from '../../sql/rollups/run.ts';
import { daysBetween } from '../../tasks/rollup.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

/** Smaller ones are for trying out. */
export const RETAILERS = Number(process.env.NIGHTSHIFT_BENCH_RETAILERS ?? 200);
export const DAYS = Number(process.env.NIGHTSHIFT_BENCH_DAYS ?? 3_652);
export const LAST_DAY = '2026-10-31';
export const NOW = new Date('2026-11-01T06:00:00Z');
const DAYS_AT_ONCE = 400;

export type LargeBrand = { db: BenchDb; brandId: string; retailerIds: string[] };

export async function fillLargeBrand(server: BenchServer): Promise<LargeBrand> {
  const db = await server.freshDatabase();
  const sizes: Record<string, string> = {
    retailers: String(RETAILERS),
    days: String(DAYS),
    last_day: `'${LAST_DAY}'`,
  };
  const text = readFileSync(new URL('../support/large_brand.sql', import.meta.url), 'utf8');
  await db.query(text.replaceAll(/(?<!:):(retailers|days|last_day)\b/g, (_, name) => sizes[name] ?? ''));
  await db.query('vacuum analyze');
  const { rows } = await db.query<{ brandId: string; retailerIds: string[]; first: string }>(
    `select b.id as "brandId", array_agg(r.id order by r.slug) as "retailerIds",
            (date '${LAST_DAY}' - ${DAYS - 1})::text as first
     from app.brands b join app.retailers r on r.brand_id = b.id group by b.id`,
  );
  const [found] = rows;
  if (found === undefined) throw new Error('There is no brand to work on.');
  const { brandId, retailerIds, first } = found;
  const days = daysBetween(first, LAST_DAY);
  for (const retailerId of [...retailerIds, null]) {
    for (let at = 0; at < days.length; at += DAYS_AT_ONCE) {
      const batch = days.slice(at, at + DAYS_AT_ONCE);
      await db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId, days: batch, now: NOW }));
    }
  }
  await db.query('delete from ops.marks'); // all of it is computed
  await db.query('vacuum analyze');
  return { db, brandId, retailerIds };
}
