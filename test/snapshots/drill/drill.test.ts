/** Each night the newest snapshot is restored and timed, older files are read in turn, and a broken promise is told once. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { tasks } from '#tasks/index.ts';
import { snapshotDrill } from '#tasks/snapshots/drill/snapshot_drill.ts';
import { snapshotWatch } from '#tasks/snapshots/drill/watch.ts';
import { addDefaults } from '#workers/scheduler/defaults.ts';
import { nightshift } from '../../support/cli.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { type Shop, TEST_KEYS, twoShops } from '../../support/rows/factory.ts';
import { runTask } from '../../support/run.ts';
import {
  aStore,
  fileOfTable,
  fillYear,
  runSnapshot,
  type StoreDir,
} from '../../support/snapshots/snapshots.ts';

let db: TestDb;
let acme: Shop;
let brio: Shop;
let place: StoreDir;

beforeAll(async () => {
  db = await freshDb();
  [acme, brio] = await twoShops(db);
  place = await aStore();
  for (const { brand, connection } of [acme, brio]) {
    await fillYear(db, brand.id, connection.id, 200);
    await db.transaction((tx) => addDefaults(tx, tasks, { brandId: brand.id, connectionId: null }));
  }
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

const services = () => ({ snapshots: { url: db.url, store: place.store, minutes: 5, rate: 0 } });
const drill = ({ brand }: Shop, more = {}) =>
  runTask(snapshotDrill, { brandId: brand.id, ...more }, db, { services: services() });
const watch = ({ brand }: Shop) => runTask(snapshotWatch, { brandId: brand.id }, db);
const open = () =>
  db.column("select promise from ops.alerts where kind = 'snapshots' and resolved_at is null order by id");
const run = (line: string) =>
  nightshift(line.split(' '), {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });
const MISSING = 'a snapshot of the last 26 hours is complete';
const UNPROVEN = 'a snapshot of the last 48 hours has proved to restore';

test('what is promised counts from the schedules on, is told once, and is over once it is kept', async () => {
  expect(await watch(acme)).toMatchObject({ raised: 0 });
  await db.query("update ops.schedules set created_at = now() - interval '3 days'");
  expect(await drill(acme)).toMatchObject({ skipped: 'the brand has no snapshot' });
  expect(await watch(acme)).toMatchObject({ raised: 2 });
  expect(await watch(acme)).toMatchObject({ raised: 0 });
  expect(await open()).toEqual([MISSING, UNPROVEN]);
  expect((await run('doctor')).stdout).toContain(
    `npx nightshift snapshots create --brand ${acme.brand.slug} --wait`,
  );

  await runSnapshot(db, place, acme.brand.id);
  expect(await drill(acme)).toMatchObject({ level: 3, sampled: 0 });
  expect(await watch(acme)).toMatchObject({ resolved: 2 });
  expect(await open()).toEqual([]);
  expect((await run('status')).stdout).toMatch(
    /snapshots .*: last .* proved .* at level 3, restored in [0-9.]+ s/,
  );
});

test('once a week its figures are computed again, and what that took is a series', async () => {
  expect(await drill(acme, { level: 4 })).toMatchObject({ level: 4 });
  expect(
    await db.rows(
      `select level, outcome, recovery_seconds > 0 as timed, recovery_point_seconds >= 0 as aged
       from bi.snapshot_drills where brand_id = $1 order by started_at`,
      [acme.brand.id],
    ),
  ).toEqual([3, 4].map((level) => ({ level, outcome: 'succeeded', timed: true, aged: true })));
});

// As hourly snapshots of many weeks: more than are listed at once.
test('a file that only a very old snapshot has is read, and no snapshot is opened that has nothing to be read', async () => {
  const brandId = acme.brand.id;
  const old = String((await runSnapshot(db, place, brandId)).snapshot);
  await db.query('update raw.shopify_sales set quantity = 7 where brand_id = $1', [brandId]);
  const newest = String((await runSnapshot(db, place, brandId)).snapshot);
  await db.query(
    `update ops.snapshots set created_at = now() - interval '60 days' where brand_id = $1 and id = $2`,
    [brandId, old],
  );
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at, manifest_sha256)
     select brand_id, gen_random_uuid(), brand_slug, scope, state, store, created_at - n * interval '1 hour', manifest_sha256
     from ops.snapshots cross join generate_series(1, 1000) n where brand_id = $1 and id = $2`,
    [brandId, newest],
  );
  expect(await drill(acme)).toMatchObject({ sampled: 1 });
  await db.query('delete from ops.snapshots where brand_id = $1 and parts = 0', [brandId]);
});

test('damage of an older file is found when its turn comes, and is told', async () => {
  const old = String((await runSnapshot(db, place, brio.brand.id)).snapshot);
  const which = { brandId: brio.brand.id, id: old };
  const file = join(place.dir, await fileOfTable(db, which, 'raw.shopify_sales'));
  await db.query('update raw.shopify_sales set quantity = 9 where brand_id = $1', [brio.brand.id]);
  await runSnapshot(db, place, brio.brand.id);
  expect(await drill(brio)).toMatchObject({ sampled: 1 }); // of the others, the newest has all too
  expect(
    await db.column(
      `select bool_and(at is not null)
       from (select max(proved_at) as at from ops.snapshot_parts where brand_id = $1 group by name, key_id) f`,
      [brio.brand.id],
    ),
  ).toEqual([true]);
  const bytes = await readFile(file);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  await writeFile(file, bytes);
  await expect(drill(brio)).rejects.toMatchObject({ code: 'NS_SNAPSHOT_DAMAGED' });
  expect(await watch(brio)).toMatchObject({ raised: 2 });
  expect(await db.column("select hint from ops.alerts where promise = 'no snapshot is damaged'")).toEqual([
    expect.stringContaining(`snapshots show ${old}`),
  ]);
  expect(await watch(acme)).toMatchObject({ raised: 0, resolved: 0 });
});
