/** What a snapshot holds, that equal data are stored once, and that nothing of one brand is in the files of another. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { listSnapshots, partsOf } from '#sql/snapshots/catalogue.ts';
import { leftOut } from '#sql/snapshots/left_out.ts';
import { snapshotTables } from '#sql/snapshots/tables.ts';
import { dataKeys } from '#tasks/snapshots/data_key.ts';
import { readManifest } from '#tasks/snapshots/manifest.ts';
import { readPart } from '#tasks/snapshots/part_file.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
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

// The literals hold on PostgreSQL 15 and 18: otherwise an upgrade would store everything again.
test('the hash of rows is the same on each version of PostgreSQL', async () => {
  expect(
    await db.column(
      `select hashtextextended(row('é' || chr(9), 1.50::numeric, date '2026-11-30', array['a', null], '{"b": 1.0}'::jsonb)::text
         collate "C", 0)::text`,
    ),
  ).toEqual(['-3802766335212363313']);
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
