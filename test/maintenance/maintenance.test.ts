/** Tables and indexes that are really bloated, and what a broken build leaves. */
import { expect, test } from 'vitest';
import { bloatedIndexes, leftOverIndexes, PAGES_MIN } from '#sql/maintenance/indexes.ts';
import { tablesToVacuum } from '#sql/maintenance/tables.ts';
import { maintenance } from '#tasks/maintenance.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aShop } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { fillYear } from '../support/snapshots/snapshots.ts';

const TABLE = 'raw.shopify_sales';
const INDEX = 'raw.shopify_sales_pkey';
const run = (db: TestDb, stop = new AbortController().signal) =>
  runTask(maintenance, {}, db, { services: { url: db.url }, stop });

/** What sessions have counted is known to others once they tell it. */
const told = (db: TestDb, ...statements: string[]) =>
  db.transaction(async (tx) => {
    for (const statement of statements) await tx.query(statement);
    await tx.query('select pg_stat_force_next_flush()');
  });

async function pagesOf(db: TestDb, name: string): Promise<number> {
  const [pages] = await db.column(
    "select (pg_relation_size($1::regclass) / current_setting('block_size')::bigint)::int",
    [name],
  );
  return Number(pages);
}

const deadRows = (db: TestDb) =>
  db.column('select n_dead_tup::int from pg_stat_user_tables where relid = $1::regclass', [TABLE]);

/** Autovacuum would be faster than the test. */
async function aBloatedTable(): Promise<TestDb> {
  const db = await freshDb();
  const { brand, connection } = await aShop(db);
  await db.query(`alter table ${TABLE} set (autovacuum_enabled = false)`);
  await fillYear(db, brand.id, connection.id, 60_000);
  return db;
}

test('a bloated table is vacuumed, its bloated index is built again, and no row is another', async () => {
  await using db = await aBloatedTable();
  await told(db, `analyze ${TABLE}`);
  expect(await bloatedIndexes(db, 100)).toEqual([]); // not yet, however many rows there are
  await told(db, `delete from ${TABLE} where id::int % 10 <> 0`);
  const rows = await db.rows(`select id, total_amount from ${TABLE} order by id`);
  expect(Number((await deadRows(db))[0])).toBeGreaterThanOrEqual(54_000); // more, where another test has used it before
  const before = await pagesOf(db, INDEX);
  expect(before).toBeGreaterThan(PAGES_MIN);
  expect((await tablesToVacuum(db, 10)).map(({ name }) => name)).toContain(TABLE);

  const tally = await run(db);
  expect(tally).toMatchObject({ tables: expect.stringContaining(TABLE) });
  expect(tally).toMatchObject({ indexes: expect.stringContaining(INDEX) });
  expect(await deadRows(db)).toEqual([0]);
  expect(await pagesOf(db, INDEX)).toBeLessThan(before / 5);
  expect(await db.rows(`select id, total_amount from ${TABLE} order by id`)).toEqual(rows);
  expect(
    await db.column('select indisvalid and indisready from pg_index where indexrelid = $1::regclass', [
      INDEX,
    ]),
  ).toEqual([true]);
  // Once is enough. Of other tables, those of the catalogue too, more may become known meanwhile.
  const again = await run(db);
  expect(again).toMatchObject({ reindexed: 0, dropped: 0 });
  expect(String(again.tables)).not.toContain(TABLE);
});

test('what somebody holds is left for the next time, and nothing is left over', async () => {
  await using db = await aBloatedTable();
  await told(db, `delete from ${TABLE} where id::int % 10 <> 0`);
  await db.transaction(async (tx) => {
    await tx.query(`lock table ${TABLE} in share mode`); // as a build of an index by hand
    const tally = await run(db);
    expect(tally).toMatchObject({ reindexed: 0, busy: expect.any(Number) });
    expect(Number(tally.busy)).toBeGreaterThan(0);
    expect(await leftOverIndexes(db)).toEqual([]);
  });
  const building =
    "application_name = 'nightshift maintenance' and query like 'reindex%' and wait_event_type = 'Lock'";
  const waits = () =>
    eventually(async () => {
      const [pid] = await db.column(`select pid from pg_stat_activity where ${building}`);
      expect(pid).toBeDefined();
      return pid;
    });
  const stopped = new AbortController();
  // The new index is there already, and the build waits for a reader of the old one.
  await db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read');
    await tx.query(`select count(*) from ${TABLE}`);
    const cancelled = run(db);
    await db.query('select pg_cancel_backend($1)', [await waits()]);
    expect(await cancelled).toMatchObject({ reindexed: 0, left: expect.stringContaining(INDEX) });
    const ended = run(db, stopped.signal);
    const outcome = expect(ended).rejects.toThrow('stopping');
    await waits();
    stopped.abort();
    await outcome;
    expect((await leftOverIndexes(db)).length).toBeGreaterThan(0);
  });
  // One that ends later than any lock is waited for costs no build.
  const built = await db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read');
    await tx.query(`select count(*) from ${TABLE}`);
    const running = run(db);
    await waits();
    await tx.query('select pg_sleep(1.5)');
    return { running };
  });
  const after = await built.running;
  expect(after).toMatchObject({ indexes: expect.stringContaining(INDEX) });
  expect(Number(after.dropped)).toBeGreaterThan(0);
  expect(await leftOverIndexes(db)).toEqual([]);
  expect(await run(db)).toMatchObject({ reindexed: 0, dropped: 0 });
});

test('what a broken build left is dropped, and another invalid index is not', async () => {
  await using db = await freshDb();
  await db.query(`
    create index shopify_sales_pkey_ccnew on ${TABLE} (brand_id);
    create index sales_of_mine on ${TABLE} (brand_id);
    update pg_index set indisvalid = false
    where indexrelid in ('raw.shopify_sales_pkey_ccnew'::regclass, 'raw.sales_of_mine'::regclass)`);
  expect(await run(db)).toMatchObject({ dropped: 1 });
  expect(await db.column('select indexrelid::regclass::text from pg_index where not indisvalid')).toEqual([
    'raw.sales_of_mine',
  ]);
});
