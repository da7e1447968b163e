/** Level 4: the figures of a snapshot are computed again from its rows, and each cell that differs is named. */
import { beforeAll, expect, test } from 'vitest';
import { builtIn } from '#connectors/providers.ts';
import { rollups } from '#sql/rollups/index.ts';
import { findSnapshot } from '#sql/snapshots/catalogue.ts';
import { FiguresWrong, proveFigures } from '#tasks/snapshots/drill/figures.ts';
import { fillDatabase } from '#tasks/snapshots/restore/into_database.ts';
import { readWhole, verifySnapshot } from '#tasks/snapshots/verify.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { aBrand, testSealer } from '../../support/rows/factory.ts';
import type { Seller } from '../../support/rows/history.ts';
import { someFigures } from '../../support/snapshots/figures.ts';
import { aStore, runSnapshot, type StoreDir } from '../../support/snapshots/snapshots.ts';

let db: TestDb;
let place: StoreDir;
let seller: Seller;
let other: Seller;

beforeAll(async () => {
  db = await freshDb();
  place = await aStore();
  const sellers = await someFigures(db);
  seller = sellers[0];
  other = sellers.find(({ brandId }) => brandId !== seller.brandId) ?? seller;
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

/** In a database of its own, which is there already. */
async function prove(brandId: string) {
  const id = String((await runSnapshot(db, place, brandId)).snapshot);
  const snapshot = await findSnapshot(db, id);
  const files = { db, store: place.store, sealer: testSealer, snapshot };
  const content = await readWhole(files);
  const scratch = { db, url: db.url, streams: [], limitSeconds: 60 };
  const { damages } = await verifySnapshot({ ...files, level: 3, place: scratch });
  expect(damages).toEqual([]);
  await using made = await freshDb();
  await fillDatabase(made, { ...files, brandId, content, limitSeconds: 60 });
  const signal = AbortSignal.timeout(60_000);
  const { streams } = builtIn;
  return { content, figures: await proveFigures({ made, content, rollups, streams, signal }) };
}

/** Undone by its inverse, because a test has the database of the others. */
async function altered<T>(statements: readonly string[], work: () => Promise<T>): Promise<T> {
  const tables = [...new Set(statements.map((one) => /agg\.\w+/.exec(one)?.[0]))];
  for (const table of tables)
    await db.query(`create table public.${table?.slice(4)} as select * from ${table}`);
  for (const statement of statements) await db.query(statement, [seller.brandId]);
  const result = await work();
  for (const table of tables) {
    await db.query(`delete from ${table}`);
    await db.query(`insert into ${table} select * from public.${table?.slice(4)}`);
    await db.query(`drop table public.${table?.slice(4)}`);
  }
  return result;
}

test('what the jobs of production have computed is computed again to the last digit, of each brand', async () => {
  const filled: string[] = [];
  for (const { writes } of rollups)
    if ((await db.column(`select 1 from ${writes} limit 1`)).length > 0) filled.push(writes);
  expect(filled.length).toBeGreaterThan(15);
  for (const { brandId } of [seller, other])
    expect((await prove(brandId)).figures).toEqual({ tables: rollups.length, waiting: 0, differing: [] });
});

const DAY = '2024-01-02';
const WRONG = [
  `update agg.daily_sales set gross_sales = gross_sales + 0.01
   where brand_id = $1 and day = '${DAY}' and retailer_id = (select min(retailer_id::text)::uuid from agg.daily_sales where brand_id = $1)`,
  `delete from agg.daily_payments where brand_id = $1 and day = '${DAY}'`,
  `update agg.daily_social set day = '2024-02-01' where brand_id = $1 and day = '${DAY}'`,
];

test('a figure that was changed, lost or invented restores, and is named with both values', async () => {
  const { content, figures } = await altered(WRONG, () => prove(seller.brandId));
  const byTable = new Map(figures.differing.map((one) => [one.table, one]));
  expect(byTable.get('agg.daily_sales')).toMatchObject({
    ...{ onlyStored: 0, onlyRecomputed: 0, changed: 1 },
    cells: [
      { column: 'gross_sales', key: { day: DAY, currency: 'USD' }, stored: '1000.01', recomputed: '1000' },
    ],
    money: [{ column: 'gross_sales', currency: 'USD', more: '-0.01' }],
  });
  expect(byTable.get('agg.daily_payments')).toMatchObject({
    ...{ onlyStored: 0, changed: 0 },
    cells: [{ column: null, stored: null, recomputed: 'a row' }, {}],
  });
  expect(byTable.get('agg.daily_social')).toMatchObject({ onlyStored: 1, onlyRecomputed: 1 });
  const { message, hint } = new FiguresWrong(content, figures.differing);
  expect(message).toContain('gross_sales: stored 1000.01, recomputed 1000.');
  expect(hint).toContain(`rollup run --brand one --from ${DAY} --to 2024-02-01`);
});

test('what waited to be computed is computed first, and said', async () => {
  const mark = `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
    select brand_id, retailer_id, 'sales', day, now() from agg.daily_sales where brand_id = $1 and day = '${DAY}'`;
  const { figures } = await altered([WRONG[0] ?? '', mark], () => prove(seller.brandId));
  await db.query('delete from ops.marks');
  expect(figures).toEqual({ tables: rollups.length, waiting: 2, differing: [] });
});

test('a brand without connections has nothing that could differ', async () => {
  const { id } = await aBrand(db, { slug: 'empty' });
  expect((await prove(id)).figures).toEqual({ tables: rollups.length, waiting: 0, differing: [] });
});
