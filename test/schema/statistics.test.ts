/** The machine itself sees to it that PostgreSQL knows its tables, once they have changed enough. */
import { expect, test } from 'vitest';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { forgetStatistics, keepStatisticsAsTheyAre } from '../support/db/visits.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { aRolledShop, roll } from '../support/rows/rolled.ts';

/** Changes the table, and has the session report it at once: it would take a second, and count after the analysis. */
const change = (db: TestDb, text: string) =>
  db.transaction(async (tx) => {
    await tx.query(text);
    await tx.query('select pg_stat_force_next_flush()');
  });

const fill = (from: number, to: number) =>
  `insert into app.fx_rates (currency, day, units_per_euro, source, seen_at)
   select 'USD', date '1000-01-01' + n, 1, 'test', now() from generate_series(${from}, ${to - 1}) n`;

/** A database that another test has used before may have other tables to analyze. */
const analyzedRates = async (db: TestDb) =>
  (await db.transaction(analyzeChanged)).filter((name) => name === 'app.fx_rates');

test('a table is analyzed when it has no statistics or has doubled, and not again before', async () => {
  await using db = await freshDb();
  await keepStatisticsAsTheyAre(db);
  const analyzed = () => analyzedRates(db);
  const known = () => db.column("select reltuples::int from pg_class where oid = 'app.fx_rates'::regclass");
  await change(db, fill(0, 10)); // however small, reports are joined with tables of app
  expect(await analyzed()).toEqual(['app.fx_rates']);
  expect(await analyzed()).toEqual([]);
  await change(db, fill(10, 10_000));
  expect(await analyzed()).toEqual(['app.fx_rates']);
  expect(await known()).toEqual([10_000]);
  await change(db, fill(10_000, 11_000));
  expect(await analyzed()).toEqual([]);
  await change(db, fill(11_000, 30_000));
  expect(await analyzed()).toEqual(['app.fx_rates']);
  expect(await known()).toEqual([30_000]);
  await forgetStatistics(db);
  expect(await analyzed()).toEqual(['app.fx_rates']);
});

// Its file keeps its size, and no statistics of columns can be made.
test('a table whose rows are all gone is analyzed once, not after every run', async () => {
  await using db = await freshDb();
  await keepStatisticsAsTheyAre(db);
  const analyzed = () => analyzedRates(db);
  await change(db, fill(0, 10_000));
  await change(db, 'delete from app.fx_rates');
  expect(await analyzed()).toEqual(['app.fx_rates']);
  expect(await analyzed()).toEqual([]);
});

test('a rollup leaves statistics of what it and others have written', async () => {
  await using shop = await aRolledShop();
  await keepStatisticsAsTheyAre(shop.db);
  const orders = Array.from({ length: 800 }, (_, n) =>
    anOrder({ id: String(n), at: new Date(Date.UTC(2020, 0, 1 + n, 12)).toISOString() }),
  );
  await roll(shop, { orders });
  const known =
    "select distinct schemaname || '.' || tablename as name from pg_stats where schemaname in ('raw', 'agg') order by 1";
  expect(await shop.db.column(known)).toEqual(
    expect.arrayContaining(['agg.daily_sales', 'raw.shopify_orders', 'raw.shopify_sales']),
  );
});
