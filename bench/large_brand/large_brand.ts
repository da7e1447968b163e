/** A brand of 200 retailers with ten years of sales, its aggregates computed: for what must stay fast at that size. */
import { readFileSync } from 'node:fs';
import { rollups } from '../../sql/rollups/index.ts';
import { runRollups } from '../../sql/rollups/run.ts';
import { forecast } from '../../tasks/forecast.ts';
import { daysBetween } from '../../tasks/rollup.ts';
import { runTask } from '../../test/support/run.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

/** Smaller ones are for trying out. */
export const RETAILERS = Number(process.env.NIGHTSHIFT_BENCH_RETAILERS ?? 200);
export const DAYS = Number(process.env.NIGHTSHIFT_BENCH_DAYS ?? 3_652);
export const LAST_DAY = '2026-10-31';
export const NOW = new Date('2026-11-01T06:00:00Z');
const DAYS_AT_ONCE = 400;
/** They stand in `agg` at once: there is nothing below that they could be computed from. */
const STANDING = ['daily_email', 'daily_social'];
/**
 * A database on the server that was filled before and is copied, because to fill one takes a quarter of an hour. Its schema has
 * to be that of this version.
 */
const FILLED = process.env.NIGHTSHIFT_BENCH_FILLED;

export type LargeBrand = { db: BenchDb; brandId: string; retailerIds: string[] };

export async function fillLargeBrand(server: BenchServer): Promise<LargeBrand> {
  const db = await server.freshDatabase(FILLED);
  if (FILLED === undefined) await fill(db);
  return { db, ...(await brandIn(db)) };
}

async function fill(db: BenchDb): Promise<void> {
  const sizes: Record<string, string> = {
    retailers: String(RETAILERS),
    days: String(DAYS),
    last_day: `'${LAST_DAY}'`,
  };
  const text = readFileSync(new URL('../support/large_brand.sql', import.meta.url), 'utf8');
  await db.query(text.replaceAll(/(?<!:):(retailers|days|last_day)\b/g, (_, name) => sizes[name] ?? ''));
  await db.query('vacuum analyze');
  const { brandId, retailerIds, first } = await brandIn(db);
  const days = daysBetween(first, LAST_DAY);
  const computed = rollups.filter(({ name }) => !STANDING.includes(name));
  for (const retailerId of [...retailerIds, null]) {
    for (let at = 0; at < days.length; at += DAYS_AT_ONCE) {
      const batch = days.slice(at, at + DAYS_AT_ONCE);
      await db.transaction((tx) => runRollups(tx, computed, { brandId, retailerId, days: batch, now: NOW }));
    }
  }
  await db.query('delete from ops.marks'); // all of it is computed
  await runTask(forecast, { brandId, madeOn: LAST_DAY }, db);
  await db.query('vacuum analyze');
}

async function brandIn(db: BenchDb): Promise<{ brandId: string; retailerIds: string[]; first: string }> {
  const { rows } = await db.query<{ brandId: string; retailerIds: string[]; first: string }>(
    `select b.id as "brandId", array_agg(r.id order by r.slug) as "retailerIds",
            (date '${LAST_DAY}' - ${DAYS - 1})::text as first
     from app.brands b join app.retailers r on r.brand_id = b.id group by b.id`,
  );
  const [found] = rows;
  if (found === undefined) throw new Error('There is no brand to work on.');
  return found;
}
