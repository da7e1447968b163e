/** A process that makes a snapshot ends at each of its steps; the next one makes a whole one of what is left. */
import { expect, test } from 'vitest';
import { listSnapshots } from '#sql/snapshots/catalogue.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import type { Store } from '#tasks/snapshots/store.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShop } from '../support/rows/factory.ts';
import { aStore, fillYear, makeSnapshot, runSnapshot } from '../support/snapshots/snapshots.ts';

class Killed extends Error {}

/** Ends before or after the given step: from then on nothing that it does has an effect. */
function mortal(steps: number, how: 'before' | 'after') {
  let [passed, dead] = [0, false];
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) throw new Killed();
    const isLast = ++passed === steps;
    if (isLast) dead = true;
    if (isLast && how === 'before') throw new Killed();
    const result = await work();
    if (isLast) throw new Killed();
    return result;
  };
  const inStore = (store: Store): Store => ({
    ...store,
    draft: (brandId) => step(() => store.draft(brandId)),
    put: (name, draft) => step(() => store.put(name, draft)),
    settle: () => step(() => store.settle()),
  });
  const inDb = (db: TestDb) => aroundTransactions(db, step);
  return { inStore, inDb, died: () => dead };
}

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
    for (const { name } of made.parts) expect(files).toContain(`${brand.id}/parts/${name}`);
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
