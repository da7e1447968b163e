/** Whatever happens to the files of a snapshot, verifying it says so and names the file; a whole one is never blamed. */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { findSnapshot } from '#sql/snapshots/catalogue.ts';
import { sealer as makeSealer } from '#sql/tenants/secrets.ts';
import { makeDataKey } from '#tasks/snapshots/data_key.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import { verifySnapshot } from '#tasks/snapshots/verify.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShop, type Shop, TEST_KEYS, testSealer } from '../support/rows/factory.ts';
import { aStore, fileOfTable, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let shop: Shop;
let place: StoreDir;
let ids: [first: string, second: string];

beforeAll(async () => {
  db = await freshDb();
  shop = await aShop(db);
  place = await aStore();
  const make = () => makeSnapshot(db, place.store, shop.brand, { scope: 'aggregates' });
  ids = [(await make()).id, (await make()).id];
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

type Files = { parts: string; manifests: string; keys: string; of: (table: string) => Promise<string> };

/** What is found at this level of the first snapshot once the files of a copy of the store are damaged. */
async function found(
  level: number,
  damage: (files: Files) => Promise<unknown>,
  sealer = testSealer,
): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-damage-'));
  const brandId = shop.brand.id;
  try {
    for (const [name] of await place.files()) {
      await mkdir(join(dir, name, '..'), { recursive: true });
      await copyFile(join(place.dir, name), join(dir, name));
    }
    const folder = (name: string) => join(dir, brandId, name);
    const of = async (table: string) => join(dir, await fileOfTable(db, { brandId, id: ids[0] }, table));
    await damage({ parts: folder('parts'), manifests: folder('manifests'), keys: folder('keys'), of });
    const snapshot = await findSnapshot(db, ids[0]);
    const { damages } = await verifySnapshot({ db, store: localStore(dir), sealer, snapshot, level });
    return damages.map((said) => said.replaceAll(dir, ''));
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** One bit is another one. */
async function flip(path: string, at = -20): Promise<void> {
  const bytes = await readFile(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

async function swap(one: string, other: string): Promise<void> {
  await rename(one, `${one}.x`);
  await rename(other, one);
  await rename(`${one}.x`, other);
}

test('a whole snapshot is whole at each level', async () => {
  for (const level of [0, 1, 2]) expect(await found(level, async () => {})).toEqual([]);
});

const connections = 'app.connections';
const cases: [name: string, level: number, damage: (files: Files) => Promise<unknown>, said: RegExp][] = [
  ['a missing file', 0, async ({ of }) => rm(await of(connections)), /all of app.connections .* missing/],
  [
    'a truncated file',
    0,
    async ({ of }) => truncate(await of(connections), 60),
    /app.connections .* 60 bytes instead/,
  ],
  [
    'a changed byte',
    1,
    async ({ of }) => flip(await of(connections)),
    /app.connections .* its bytes are others/,
  ],
  [
    'a changed byte',
    2,
    async ({ of }) => flip(await of(connections)),
    /app.connections .* changed, cut off or exchanged/,
  ],
  [
    'a changed salt',
    2,
    async ({ of }) => flip(await of(connections), 10),
    /app.connections .* changed, cut off/,
  ],
  [
    'no file of ours',
    2,
    async ({ of }) => flip(await of(connections), 0),
    /app.connections .* no part of a snapshot/,
  ],
  [
    'two swapped files',
    0,
    async ({ of }) => swap(await of(connections), await of('app.brands')),
    /app.brands .* bytes instead/,
  ],
  [
    'two swapped files',
    1,
    async ({ of }) => swap(await of(connections), await of('app.brands')),
    /app.brands/,
  ],
  [
    'a removed manifest',
    0,
    async ({ manifests }) => rm(join(manifests, `${ids[0]}.json`)),
    /manifests\/.* missing/,
  ],
  [
    'a manifest that was changed',
    0,
    async ({ manifests }) => {
      const path = join(manifests, `${ids[0]}.json`);
      await writeFile(path, (await readFile(path, 'utf8')).replace('"rows":1', '"rows":2'));
    },
    /signature does not fit/,
  ],
  [
    'two swapped manifests',
    0,
    ({ manifests }) => swap(join(manifests, `${ids[0]}.json`), join(manifests, `${ids[1]}.json`)),
    /signature does not fit/,
  ],
  ['a lost key file', 2, async ({ keys }) => rm(join(keys, `${ids[0]}.json`)), /keys\/.* missing/],
  [
    'two swapped key files',
    2,
    async ({ keys }) => {
      await swap(join(keys, `${ids[0]}.json`), join(keys, `${ids[1]}.json`));
      // Another one opens, so the key of this process is the right one.
      const which = { brandId: shop.brand.id, id: randomUUID() };
      await makeDataKey(localStore(join(keys, '../..')), testSealer, which);
    },
    /data key of snapshot .* damaged/,
  ],
  [
    'a key file that is none',
    2,
    ({ keys }) => writeFile(join(keys, `${ids[0]}.json`), '{'),
    /cannot be read/,
  ],
];

test.for(cases)('%s is found at level %i', async ([, level, damage, said]) => {
  expect((await found(level, damage)).join('\n')).toMatch(said);
});

test('keys that open nothing, and a store that has nothing of it, are no damage of a snapshot', async () => {
  const other = makeSealer([{ id: 'other', key: Buffer.alloc(32, 8) }]);
  await expect(found(2, async () => {}, other)).rejects.toMatchObject({
    code: 'NS_SNAPSHOT_KEYS',
    message: expect.stringMatching(
      /^Snapshot .* sealed with key test, which is not in NIGHTSHIFT_SECRET_KEYS/,
    ),
    hint: expect.stringContaining('Bring key test into NIGHTSHIFT_SECRET_KEYS'),
  });
  const namesake = makeSealer([{ id: 'test', key: Buffer.alloc(32, 8) }]);
  await expect(found(0, async () => {}, namesake)).rejects.toMatchObject({
    code: 'NS_SNAPSHOT_KEYS',
    message: expect.stringMatching(
      /^Key test of NIGHTSHIFT_SECRET_KEYS opens nothing that it should: .*keys of/,
    ),
  });
  const emptied = ({ keys }: Files) => rm(join(keys, '..'), { recursive: true });
  await expect(found(0, emptied)).rejects.toMatchObject({
    code: 'NS_SNAPSHOT_STORE',
    message: expect.stringContaining(`it has nothing of snapshot ${ids[0]}`),
    hint: expect.stringContaining(`NIGHTSHIFT_SNAPSHOT_DIR=${place.dir}`),
  });
});

test('the commands verify, keep what they found, and seal keys anew', async () => {
  const keys = `new:${Buffer.alloc(32, 9).toString('base64')},${TEST_KEYS}`;
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const verified = await nightshift(['snapshots', 'verify', ids[1].slice(0, 13), '--json'], { env });
  expect(verified).toMatchObject({ code: 0 });
  expect(verified.json()).toMatchObject([{ snapshot: ids[1], level: 2 }]);
  const rekeyed = await nightshift(['snapshots', 'rekey', '--json'], {
    env: { ...env, NIGHTSHIFT_SECRET_KEYS: keys },
  });
  expect(rekeyed.json()).toEqual([{ key_id: 'new', resealed: 2 }]);
  // The old key has gone, and the files are as they were.
  const rotated = { ...env, NIGHTSHIFT_SECRET_KEYS: keys.split(',')[0] ?? '' };
  expect(await nightshift(['snapshots', 'verify', '--latest'], { env: rotated })).toMatchObject({ code: 0 });

  const file = await fileOfTable(db, { brandId: shop.brand.id, id: ids[1] }, connections);
  await flip(join(place.dir, file));
  const damaged = await nightshift(['snapshots', 'verify', '--latest', '--level', '1'], { env: rotated });
  expect(damaged).toMatchObject({ code: 1 });
  expect(damaged.stderr).toContain(file);
  expect(await db.rows('select state, verified_level from bi.snapshots order by created_at')).toEqual([
    { state: 'complete', verified_level: null },
    { state: 'damaged', verified_level: null },
  ]);
  expect(await db.column("select outcome from ops.snapshot_runs where kind = 'verify' order by id")).toEqual([
    ...['succeeded', 'succeeded', 'failed'],
  ]);

  // A database that knows nothing takes all of it in again, and misses what the store has lost.
  await db.query('update ops.snapshot_parts set damaged_at = null, proved_at = null'); // which a store does not say
  const before = await db.rows('select * from ops.snapshot_parts order by 1, 2, 3, 4');
  await db.query('delete from ops.snapshots');
  const synced = await nightshift(['snapshots', 'sync', '--json'], { env: rotated });
  expect(synced.json()).toMatchObject([{ found: 'taken in' }, { found: 'taken in' }]);
  expect(await db.rows('select * from ops.snapshot_parts order by 1, 2, 3, 4')).toEqual(before);
  await rm(join(place.dir, shop.brand.id, 'manifests', `${ids[0]}.json`));
  const lost = await nightshift(['snapshots', 'sync', '--json'], { env: rotated });
  expect(lost).toMatchObject({ code: 6 });
  expect(lost.json()).toMatchObject([{ snapshot: ids[0], found: 'missing in the store' }]);
});
