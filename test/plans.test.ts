/**
 * What a rollup costs does not depend on what PostgreSQL knows of its tables. Costs are rows visited; the
 * measure is the cheapest of three: without statistics, with those of a database of a thousandth of the size,
 * with those of today.
 */
import { beforeAll, expect, test } from 'vitest';
import type { Tx } from '#sql/pool.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/rollup.ts';
import { freshDb, type TestDb } from './support/db.ts';
import { addHistory, daysOf, rollUp, type Seller, someSellers } from './support/history.ts';
import { forgetStatistics, keepStatisticsAsTheyAre, visitsOf } from './support/visits.ts';

const ORDERS = 6_000;
const NOW = new Date('2024-07-01T00:00:00Z');
const DAYS = daysOf(30, 20);
/** Whatever is as small as this does not count. */
const SMALL = 500;

type Work = (tx: Tx, seller: Seller) => Promise<unknown>;
const rollupWorks = rollups.flatMap((rollup): [string, Work][] => {
  const run: Work = (tx, { brandId, retailerId }) =>
    runRollups(tx, [rollup], { brandId, retailerId, days: DAYS, now: NOW });
  return [[`${rollup.name} of days that are as they were`, run]];
});
const viewed = (sql: string): [string, Work] => [
  sql,
  (tx, { brandId, retailerId }) =>
    tx.query(sql, [brandId, retailerId, DAYS[0], DAYS[4]].slice(0, sql.split('$').length - 1)),
];
const viewWorks = [
  ...['day = $3', 'day between $3 and $4'].flatMap((days) =>
    [
      'cash_and_sales',
      'sales',
      'product_sales',
      'country_sales',
      'payments',
      'mrr',
      'sales_consolidated',
    ].map((name) =>
      viewed(`select * from bi.daily_${name} where brand_id = $1 and retailer_id = $2 and ${days}`),
    ),
  ),
  viewed(
    'select * from bi.order_payments where brand_id = $1 and retailer_id = $2 and happened_at >= $3 and happened_at < $4',
  ),
  viewed('select * from bi.completeness where brand_id = $1'),
  viewed('select * from bi.sync_status where brand_id = $1'),
  viewed('select * from bi.platform_metrics'),
];
const works: [string, Work][] = [...rollupWorks, ...viewWorks];

const costs = new Map<string, Record<string, number>>();
beforeAll(async () => {
  await using db = await freshDb();
  await keepStatisticsAsTheyAre(db);
  const sellers = await someSellers(db);
  await addHistory(db, sellers, 0, ORDERS / 1_000);
  await rollUp(db, sellers, daysOf(0, 1), NOW);
  await db.query('analyze');
  await addHistory(db, sellers, ORDERS / 1_000, ORDERS);
  for (let from = 0; from < 130; from += 60) await rollUp(db, sellers, daysOf(from, 60), NOW);
  await costsOf(db, 'stale', sellers[0]);
  await forgetStatistics(db);
  await costsOf(db, 'absent', sellers[0]);
  await db.query('vacuum analyze');
  await costsOf(db, 'fresh', sellers[0]);
}, 600_000);

async function costsOf(db: TestDb, statistics: string, seller: Seller) {
  for (const [name, work] of works) {
    const cost = await visitsOf(db, (tx) => work(tx, seller));
    costs.set(name, { ...costs.get(name), [statistics]: cost });
  }
}

test.each(works.map(([name]) => name))('%s', (name) => {
  const found = costs.get(name) ?? {};
  const least = Math.min(...Object.values(found));
  expect(found).toSatisfy(
    () => Object.values(found).every((cost) => cost <= 2 * least + SMALL),
    JSON.stringify(found),
  );
});
