/** What a snapshot holds, that equal data are stored once, and that nothing of one brand is in the files of another. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { listSnapshots, partsOf } from '#sql/snapshots/catalogue.ts';
import { leftOut } from '#sql/snapshots/left_out.ts';
import { readParts, rowHashOf } from '#sql/snapshots/parts.ts';
import { snapshotTables } from '#sql/snapshots/tables.ts';
import { dataKeys } from '#tasks/snapshots/data_key.ts';
import { readManifest } from '#tasks/snapshots/manifest.ts';
import { readPart } from '#tasks/snapshots/part_file.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { fillEveryTable } from '../support/db/traces.ts';
import { aShop, type Shop, testSealer } from '../support/rows/factory.ts';
import { twoBrands } from '../support/rows/two_brands.ts';
import { aStore, fillYear, makeSnapshot, runSnapshot } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let shop: Shop;

beforeAll(async () => {
  db = await freshDb();
  shop = await aShop(db);
  await fillYear(db, shop.brand.id, shop.connection.id);
  return () => db[Symbol.asyncDispose]();
});

test('every table with rows of a brand is in a snapshot, or left out for a stated reason', async () => {
  const covered = (await snapshotTables(db, 'all')).map(({ name }) => name);
  const ofBrands = await db.column(`
    select t.oid::regclass::text from pg_class t join pg_namespace n on n.oid = t.relnamespace
    where t.relkind in ('r', 'p') and not t.relispartition and n.nspname in ('app', 'raw', 'agg', 'ops')
      and exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'brand_id')`);
  expect([...covered, ...Object.keys(leftOut)].sort()).toEqual(
    [...ofBrands, 'app.brands', 'app.fx_rates'].sort(),
  );
  expect(covered.filter((name) => name in leftOut)).toEqual([]);
  const figures = (await snapshotTables(db, 'aggregates')).map(({ name }) => name);
  expect(figures).toEqual(covered.filter((name) => /^(app|agg)\./.test(name)));
});

test('raw rows and figures that may become many have a date, so that old months stay as they are', async () => {
  const undated = (await snapshotTables(db, 'all')).filter(({ datedBy }) => datedBy === null);
  expect(undated.map(({ name }) => name).filter((name) => /^(raw|agg)\./.test(name))).toEqual([]);
});

test('the same rows make the same files, and a changed row makes one other', async () => {
  await using place = await aStore();
  const first = await runSnapshot(db, place, shop.brand.id);
  expect(first).toMatchObject({ new_parts: first.parts, rows: expect.any(Number) });
  expect(Number(first.rows)).toBeGreaterThan(24_000);
  const before = await place.files();

  // Rewritten in another order, so that the rows are elsewhere in the table.
  await db.query(
    `with gone as (delete from raw.shopify_sales returning *)
     insert into raw.shopify_sales select * from gone order by id desc`,
  );
  expect(await runSnapshot(db, place, shop.brand.id)).toMatchObject({
    new_parts: 0,
    new_bytes: 0,
    rows: first.rows,
  });
  for (const [name, content] of before) expect((await place.files()).get(name)).toBe(content);

  await db.query("update raw.shopify_sales set total_amount = total_amount + 0.01 where id = '9000'");
  expect(await runSnapshot(db, place, shop.brand.id)).toMatchObject({ new_parts: 1, rows: first.rows });
  await db.query("update raw.shopify_sales set total_amount = total_amount - 0.01 where id = '9000'");
  // As it was before the last one: the file of then is still there.
  expect(await runSnapshot(db, place, shop.brand.id)).toMatchObject({ new_parts: 0 });

  const listed = await listSnapshots(db, { brandId: shop.brand.id });
  expect(listed).toHaveLength(4);
  expect(new Set((await partsOf(db, listed[0] as never)).map(({ name }) => name))).toEqual(
    new Set((await partsOf(db, listed[3] as never)).map(({ name }) => name)),
  );
  const views = await db.rows('select state, rows, new_parts from bi.snapshots where brand_id = $1', [
    shop.brand.id,
  ]);
  expect(views).toHaveLength(4);
  expect(
    await db.column('select outcome from ops.snapshot_runs where brand_id = $1', [shop.brand.id]),
  ).toEqual(Array(4).fill('succeeded'));
});

test('names do not depend on the store or the server: content of two stores has equal names', async () => {
  await using one = await aStore();
  await using other = await aStore();
  const names = async ({ store }: typeof one) => {
    const { parts } = await makeSnapshot(db, store, shop.brand, { scope: 'aggregates' });
    await db.query('delete from ops.snapshots where brand_id = $1', [shop.brand.id]);
    return parts.map(({ name }) => name).sort();
  };
  expect(await names(other)).toEqual(await names(one));
});

// The literal holds on PostgreSQL 15 and 18: otherwise an upgrade would store everything again.
test('the hash of rows is the same on each version of PostgreSQL', async () => {
  const columns = [
    `'é' || chr(9)`,
    '1.50::numeric',
    `date '2026-11-30'`,
    `array['a', null]`,
    `'{"b": 1.0}'::jsonb`,
  ];
  const table = {
    columns: columns.map((name) => ({ name, type: '' })),
    name: '',
    key: [],
    datedBy: null,
  } as const;
  expect(
    await db.column(
      `select ${rowHashOf({ ...table, columns: [...table.columns], key: [], bytes: 0, of: 'id' })}::text`,
    ),
  ).toEqual(['6936965708118446182']);
});

test('each type of column can be hashed, copied and put in order', async () => {
  await using own = await freshDb();
  await using place = await aStore();
  const { brand, retailer, connection } = await aShop(own);
  const ids = { brandId: brand.id, retailerId: retailer.id, connectionId: connection.id };
  const filled = await fillEveryTable(own, ids);
  const { parts } = await makeSnapshot(own, place.store, brand);
  const kept = new Set(parts.map(({ table }) => table));
  expect(filled.filter((name) => !kept.has(name) && !(name in leftOut))).toEqual([]);
});

test('months end where they end, and dates without a month of their own are parts as well', async () => {
  await using own = await freshDb();
  const { brand } = await aShop(own);
  await own.query(
    `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
     select $1, day, 'syncing', now(), now(), now()
     from (select date '1970-01-01' + n from generate_series(1, 20500) n
           union all select unnest(array['-infinity', 'infinity', '0044-03-15 BC', '10000-02-03', '1970-01-01']::date[])) d (day)`,
    [brand.id],
  );
  const table = (await snapshotTables(own, 'all')).find(({ name }) => name === 'ops.nights');
  if (!table) throw new Error('there is no such table');
  await own.transaction(async (tx) => {
    const { parts, copyStatement } = await readParts(tx, table, brand.id);
    expect(parts.slice(0, 3)).toMatchObject([
      { part: '-infinity', rows: 1 },
      { part: '0044-03 BC', rows: 1 },
      { part: '1970-01', rows: 31 },
    ]);
    expect(parts.slice(-2)).toMatchObject([{ part: '10000-02', rows: 1 }, { part: 'infinity' }]);
    const chosen = [...parts.slice(0, 15), ...parts.slice(-3)];
    for (const some of [parts, ...chosen.map((part) => [part])]) {
      const { rowCount } = await tx.query(copyStatement(some).replace(/^copy \(|\) to stdout$/g, ''));
      expect(rowCount).toBe(some.reduce((sum, { rows }) => sum + rows, 0));
    }
  });
});

test('two brands with equal ids share no file, and each has only its own rows', async () => {
  await using place = await aStore();
  await using own = await freshDb();
  const brands = await twoBrands(own);
  for (const { brandId, connectionId } of brands) await fillYear(own, brandId, connectionId, 10);
  for (const { brandId } of brands) await runSnapshot(own, place, brandId);
  const [acme, brio] = await Promise.all(
    brands.map(async ({ brandId }) => {
      const [snapshot] = await listSnapshots(own, { brandId });
      const parts = await partsOf(own, { brandId, id: snapshot?.id ?? '' });
      const keyOf = dataKeys(place.store, testSealer, brandId);
      let text = '';
      for (const part of parts)
        for await (const chunk of readPart(place.store, await keyOf(part.keyId), brandId, part))
          text += chunk;
      return { brandId, names: parts.map(({ name }) => name), text };
    }),
  );
  if (!acme || !brio) throw new Error('a brand is missing');
  expect(acme.names.filter((name) => brio.names.includes(name))).toEqual([]);
  expect(acme.text).toContain(acme.brandId);
  expect(acme.text).not.toContain(brio.brandId);
  expect(brio.text).not.toContain(acme.brandId);
});

test('files are encrypted and only for their owner; each manifest names the one before it', async () => {
  await using place = await aStore();
  const first = await makeSnapshot(db, place.store, shop.brand);
  const second = await makeSnapshot(db, place.store, shop.brand);
  const files = await place.files();
  for (const content of files.values()) expect(content).not.toContain('shpat_');
  for (const name of files.keys()) expect((await stat(join(place.dir, name))).mode & 0o777).toBe(0o600);
  expect((await stat(join(place.dir, shop.brand.id, 'parts'))).mode & 0o777).toBe(0o700);
  const which = { brandId: shop.brand.id, id: first.id };
  const { sha256 } = await readManifest(place.store, testSealer, which);
  expect(second.content.previous).toEqual({ id: first.id, sha256 });
});
