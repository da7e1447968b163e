/** Snapshots that expire, with their files: what is needed stays, whatever runs beside it or ends in the middle. */
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listSnapshots } from '#sql/snapshots/catalogue.ts';
import { partFile } from '#sql/snapshots/garbage.ts';
import { snapshotExpiry } from '#tasks/snapshots/expiry/snapshot_expiry.ts';
import type { Store } from '#tasks/snapshots/store.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aBrand, aShop, TEST_KEYS } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { damagesOf, LOCKING, loseSessions, makeOlder, runExpiry } from '../support/snapshots/expiry.ts';
import { aStore, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

const DAY_SECONDS = 86_400;
const MAKING = 'nightshift test snapshot';
const scope = 'aggregates';

type World = AsyncDisposable & { db: TestDb; place: StoreDir; brand: { id: string; slug: string } };

async function aWorld(): Promise<World> {
  const db = await freshDb();
  const place = await aStore();
  const { brand } = await aShop(db);
  return {
    ...{ db, place, brand },
    async [Symbol.asyncDispose]() {
      await place[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

/** A snapshot after a change, so that one file of it is its own. */
async function changed({ db, place, brand }: World, given = {}) {
  await db.query("update app.brands set name = name || '.' where id = $1", [brand.id]);
  return makeSnapshot(db, place.store, brand, { scope, ...given });
}

const filesOf = async ({ place }: World) => [...(await place.files()).keys()].sort();
const listed = async ({ db, brand }: World) =>
  (await listSnapshots(db, { brandId: brand.id })).map(({ id }) => id);

test('a snapshot that no rule keeps goes at once, its files after the time of grace, and all of it is written down', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  const old = await changed(world);
  const own = old.parts.filter(({ table }) => table === 'app.brands').map(partFile);
  const young = await changed(world);
  await makeOlder(db, old.id, 91);
  const run = (graceSeconds: number) => runExpiry(db, place.store, brand.id, { graceSeconds });

  expect(await run(DAY_SECONDS)).toEqual({ expired: 1, kept: 1, files: 1, bytes: 0 });
  expect(await listed(world)).toEqual([young.id]);
  const files = await filesOf(world);
  expect(files).toContain(`${brand.id}/${own[0]}`);
  expect(files).not.toContain(`${brand.id}/manifests/${old.id}.json`);
  expect(await run(DAY_SECONDS)).toMatchObject({ expired: 0, files: 0 });

  const result = await run(0);
  expect(result).toMatchObject({ expired: 0, kept: 1, files: own.length });
  expect(await filesOf(world)).toEqual(files.filter((name) => !name.endsWith(`/${own[0]}`)));
  expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
  // The key of the old one stays: parts that it wrote are in the young one.
  expect(await filesOf(world)).toContain(`${brand.id}/keys/${old.id}.json`);

  const runs = await db.rows(
    `select outcome, tally from ops.snapshot_runs where brand_id = $1 and kind = 'expire' order by id`,
    [brand.id],
  );
  expect(runs).toMatchObject([
    { outcome: 'succeeded', tally: { snapshots: [old.id], names: [`manifests/${old.id}.json`] } },
    { outcome: 'succeeded', tally: { files: 0 } },
    { outcome: 'succeeded', tally: { files: 1, bytes: result.bytes, names: own } },
  ]);
  expect(result.bytes).toBeGreaterThan(0);
});

test('after a move, what is due in the old store is named, and goes by who reaches that one', async () => {
  await using world = await aWorld();
  await using other = await aStore();
  const { db, place, brand } = world;
  const old = await changed(world);
  await makeOlder(db, old.id, 91);
  const moved = { ...world, place: other };
  const young = await changed(moved);
  expect(await runExpiry(db, other.store, brand.id)).toEqual({
    ...{ expired: 0, kept: 2, files: 0, bytes: 0, incomplete: expect.stringContaining(place.store.place) },
  });
  expect(await listed(world)).toEqual([young.id, old.id]);
  expect(await runExpiry(db, place.store, brand.id)).toMatchObject({ expired: 1, kept: 1 });
  expect(await filesOf(world)).not.toContain(`${brand.id}/manifests/${old.id}.json`);
  expect(await damagesOf(db, other.store, brand.id)).toEqual([]);
});

test('keys, drafts and files that were broken off go once nothing needs them', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  await changed(world);
  const before = await filesOf(world);
  const key = '11111111-2222-4333-8444-555555555555';
  for (const name of [`drafts/half`, `parts/${'a'.repeat(64)}`, `keys/${key}.json`])
    await writeFile(join(place.dir, brand.id, name), 'x');
  // One that was broken off stays for the next to go on with, but not for ever.
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at)
     values ($1, $2, 'acme', 'all', 'creating', 'here', now() - interval '1 hour')`,
    [brand.id, key],
  );
  expect(await runExpiry(db, place.store, brand.id, { graceSeconds: DAY_SECONDS })).toMatchObject({
    files: 0,
  });
  await db.query("update ops.snapshot_garbage set marked_at = now() - interval '2 days'");
  expect(await runExpiry(db, place.store, brand.id, { graceSeconds: DAY_SECONDS })).toMatchObject({
    files: 1,
  });
  expect(await filesOf(world)).toEqual([...before, `${brand.id}/keys/${key}.json`].sort());
  await runExpiry(db, place.store, brand.id);
  expect(await filesOf(world)).toEqual(before);
});

test('as long as a manifest cannot be read, no part goes', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  const lost = await changed(world);
  await changed(world);
  // The catalogue does not know it any more, and nobody knows what it names.
  await db.query('delete from ops.snapshots where id = $1', [lost.id]);
  const at = join(place.dir, brand.id, 'manifests', `${lost.id}.json`);
  await appendFile(at, 'x');
  const before = await filesOf(world);
  expect(await runExpiry(db, place.store, brand.id)).toMatchObject({
    ...{ files: 0, incomplete: expect.stringContaining(lost.id) },
  });
  expect(await filesOf(world)).toEqual(before);
  await rm(at);
  expect(await runExpiry(db, place.store, brand.id)).toMatchObject({ files: expect.any(Number) });
  expect((await filesOf(world)).length).toBeLessThan(before.length);
  expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
});

test('a snapshot that the database does not know is taken in, and its parts stay', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  const one = await changed(world);
  await changed(world);
  await makeOlder(db, one.id, 200);
  await db.query('delete from ops.snapshots');
  expect(await runExpiry(db, place.store, brand.id)).toEqual({ expired: 0, kept: 2, files: 0, bytes: 0 });
  expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
});

test('while a snapshot is made nothing is swept', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  const old = await changed(world);
  await changed(world);
  await makeOlder(db, old.id, 91);
  await runExpiry(db, place.store, brand.id, { graceSeconds: DAY_SECONDS });
  const before = await filesOf(world);
  const refused: unknown[] = [];
  const store: Store = {
    ...place.store,
    async settle() {
      await place.store.settle();
      refused.push(await runExpiry(db, place.store, brand.id).catch((error) => error.code));
    },
  };
  await makeSnapshot(db, store, brand, { scope });
  expect(new Set(refused)).toEqual(new Set(['NS_SNAPSHOT_BUSY']));
  expect(await filesOf(world)).toEqual(expect.arrayContaining(before));
  await runExpiry(db, place.store, brand.id);
  expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
});

// The server frees the lock of a session that it has lost, while its process works on.
test.for([1, 2, 3])(
  'a snapshot that has lost its lock to a sweep at step %i does not come to be',
  async (step) => {
    await using world = await aWorld();
    const { db, place, brand } = world;
    const old = await changed(world);
    await makeOlder(db, old.id, 91);
    await changed(world);
    let at = 0;
    const store: Store = {
      ...place.store,
      async settle() {
        await place.store.settle();
        if (++at !== step) return;
        await loseSessions(db, MAKING);
        for (let again = 0; again < 2; again++) await runExpiry(db, place.store, brand.id);
      },
    };
    await db.query("update app.brands set name = 'another' where id = $1", [brand.id]);
    const made = makeSnapshot(db, store, brand, { scope });
    if (step < 3) await expect(made).rejects.toThrow();
    else await made.catch(() => {}); // its manifest was there: it is taken in by the next one
    await runExpiry(db, place.store, brand.id);
    expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
    const manifests = (await filesOf(world)).filter((name) => name.includes('/manifests/'));
    expect(manifests.map((name) => name.slice(-41, -5))).toEqual((await listed(world)).sort());
  },
);

test('a sweep that has lost its lock removes nothing more', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  const old = await changed(world);
  await changed(world);
  await makeOlder(db, old.id, 91);
  await runExpiry(db, place.store, brand.id, { graceSeconds: DAY_SECONDS });
  await writeFile(join(place.dir, brand.id, 'parts', '0'.repeat(64)), 'x');
  await runExpiry(db, place.store, brand.id, { graceSeconds: DAY_SECONDS }); // marks it
  const removed: string[] = [];
  const store: Store = {
    ...place.store,
    async remove(name) {
      removed.push(name);
      await place.store.remove(name);
      if (removed.length > 1) return;
      await loseSessions(db, LOCKING);
      await changed(world); // another has the lock now
    },
  };
  await expect(runExpiry(db, store, brand.id)).rejects.toThrow();
  expect(removed).toHaveLength(1);
  expect(await runExpiry(db, place.store, brand.id)).toMatchObject({ files: 1 });
  expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
  expect(await listed(world)).toHaveLength(2);
});

test('what a removed brand left goes a month later, and what this database never knew stays', async () => {
  await using world = await aWorld();
  const { db, place, brand } = world;
  const other = await aBrand(db, { slug: 'brio' });
  await changed(world);
  await makeSnapshot(db, place.store, other, { scope });
  const unknown = '99999999-9999-4999-8999-999999999999';
  await mkdir(join(place.dir, unknown, 'parts'), { recursive: true });
  await writeFile(join(place.dir, unknown, 'parts', 'a'), 'x');
  const services = { snapshots: { url: db.url, store: place.store, minutes: 10, rate: 0 } };
  const run = () => runTask(snapshotExpiry, {}, db, { services });
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const removal = ['brands', 'remove', other.slug, '--yes', other.slug];
  expect(await nightshift(removal, { env })).toMatchObject({ code: 0 });

  expect(await run()).toEqual({ brands: 0, files: 0, bytes: 0 });
  await db.query("update ops.audit_log set at = at - interval '31 days' where action = 'brands.remove'");
  // One that was taken in again, and pinned, stays.
  expect(
    await nightshift(['snapshots', 'sync'], { env: { ...env, NIGHTSHIFT_SNAPSHOT_DIR: place.dir } }),
  ).toMatchObject({
    code: 0,
  });
  await db.query(
    `update ops.snapshots set pinned_at = now(), pinned_by = 'ops', pinned_reason = 'audit' where brand_id = $1`,
    [other.id],
  );
  expect(await run()).toMatchObject({ brands: 0 });
  await db.query('update ops.snapshots set pinned_at = null, pinned_by = null, pinned_reason = null');
  expect(await run()).toMatchObject({ brands: 1, files: expect.any(Number) });
  const files = await filesOf(world);
  expect(files.filter((name) => name.startsWith(other.id))).toEqual([]);
  expect(files).toContain(`${unknown}/parts/a`);
  expect(await run()).toEqual({ brands: 0, files: 0, bytes: 0 });
  expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
});
