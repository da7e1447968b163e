/** What is wrong with an older snapshot is told, and keeps none of the others from its turn. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { sealer as makeSealer } from '#sql/tenants/secrets.ts';
import { snapshotDrill } from '#tasks/snapshots/drill/snapshot_drill.ts';
import { snapshotWatch } from '#tasks/snapshots/drill/watch.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { type Shop, twoShops } from '../../support/rows/factory.ts';
import { runTask } from '../../support/run.ts';
import { aStore, fillYear, makeSnapshot, type StoreDir } from '../../support/snapshots/snapshots.ts';

let db: TestDb;
let acme: Shop;
let brio: Shop;
let place: StoreDir;

beforeEach(async () => {
  db = await freshDb();
  [acme, brio] = await twoShops(db);
  place = await aStore();
  for (const { brand, connection } of [acme, brio]) await fillYear(db, brand.id, connection.id, 50);
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

const drill = ({ brand }: Shop) =>
  runTask(snapshotDrill, { brandId: brand.id }, db, {
    services: { snapshots: { url: db.url, store: place.store, minutes: 5, rate: 0 } },
  });
const watch = ({ brand }: Shop) => runTask(snapshotWatch, { brandId: brand.id }, db);
const alerts = () =>
  db.column(
    "select promise from ops.alerts where kind = 'snapshots' and resolved_at is null order by promise",
  );
const states = () =>
  db.column('select distinct state from ops.snapshots s where brand_id = $1 and parts > 0 order by 1', [
    acme.brand.id,
  ]);

/** Snapshots of so many days ago, each with one file that none of the others has. */
async function make(days: readonly number[], sealer?: ReturnType<typeof makeSealer>): Promise<string[]> {
  const ids: string[] = [];
  for (const age of days) {
    await db.query('update raw.shopify_sales set quantity = $2 where brand_id = $1', [acme.brand.id, age]);
    const { id } = await makeSnapshot(db, place.store, acme.brand, sealer && { sealer });
    await db.query('update ops.snapshots set created_at = now() - make_interval(days => $2) where id = $1', [
      ...[id, age],
    ]);
    ids.push(id);
  }
  return ids;
}

const OTHERS = '00000001-1111-4111-8111-111111111111';

/** Many files whose turn is far away: of few files one is read a night. */
async function addOthers(): Promise<void> {
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at, manifest_sha256)
     values ($1, $2, 'acme', 'aggregates', 'complete', $3, now() - interval '1 hour', repeat('0', 64))`,
    [acme.brand.id, OTHERS, place.store.place],
  );
  await db.query(
    `insert into ops.snapshot_parts (brand_id, snapshot_id, table_name, part, name, key_id, header_sha256, rows, row_hash, bytes,
       stored_bytes, stored_sha256, is_new)
     select $1, $2, 'raw.x', n, lpad(to_hex(n), 64, '0'), $2, '', 1, 1, 1, 1, '', true from generate_series(1, 60) n`,
    [acme.brand.id, OTHERS],
  );
}

const proved = (id: string | undefined) =>
  db.column('select count(*)::int from ops.snapshot_parts where snapshot_id = $1 and proved_at is not null', [
    id,
  ]);

test('a snapshot that is lost with all that it wrote is damaged, and the others are read', async () => {
  const [other, lost] = await make([120, 110, 0]);
  await makeSnapshot(db, place.store, brio.brand);
  await addOthers();
  for (const [name] of await place.files()) if (name.includes(String(lost))) await rm(join(place.dir, name));
  await expect(drill(acme)).rejects.toMatchObject({
    code: 'NS_SNAPSHOT_DAMAGED',
    message: expect.stringContaining(`manifests/${lost}.json is missing`),
  });
  expect(await proved(other)).not.toEqual([0]);
  expect(await db.rows("select id, brand_id from ops.snapshots where state = 'damaged'")).toEqual([
    { id: lost, brand_id: acme.brand.id },
  ]);
  // Also for one that only puts files, and cannot see that they are gone.
  expect(
    await db.column('select bool_and(damaged_at is not null) from ops.snapshot_parts where key_id = $1', [
      lost,
    ]),
  ).toEqual([true]);
  await watch(acme);
  expect(await watch(brio)).toMatchObject({ raised: 0 });
  expect(await alerts()).toEqual(['no snapshot is damaged', 'the last drill of a snapshot succeeded']);
  await db.query('delete from ops.snapshots where id = $1', [OTHERS]); // no store has it
  await drill(acme);
  expect(await watch(acme)).toMatchObject({ resolved: 1 });
  expect(await alerts()).toEqual(['no snapshot is damaged']);
});

test('keys that are lacking for one are no damage, the others are read, and the operator is told', async () => {
  const [other] = await make([120]);
  await make([111, 110], makeSealer([{ id: 'elsewhere', key: Buffer.alloc(32, 9) }]));
  // The newest has none of their files.
  await db.query("update ops.snapshot_parts set damaged_at = now() where table_name not like 'raw.%'");
  await db.query('delete from raw.shopify_sales where brand_id = $1', [acme.brand.id]);
  await makeSnapshot(db, place.store, acme.brand);
  await addOthers();
  await expect(drill(acme)).rejects.toMatchObject({ code: 'NS_SNAPSHOT_KEYS' });
  expect(await proved(other)).not.toEqual([0]);
  expect(await states()).toEqual(['complete']);
  await watch(acme);
  expect(await alerts()).toEqual(['the last drill of a snapshot succeeded']);
  expect(await db.column("select cause from ops.alerts where kind = 'snapshots'")).toEqual([
    expect.stringContaining('key elsewhere'),
  ]);
});
