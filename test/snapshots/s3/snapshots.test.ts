/** Snapshots in object storage: made, verified and restored, also where whoever makes them may only put. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { listSnapshots } from '#sql/snapshots/catalogue.ts';
import { snapshotExpiry } from '#tasks/snapshots/expiry/snapshot_expiry.ts';
import { fileOf } from '#tasks/snapshots/store.ts';
import { verifySnapshot } from '#tasks/snapshots/verify.ts';
import { nightshift } from '../../support/cli.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { type Shop, TEST_KEYS, testSealer, twoShops } from '../../support/rows/factory.ts';
import { runTask } from '../../support/run.ts';
import { makeOlder } from '../../support/snapshots/expiry.ts';
import { aBucket, type Bucket, FULL_KEY, PUT_KEY, withKey } from '../../support/snapshots/s3.ts';
import {
  aStore,
  fileOfTable,
  fillYear,
  makeSnapshot,
  runSnapshot,
} from '../../support/snapshots/snapshots.ts';

let db: TestDb;
let shops: Shop[];

beforeAll(async () => {
  db = await freshDb();
  shops = await twoShops(db);
  for (const { brand, connection } of shops) await fillYear(db, brand.id, connection.id, 300);
});
afterEach(() => db.query('delete from ops.snapshots'));
afterAll(() => db[Symbol.asyncDispose]());

const run = (bucket: Bucket, line: string, env: Record<string, string> = {}) =>
  nightshift([...line.split(' '), '--json'], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS, ...bucket.env, ...env },
  });

async function wholeAt(bucket: Bucket, which: { brandId: string; id: string }, level = 2): Promise<string[]> {
  const store = bucket.store();
  const { damages } = await verifySnapshot({ db, store, sealer: testSealer, snapshot: which, level });
  return damages;
}

test('two brands are made, verified and restored beside the live tables', () =>
  withKey(FULL_KEY, async () => {
    await using bucket = await aBucket();
    const ids = [];
    for (const { brand } of shops)
      ids.push(String((await runSnapshot(db, { store: bucket.store() }, brand.id)).snapshot));
    expect(await bucket.store().brands()).toEqual(shops.map(({ brand }) => brand.id).sort());
    expect(await db.column('select distinct store from ops.snapshots')).toEqual(['s3://backups/night']);
    for (const id of ids)
      expect(await run(bucket, `snapshots verify ${id} --level 3`)).toMatchObject({ code: 0 });

    const [slug, id] = [shops[0]?.brand.slug, ids[0]];
    const restored = await run(bucket, `snapshots restore ${id} --brand ${slug} --into schema`);
    const [{ schema = '' } = {}] = restored.json() as { schema?: string }[];
    const rows = (table: string) =>
      db.rows(`select * from ${table} where brand_id = $1 order by id`, [shops[0]?.brand.id]);
    expect(await rows(`${schema}.raw_shopify_sales`)).toEqual(await rows('raw.shopify_sales'));
    await db.query(`drop schema ${schema} cascade`);

    // A database that knows nothing takes in what the bucket has, and stores nothing of it again.
    await db.query('delete from ops.snapshots');
    expect((await run(bucket, 'snapshots sync')).json()).toHaveLength(2);
    for (const { brand } of shops) {
      const { parts } = await makeSnapshot(db, bucket.store(), brand, { scope: 'aggregates' });
      expect(parts.filter(({ isNew }) => isNew)).toEqual([]);
    }
  }));

test('a key that may only put makes snapshots; what the catalogue knows is not stored again', async () => {
  await using bucket = await aBucket();
  const [{ brand }] = shops as [Shop];
  const asPut = (scope?: 'all' | 'aggregates') =>
    withKey(PUT_KEY, () => runSnapshot(db, { store: bucket.store() }, brand.id, scope));
  const first = await asPut();
  expect(first).toMatchObject({ new_parts: first.parts });
  expect(await asPut()).toMatchObject({ new_parts: 0 });
  await db.query(
    `update raw.shopify_sales set total_amount = total_amount + 1 where brand_id = $1 and id = '7'`,
    [brand.id],
  );
  const third = await asPut();
  expect(third).toMatchObject({ new_parts: 1 });
  const made = bucket.asked.filter(({ method }) => method !== 'GET');
  expect(new Set(made.map(({ method }) => method))).toEqual(new Set(['PUT']));
  expect(new Set(made.map(({ path }) => path)).size).toBe(made.length); // nothing was put in place of something
  await withKey(FULL_KEY, async () => {
    for (const { snapshot } of [first, third])
      expect(await wholeAt(bucket, { brandId: brand.id, id: String(snapshot) })).toEqual([]);
  });
});

test.for(['keys', 'parts', 'manifests'])('who is stopped waits for no upload: one of %s', (folder) =>
  withKey(FULL_KEY, async () => {
    await using bucket = await aBucket();
    const [{ brand }] = shops as [Shop];
    const stopping = new AbortController();
    const stopped = new Error('the worker stops');
    bucket.gate(({ method, path }) => {
      if (method !== 'PUT' || !path.includes(`/${folder}/`)) return undefined;
      stopping.abort(stopped);
      return 'silence';
    });
    // Nothing but the signal ends the requests.
    const store = bucket.store({}, { requestMs: 3_600_000, idleMs: 3_600_000 });
    await expect(makeSnapshot(db, store, brand, { signal: stopping.signal })).rejects.toBe(stopped);
  }),
);

test('with another bucket everything is stored anew, whatever the catalogue knows of the first', async () => {
  await using one = await aBucket();
  const [{ brand }] = shops as [Shop];
  await withKey(PUT_KEY, async () => {
    await makeSnapshot(db, one.store(), brand, { scope: 'aggregates' });
    const { parts, id } = await makeSnapshot(db, one.store({ prefix: 'other' }), brand, {
      scope: 'aggregates',
    });
    expect(parts.filter(({ isNew }) => !isNew)).toEqual([]);
    const again = await makeSnapshot(db, one.store(), brand, { scope: 'aggregates' });
    expect(again.content.previous?.id).toBe(id);
    expect(again.parts.filter(({ isNew }) => isNew)).toEqual([]);
  });
});

test('a store that was copied is known as it is once sync has found it', async () => {
  await using bucket = await aBucket();
  await using place = await aStore();
  const [{ brand }] = shops as [Shop];
  const { id } = await makeSnapshot(db, place.store, brand, { scope: 'aggregates' });
  await withKey(FULL_KEY, async () => {
    for (const name of (await place.files()).keys())
      await bucket.store().put(name, { path: join(place.dir, name), async [Symbol.asyncDispose]() {} });
    expect((await run(bucket, 'snapshots sync')).json()).toMatchObject([
      { snapshot: id, found: 'moved here' },
    ]);
    expect((await run(bucket, 'snapshots sync')).json()).toEqual([]);
  });
  const next = () => makeSnapshot(db, bucket.store(), brand, { scope: 'aggregates' });
  expect((await withKey(PUT_KEY, next)).parts.filter(({ isNew }) => isNew)).toEqual([]);
});

test('a database that was lost, and a key that may only put: no file of an earlier snapshot is replaced', async () => {
  await using bucket = await aBucket();
  const [{ brand }] = shops as [Shop];
  const make = () => withKey(PUT_KEY, () => makeSnapshot(db, bucket.store(), brand, { scope: 'aggregates' }));
  const first = await make();
  await db.query('delete from ops.snapshots');
  const second = await make();
  expect(second.parts.filter(({ isNew }) => !isNew)).toEqual([]);
  await withKey(FULL_KEY, async () => {
    for (const { id } of [first, second])
      expect(await wholeAt(bucket, { brandId: brand.id, id })).toEqual([]);
    const synced = await run(bucket, 'snapshots sync');
    expect(synced.json()).toMatchObject([{ snapshot: first.id, found: 'taken in' }]);
  });
  expect(await listSnapshots(db, { brandId: brand.id })).toHaveLength(2);
});

test('where workers may only put, what expires goes by a command with another key', async () => {
  await using bucket = await aBucket();
  const [{ brand }] = shops as [Shop];
  const make = () => withKey(PUT_KEY, () => makeSnapshot(db, bucket.store(), brand, { scope: 'aggregates' }));
  const old = await make();
  await db.query('update app.brands set name = $2 where id = $1', [brand.id, `another than ${old.id}`]);
  const young = await make();
  await makeOlder(db, old.id, 91);
  const expire = () => run(bucket, `snapshots expire --brand ${brand.slug} --here`);
  const refused = await withKey(PUT_KEY, expire);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('may not do ListObjectsV2') });
  const asJob = () => {
    const services = { snapshots: { url: db.url, store: bucket.store(), minutes: 10, rate: 0 } };
    return runTask(snapshotExpiry, { brandId: brand.id }, db, { services });
  };
  expect(await withKey(PUT_KEY, asJob)).toEqual({ skipped: expect.stringContaining('may not list') });
  const outcomes = () =>
    db.column("select outcome from ops.snapshot_runs where kind = 'expire' and brand_id = $1 order by id", [
      brand.id,
    ]);
  expect(await outcomes()).toEqual(['failed']); // of the command
  await withKey(FULL_KEY, async () => {
    // One that may read but not delete says so each time, and no more goes than once.
    bucket.gate(({ method }) => (method === 'DELETE' ? 'refuse' : undefined));
    for (let count = 0; count < 2; count++)
      await expect(asJob()).rejects.toMatchObject({
        ...{ code: 'NS_SNAPSHOT_STORE', message: expect.stringContaining('may not do DeleteObject') },
        hint: expect.stringContaining('policy'),
      });
    expect(await outcomes()).toEqual(['failed', 'failed', 'failed']);
    bucket.gate(() => undefined);
    expect((await expire()).json()).toMatchObject([{ brand: brand.slug, expired: 0, kept: 1, files: 1 }]);
    await db.query("update ops.snapshot_garbage set marked_at = now() - interval '2 days'");
    expect((await expire()).json()).toMatchObject([{ expired: 0, files: 1 }]); // its own row of app.brands
    expect(await wholeAt(bucket, { brandId: brand.id, id: young.id })).toEqual([]);
    expect((await wholeAt(bucket, { brandId: brand.id, id: old.id })).join()).toMatch(
      /manifests\/.* missing/,
    );
  });
});

test('an object that was cut off or altered is found, and the next snapshot is said to need it', () =>
  withKey(FULL_KEY, async () => {
    await using bucket = await aBucket();
    const [{ brand }] = shops as [Shop];
    const store = bucket.store();
    const { id } = await makeSnapshot(db, store, brand, { scope: 'aggregates' });
    const name = await fileOfTable(db, { brandId: brand.id, id }, 'app.connections');
    const content = await buffer(await store.read(name));
    const replace = async (bytes: Buffer) => {
      await using draft = await store.draft(brand.id);
      await writeFile(draft.path, bytes, { flag: 'wx' });
      await store.put(name, draft);
    };
    await replace(content.subarray(0, 60));
    expect(await wholeAt(bucket, { brandId: brand.id, id }, 0)).toEqual([
      expect.stringContaining(`60 bytes instead of ${content.length} (${name} in s3://backups/night)`),
    ]);
    const altered = Buffer.from(content);
    altered[content.length - 20] = (altered[content.length - 20] ?? 0) ^ 1;
    await replace(altered);
    for (const level of [1, 2])
      expect(await wholeAt(bucket, { brandId: brand.id, id }, level)).toEqual([
        expect.stringContaining(name),
      ]);
    await store.remove(fileOf.manifest(brand.id, id));
    expect((await wholeAt(bucket, { brandId: brand.id, id }, 0)).join()).toMatch(/manifests\/.* missing/);
  }));

test('a server that fails in the middle fails the run, and the next one goes on from what is there', () =>
  withKey(PUT_KEY, async () => {
    await using bucket = await aBucket();
    const [{ brand }] = shops as [Shop];
    let left = 3; // of five
    bucket.gate(({ method }) => (method === 'PUT' && left-- <= 0 ? 'slow down' : undefined));
    const make = () => makeSnapshot(db, bucket.store({}, { attempts: 1 }), brand, { scope: 'aggregates' });
    await expect(make()).rejects.toMatchObject({ code: 'NS_SNAPSHOT_STORE', verdict: 'retry' });
    expect(await listSnapshots(db, { brandId: brand.id })).toEqual([]);
    bucket.gate(() => undefined);
    const { id } = await make();
    await withKey(FULL_KEY, async () => expect(await wholeAt(bucket, { brandId: brand.id, id })).toEqual([]));
  }));

test('a command says what is wrong with a setting or a key, and which to correct', async () => {
  await using bucket = await aBucket();
  const key = { ...FULL_KEY, secret: 'wrong-secret' };
  const wrong = await withKey(key, () => run(bucket, 'snapshots sync'));
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('does not accept the key') });
  expect(wrong.stderr).not.toContain('wrong-secret');
  const unfit = await run(bucket, 'snapshots sync', { NIGHTSHIFT_SNAPSHOT_STORE: 'https://backups' });
  expect(unfit.stderr).toContain('NIGHTSHIFT_SNAPSHOT_STORE must be s3://bucket');
});
