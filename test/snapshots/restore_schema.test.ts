/** A snapshot restores beside the live tables, row by row; level 3 proves that and leaves nothing. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShop, type Shop, TEST_KEYS } from '../support/rows/factory.ts';
import { aStore, fileOfTable, fillYear, runSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let shop: Shop;
let place: StoreDir;
let id: string;

beforeAll(async () => {
  db = await freshDb();
  shop = await aShop(db);
  place = await aStore();
  await fillYear(db, shop.brand.id, shop.connection.id, 500);
  id = String((await runSnapshot(db, place, shop.brand.id)).snapshot);
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

const run = (line: string) =>
  nightshift([...line.split(' '), '--json'], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });
const schemas = () => db.column("select nspname from pg_namespace where nspname ~ '^restor' order by 1");
const restore = () => run(`snapshots restore ${id} --brand ${shop.brand.slug} --into schema`);

test('level 3 restores it where nobody sees it, and stays recorded when a lower one follows', async () => {
  const proofs = () => db.rows('select verified_level, verified_at from bi.snapshots');
  expect(await run('snapshots verify --latest --level 3')).toMatchObject({ code: 0 });
  const proof = await proofs();
  expect(proof).toMatchObject([{ verified_level: 3 }]);
  expect(await run('snapshots verify --latest --level 0')).toMatchObject({ code: 0 });
  expect(await proofs()).toEqual(proof);
  expect(await schemas()).toEqual([]);
});

test('with other columns it is refused, and nothing is left', async () => {
  await db.query('alter table raw.shopify_sales add column later text');
  expect((await restore()).stderr).toMatch(/NS_SNAPSHOT_OTHER_SCHEMA/);
  await db.query('alter table raw.shopify_sales drop column later');
  expect(await schemas()).toEqual([]);
});

test('it is refused once the brand has erased a person since', async () => {
  await db.query(
    "insert into ops.erased_identifiers (brand_id, identifier, pseudonym) values ($1, 'x', 'erased:1')",
    [shop.brand.id],
  );
  expect((await restore()).stderr).toMatch(/NS_RESTORE_REFUSED.*erased persons/s);
  await db.query('delete from ops.erased_identifiers');
  expect(await schemas()).toEqual([]);
});

test('a schema has what the live tables had, with their keys', async () => {
  const [restored] = (await restore()).json() as { schema: string }[];
  const schema = restored?.schema ?? '';
  expect(await schemas()).toEqual([schema]);
  const from = (table: string) => db.rows(`select * from ${table} order by id`);
  expect(await from(`${schema}.raw_shopify_sales`)).toEqual(await from('raw.shopify_sales'));
  expect(await from(`${schema}.app_connections`)).toEqual(await from('app.connections'));
  expect(
    await db.column(`select count(*) from pg_index where indrelid = '${schema}.raw_shopify_sales'::regclass`),
  ).toEqual([1]);
  expect(await restore()).toMatchObject({
    code: 4,
    stderr: expect.stringContaining(`drop schema ${schema}`),
  });
  await db.query(`drop schema ${schema} cascade`);
});

test('of a damaged part nothing is restored', async () => {
  const name = await fileOfTable(db, { brandId: shop.brand.id, id }, 'raw.shopify_sales');
  const path = join(place.dir, name);
  const bytes = await readFile(path);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  await writeFile(path, bytes);
  expect(await restore()).toMatchObject({ code: 1, stderr: expect.stringContaining(name) });
  expect(await run('snapshots verify --latest --level 3')).toMatchObject({ code: 1 });
  expect(await db.column('select state from bi.snapshots')).toEqual(['damaged']);
  expect(await schemas()).toEqual([]);
});
