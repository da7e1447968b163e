/** A process that makes a snapshot ends at each of its steps; the next one makes a whole one of what is left. */
import { expect, test } from 'vitest';
import { listSnapshots } from '#sql/snapshots/catalogue.ts';
import { beginSnapshotRun } from '#sql/snapshots/runs.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import { fileOf, type Store } from '#tasks/snapshots/store.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aShop, TEST_KEYS } from '../support/rows/factory.ts';
import { mortal } from '../support/snapshots/mortal.ts';
import { aStore, fillYear, makeSnapshot, runSnapshot } from '../support/snapshots/snapshots.ts';

test.for(['before', 'after'] as const)('killed %s any step, the next snapshot is whole', async (how) => {
  await using db = await freshDb();
  const { brand } = await aShop(db);
  const scope = 'aggregates'; // few tables, and each step all the same
  let died = true;
  for (let steps = 1; died; steps++) {
    await using place = await aStore();
    const killer = mortal(steps, how);
    await makeSnapshot(db, killer.inStore(place.store), brand, { scope, db: killer.inDb(db) }).catch(
      (error) => {
        if (!killer.died()) throw error;
      },
    );
    died = killer.died();
    const made = await makeSnapshot(db, localStore(place.dir), brand, { scope });
    const listed = await listSnapshots(db, { brandId: brand.id });
    expect(listed[0]?.id, `killed ${how} step ${steps}`).toBe(made.id);
    expect(await db.column("select id from ops.snapshots where state = 'creating'")).toEqual([]);
    const files = [...(await place.files()).keys()];
    expect(files.filter((name) => name.includes('/drafts/'))).toEqual([]);
    // Each that has a manifest is known, and no file is named by none but what was left over.
    expect(files.filter((name) => name.includes('/manifests/'))).toHaveLength(listed.length);
    for (const part of made.parts) expect(files).toContain(fileOf.part(brand.id, part));
    expect(steps).toBeLessThan(200);
    await db.query('delete from ops.snapshots');
  }
});

test('only one process makes a snapshot of a brand, and a run that failed has its row', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const { brand } = await aShop(db);
  await db.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(hashtextextended('snapshot ' || $1, 0))", [brand.id]);
    await expect(runSnapshot(db, place, brand.id)).rejects.toMatchObject({ code: 'NS_SNAPSHOT_BUSY' });
  });
  await runSnapshot(db, place, brand.id);
  expect(
    await db.rows('select outcome, error_code from ops.snapshot_runs where brand_id = $1 order by id', [
      brand.id,
    ]),
  ).toEqual([
    { outcome: 'failed', error_code: 'NS_SNAPSHOT_BUSY' },
    { outcome: 'succeeded', error_code: null },
  ]);
});

test('a command that meets another run of the brand says who it is, and what to do', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const { brand } = await aShop(db);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const brokenOff = { brandId: brand.id, kind: 'create', jobId: '3' };
  await db.transaction((tx) => beginSnapshotRun(tx, brokenOff));
  await db.query("update ops.snapshot_runs set started_at = now() - interval '1 day'");
  let said = '';
  const store: Store = {
    ...place.store,
    async settle() {
      await place.store.settle();
      ({ stderr: said } = await nightshift(['snapshots', 'sync'], { env }));
    },
  };
  const who = `Another process works on the snapshots of brand ${brand.slug} now: nightshift`;
  const next = `npx nightshift jobs list --brand ${brand.slug}`;
  await makeSnapshot(db, store, brand, { scope: 'aggregates' }); // as the CLI does it, of which there is no run
  expect(said).toMatch(new RegExp(`${who} test snapshot, process \\d+ of the server, since .*${next}`, 's'));
  await runSnapshot(db, { store }, brand.id, 'aggregates');
  expect(said).toMatch(
    new RegExp(`${who} snapshot, create of job \\d+, process \\d+ of the server, since .*${next}`, 's'),
  );
  expect(said).not.toContain('job 3,');
});

test('one that ends late forgets those that were broken off before, and none that has begun since', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const { brand } = await aShop(db);
  const begin = (id: string, from: string) =>
    db.query(
      `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at)
       values ($1, $2, 'acme', 'all', 'creating', 'here', now() + $3::interval)`,
      [brand.id, id, from],
    );
  const [before, since] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
  await begin(before, '-1 hour');
  await begin(since, '1 hour');
  await makeSnapshot(db, place.store, brand, { scope: 'aggregates' });
  expect(await db.column("select id from ops.snapshots where state = 'creating'")).toEqual([since]);
});

test('one that takes longer than its transactions may last says so', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const { brand, connection } = await aShop(db);
  await fillYear(db, brand.id, connection.id, 2_000);
  const slow = { limitSeconds: 1, bytesPerSecond: 10 };
  await expect(makeSnapshot(db, place.store, brand, slow)).rejects.toMatchObject({
    code: 'NS_SNAPSHOT_TOO_LONG',
  });
  await makeSnapshot(db, place.store, brand);
});
