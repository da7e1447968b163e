/**
 * What it costs to keep aggregates right over a year of data: one dirty day by the rollup's statement
 * beside refreshing a materialized view of the same query, and all days from nothing beside the plain
 * `insert … select … group by` that one would write for a report.
 */
import { readFileSync } from 'node:fs';
import { rollups as all } from '../sql/rollups/index.ts';
import { freshQuery } from '../sql/rollups/merge.ts';
import type { Rollup } from '../sql/rollups/rollup.ts';
import { runRollups } from '../sql/rollups/run.ts';
import type { Figure } from './support/bench.ts';
import { compare, median, timed } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';

const ROUNDS = 3;
const DIRTY_DAYS = 15;
const BATCH_DAYS = 60; // as the task rollup takes them
const NOW = new Date('2026-11-21T00:00:00Z');

const rollups = all.filter(({ of, changesWith }) => of !== 'brand' && changesWith.includes('sales'));

type Year = { brandId: string; retailerIds: string[]; largest: string; days: string[] };

export async function benchRollup(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await db.query(readFileSync(new URL('./support/year.sql', import.meta.url), 'utf8'));
  await db.query('vacuum analyze');
  const year = await readYear(db);
  const figures: Figure[] = [];
  for (const rollup of rollups) {
    figures.push(...(await benchRebuild(db, year, rollup)), ...(await benchDay(db, year, rollup)));
  }
  return figures;
}

async function readYear(db: BenchDb): Promise<Year> {
  const { rows } = await db.query<Year>(`
    select brand_id as "brandId", array_agg(retailer_id) as "retailerIds",
           (array_agg(retailer_id) filter (where name = 'uk'))[1] as largest,
           array(select distinct (booked_at at time zone 'Europe/London')::date::text
                 from raw.shopify_sales order by 1) as days
    from app.connections group by brand_id`);
  const [year] = rows;
  if (year === undefined) throw new Error('There is no year to work on.');
  return year;
}

async function benchRebuild(db: BenchDb, year: Year, rollup: Rollup): Promise<Figure[]> {
  const { name, writes } = rollup;
  const plainTable = `public.plain_${name}`;
  const plainSql = readFileSync(new URL(`./plain/${name}.sql`, import.meta.url), 'utf8');
  await db.query(`create table ${plainTable} (like ${writes} including all)`);
  const intoEmpty = async (table: string, work: () => Promise<unknown>) => {
    await db.query(`truncate ${table}`);
    await db.query('checkpoint');
    return timed(work);
  };
  const { ours, plain } = await compare(ROUNDS, {
    plain: () => intoEmpty(plainTable, () => db.query(plainSql, [year.brandId, NOW])),
    ours: () => intoEmpty(writes, () => rebuild(db, year, rollup)),
  });
  await db.query(`analyze ${writes}`);
  const { rows } = await db.query(`
    select (select count(*) from ${writes}) as n,
           (select count(*) from (table ${writes} except table ${plainTable}) d)
           + (select count(*) from (table ${plainTable} except table ${writes}) d) as different`);
  return [
    { name: `${name}, rows of the year`, value: rows[0]?.n, unit: 'rows' },
    {
      name: `${name}, rows that differ from the plain insert`,
      value: rows[0]?.different,
      unit: 'rows',
      bar: { below: 1 },
    },
    { name: `${name}, rebuild of the year`, value: ours, unit: 'ms' },
    { name: `${name}, plain insert of the year`, value: plain, unit: 'ms' },
    { name: `${name}, rebuild / plain insert`, value: ours / plain, unit: 'x', bar: { below: 1.3 } },
  ];
}

async function rebuild(db: BenchDb, { brandId, retailerIds, days }: Year, rollup: Rollup): Promise<void> {
  for (const retailerId of retailerIds) {
    for (let start = 0; start < days.length; start += BATCH_DAYS) {
      const batch = days.slice(start, start + BATCH_DAYS);
      await db.transaction((tx) => runRollups(tx, [rollup], { brandId, retailerId, days: batch, now: NOW }));
    }
  }
}

/** A day of the largest retailer after one of its sales has changed; each measurement is another day. */
async function benchDay(db: BenchDb, year: Year, rollup: Rollup): Promise<Figure[]> {
  const { brandId, largest: retailerId, days } = year;
  const step = Math.floor(days.length / DIRTY_DAYS);
  const times: number[] = [];
  for (let index = 0; index < DIRTY_DAYS; index++) {
    const day = days[index * step] ?? '';
    await changeOneSale(db, year, day);
    await db.transaction(async (tx) => {
      times.push(await timed(() => runRollups(tx, [rollup], { brandId, retailerId, days: [day], now: NOW })));
    });
  }
  const view = `public.view_${rollup.name}`;
  await db.query(`create materialized view ${view} as ${wholeQuery(rollup, year)}`);
  const refreshes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    refreshes.push(await timed(() => db.query(`refresh materialized view ${view}`)));
  }
  const [ours, refresh] = [median(times), median(refreshes)];
  return [
    { name: `${rollup.name}, one dirty day`, value: ours, unit: 'ms' },
    { name: `${rollup.name}, refresh of a view of the year`, value: refresh, unit: 'ms' },
    {
      name: `${rollup.name}, refresh / one dirty day`,
      value: refresh / ours,
      unit: 'x',
      bar: { atLeast: 100 },
    },
  ];
}

async function changeOneSale(db: BenchDb, { brandId, largest }: Year, day: string): Promise<void> {
  await db.query(
    `update raw.shopify_sales set total_amount = total_amount + 1
     where ctid = (
       select s.ctid from raw.shopify_sales s
       join app.connections c on c.brand_id = s.brand_id and c.id = s.connection_id
       where c.brand_id = $1 and c.retailer_id = $2
         and s.booked_at >= fact.day_start($3::date, 'Europe/London')
         and s.booked_at < fact.day_start($3::date + 1, 'Europe/London')
       limit 1)`,
    [brandId, largest, day],
  );
}

/** The query of a rollup, without what it does with the result, for every day and retailer. */
function wholeQuery(rollup: Rollup, { brandId, retailerIds, days }: Year): string {
  const pairs = retailerIds.flatMap((retailerId) => days.map((day) => [retailerId, day] as const));
  const list = (values: readonly string[]) => `'{${values.join(',')}}'`;
  return `${freshQuery(rollup)} select * from fresh`
    .replaceAll('$1', `'${brandId}'::uuid`)
    .replaceAll('$2', list(pairs.map(([retailerId]) => retailerId)))
    .replaceAll('$3', list(pairs.map(([, day]) => day)))
    .replaceAll('$4', `'${NOW.toISOString()}'`);
}
