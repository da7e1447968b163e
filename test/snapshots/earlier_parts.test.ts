/** Parts do not hold the brand of their rows. Those of before 2026-12-01 do, and are proved and restored all the same. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { partsOf } from '#sql/snapshots/catalogue.ts';
import { type SnapshotTable, snapshotTables } from '#sql/snapshots/tables.ts';
import { copyRows } from '#tasks/snapshots/copy_rows.ts';
import type { Created } from '#tasks/snapshots/create.ts';
import { openDataKey } from '#tasks/snapshots/data_key.ts';
import { hashOf, headerOf, manifestFile, manifestTable, totalsOf } from '#tasks/snapshots/manifest.ts';
import { writePart } from '#tasks/snapshots/part_file.ts';
import { fileOf } from '#tasks/snapshots/store.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { TEST_KEYS, testSealer, twoShops } from '../support/rows/factory.ts';
import { aStore, fillYear, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

const SALES = 'raw.shopify_sales';

/** Writes the sales of a snapshot again as they were written then, and says so in its manifest. */
async function makeEarlier(db: TestDb, { dir, store }: StoreDir, { id, content }: Created): Promise<void> {
  const brandId = content.brand_id;
  const key = await openDataKey(store, testSealer, { brandId, id });
  const [stored] = (await partsOf(db, { brandId, id })).filter(({ table }) => table === SALES);
  if (stored === undefined) throw new Error('there are no sales in it');
  const written = await db.transaction(async (tx) => {
    const table = (await snapshotTables(tx, 'all')).find(({ name }) => name === SALES) as SnapshotTable;
    const then = { ...table, of: 'everybody' } as const; // all columns of those were in the parts
    const header = headerOf(brandId, then, stored.part);
    const draft = await store.draft(brandId);
    const place = { brandId, keyId: id, table: SALES, part: stored.part };
    const writer = writePart(draft, { key, place, header, at: store.place });
    const columns = table.columns.map(({ name }) => name);
    for await (const rows of copyRows(
      tx,
      `copy (select ${columns} from ${SALES} where brand_id = '${brandId}' order by connection_id, id) to stdout`,
    ))
      await writer.write(rows);
    const part = { ...stored, ...(await writer.end()), headerSha256: hashOf(header) };
    await store.put(fileOf.part(brandId, part), draft, new AbortController().signal);
    return manifestTable(then, [part]);
  });
  const tables = content.tables.map((table) => (table.name === SALES ? written : table));
  const text = manifestFile({ ...content, tables, totals: totalsOf(tables) }, key);
  await writeFile(join(dir, fileOf.manifest(brandId, id)), text);
  await db.query('update ops.snapshots set manifest_sha256 = $2 where id = $1', [id, hashOf(text)]);
}

test('a table that has nothing but the brand is proved', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const [{ brand }] = await twoShops(db);
  await db.query('create table ops.only_brands (brand_id uuid primary key)');
  await db.query('insert into ops.only_brands select id from app.brands');
  const { id } = await makeSnapshot(db, place.store, brand);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  expect(await nightshift(['snapshots', 'verify', id, '--level', '3'], { env })).toMatchObject({ code: 0 });
});

test('an earlier snapshot is proved, compared and restored', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const shops = await twoShops(db);
  for (const { brand, connection } of shops) await fillYear(db, brand.id, connection.id, 40);
  const { brand } = shops[0];
  const made = await makeSnapshot(db, place.store, brand);
  await makeEarlier(db, place, made);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const run = (line: string) => nightshift(['snapshots', ...line.split(' ')], { env });
  expect(await run(`verify ${made.id} --level 3`)).toMatchObject({ code: 0 });

  const all = `select * from ${SALES} where brand_id = $1 order by connection_id, id`;
  const before = await db.rows(all, [brand.id]);
  await db.query(`delete from ${SALES} where brand_id = $1 and right(id, 1) = '7'`, [brand.id]);
  const { id: later } = await makeSnapshot(db, place.store, brand);
  const differing = await run(`diff ${made.id} ${later} --brand ${brand.slug} --json`);
  expect(differing).toMatchObject({ code: 0, stdout: expect.stringContaining(SALES) });
  expect(await run(`restore ${made.id} --brand ${brand.slug} --into live --yes ${brand.slug}`)).toMatchObject(
    {
      code: 0,
    },
  );
  expect(await db.rows(all, [brand.id])).toEqual(before);
});
