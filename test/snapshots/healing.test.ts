/** What a verification found damaged, the next snapshot stores anew; what came back is used again. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { findSnapshot } from '#sql/snapshots/catalogue.ts';
import { resealAll } from '#sql/tenants/reseal.ts';
import { sealer as makeSealer } from '#sql/tenants/secrets.ts';
import { verifyRecorded } from '#tasks/snapshots/verify_recorded.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, TEST_KEYS, testKey, testSealer, twoShops } from '../support/rows/factory.ts';
import { aBucket, FULL_KEY, PUT_KEY, withKey } from '../support/snapshots/s3.ts';
import { aStore, fileOfTable, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let shops: [Shop, Shop];

beforeAll(async () => {
  db = await freshDb();
  shops = (await twoShops(db)) as [Shop, Shop];
  return () => db[Symbol.asyncDispose]();
});
beforeEach(() => db.query('delete from ops.snapshots'));

const TABLE = 'app.connections';
const make = ({ store }: Pick<StoreDir, 'store'>, { brand }: Shop) =>
  makeSnapshot(db, store, brand, { scope: 'aggregates' });
const fresh = ({ parts }: Awaited<ReturnType<typeof make>>) =>
  parts.filter(({ isNew }) => isNew).map(({ table }) => table);
const damaged = () =>
  db.column('select distinct table_name from ops.snapshot_parts where damaged_at is not null');

async function verify({ store }: Pick<StoreDir, 'store'>, id: string, level: number, sealer = testSealer) {
  const snapshot = await findSnapshot(db, id);
  const place = { db, url: db.url, streams: [], limitSeconds: 60 };
  return verifyRecorded({ db, store, sealer, snapshot, level, place }).catch((error) => error.code);
}

test('a changed file is stored anew by the next snapshot, of its brand only; once it is back it is used again', async () => {
  await using place = await aStore();
  const [acme, brio] = shops;
  const first = await make(place, acme);
  const foreign = await make(place, brio);
  const path = join(place.dir, await fileOfTable(db, { brandId: acme.brand.id, id: first.id }, TABLE));
  const content = await readFile(path);
  const changed = Buffer.from(content);
  changed[100] = (changed[100] ?? 0) ^ 1;
  await writeFile(path, changed);

  expect(await verify(place, first.id, 0)).toMatchObject({ damages: [] }); // it is as large as it was
  expect(await verify(place, first.id, 1)).toBe('NS_SNAPSHOT_DAMAGED');
  expect(await damaged()).toEqual([TABLE]);
  expect(await verify(place, foreign.id, 1)).toMatchObject({ damages: [] });
  const second = await make(place, acme);
  expect(fresh(second)).toEqual([TABLE]);
  expect(await verify(place, second.id, 2)).toMatchObject({ damages: [] });
  expect(fresh(await make(place, brio))).toEqual([]);

  await writeFile(path, content);
  await verify(place, first.id, 0); // says nothing of its bytes
  expect(await damaged()).toEqual([TABLE]);
  await verify(place, first.id, 1); // nor whether their keys open them
  expect(await damaged()).toEqual([TABLE]);
  expect(await verify(place, first.id, 2)).toMatchObject({ damages: [] });
  expect(await damaged()).toEqual([]);
});

type KeyFile = { format: number; sealed: string; key_id: string };

async function changeKey(place: StoreDir, shop: Shop, id: string, change: (file: KeyFile) => KeyFile) {
  const path = join(place.dir, shop.brand.id, 'keys', `${id}.json`);
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')))));
}

const withChangedBit = (file: KeyFile): KeyFile => {
  const bytes = Buffer.from(file.sealed, 'base64');
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  return { ...file, sealed: bytes.toString('base64') };
};
const withOtherName = (file: KeyFile): KeyFile => ({ ...file, key_id: 'tesu' });
const newer = { id: 'newer', key: Buffer.alloc(32, 9) };
const tables = ({ parts }: Awaited<ReturnType<typeof make>>) => parts.map(({ table }) => table).sort();

test.for([
  ['a changed bit', withChangedBit],
  ['another name of its key', withOtherName],
] as const)(
  '%s in the key file of the only snapshot is damage, and the next one has a fresh key',
  async ([, change]) => {
    await using place = await aStore();
    const [acme, brio] = shops;
    const first = await make(place, acme);
    const foreign = await make(place, brio);
    const namesake = makeSealer([{ id: testSealer.keyId ?? '', key: Buffer.alloc(32, 8) }]);
    expect(await verify(place, first.id, 2, namesake)).toBe('NS_SNAPSHOT_KEYS'); // it opens no secret either
    await changeKey(place, acme, first.id, change);
    for (const level of [0, 2, 3]) expect(await verify(place, first.id, level)).toBe('NS_SNAPSHOT_DAMAGED');
    const second = await make(place, acme);
    expect(fresh(second).sort()).toEqual(tables(first));
    for (const level of [2, 3]) expect(await verify(place, second.id, level)).toMatchObject({ damages: [] });
    expect(await verify(place, foreign.id, 2)).toMatchObject({ damages: [] });
    expect(fresh(await make(place, brio))).toEqual([]);
  },
);

test.for([2, 3])(
  'at level %i: the key file of an older snapshot, the last one that an older key has sealed',
  async (level) => {
    await using place = await aStore();
    const [acme] = shops;
    const rotated = makeSealer([newer, testKey]);
    const first = await make(place, acme);
    const second = await makeSnapshot(db, place.store, acme.brand, { scope: 'aggregates', sealer: rotated });
    expect(fresh(second)).toEqual([]);
    await resealAll(db, rotated);
    try {
      await changeKey(place, acme, first.id, withChangedBit);
      expect(await verify(place, second.id, 1, rotated)).toMatchObject({ damages: [] }); // opens no other key
      expect(await verify(place, second.id, level, rotated)).toBe('NS_SNAPSHOT_DAMAGED');
      const whole = { scope: 'aggregates' as const, sealer: rotated };
      expect(await verify(place, second.id, 1, rotated)).toMatchObject({ damages: [] });
      const third = await makeSnapshot(db, place.store, acme.brand, whole);
      expect(fresh(third).sort()).toEqual(tables(first));
      expect(await verify(place, third.id, level, rotated)).toMatchObject({ damages: [] });
    } finally {
      await resealAll(db, makeSealer([testKey, newer]));
    }
  },
);

// A drill restores, and reads no file for itself.
test('what a restore finds changed is stored anew too', async () => {
  await using place = await aStore();
  const [acme] = shops;
  const first = await make(place, acme);
  const path = join(place.dir, await fileOfTable(db, { brandId: acme.brand.id, id: first.id }, TABLE));
  const changed = await readFile(path);
  changed[100] = (changed[100] ?? 0) ^ 1;
  await writeFile(path, changed);
  expect(await verify(place, first.id, 3)).toBe('NS_SNAPSHOT_DAMAGED');
  expect(fresh(await make(place, acme))).toEqual([TABLE]);
});

test('a missing file, and a lost key with all that it opens, are stored anew by a key that may only put', async () => {
  await using bucket = await aBucket();
  const [acme] = shops;
  const which = async () => ({ store: bucket.store() });
  const making = () => withKey(PUT_KEY, async () => make(await which(), acme));
  const checking = (id: string) => withKey(FULL_KEY, async () => verify(await which(), id, 2));
  const first = await making();
  const lose = (name: string) => withKey(FULL_KEY, () => bucket.store().remove(name));
  await lose(await fileOfTable(db, { brandId: acme.brand.id, id: first.id }, TABLE));
  expect(fresh(await making())).toEqual([]); // nobody has looked yet
  expect(await checking(first.id)).toBe('NS_SNAPSHOT_DAMAGED');
  const second = await making();
  expect(fresh(second)).toEqual([TABLE]);
  expect(await checking(second.id)).toMatchObject({ damages: [] });

  await lose(`${acme.brand.id}/keys/${first.id}.json`);
  expect(await checking(second.id)).toBe('NS_SNAPSHOT_DAMAGED');
  const third = await making();
  expect(fresh(third).sort()).toEqual(
    first.parts
      .map(({ table }) => table)
      .filter((table) => table !== TABLE)
      .sort(),
  );
  expect(await checking(third.id)).toMatchObject({ damages: [] });
});

test('files that an older copy of the database still names are stored anew once sync has missed them', async () => {
  await using bucket = await aBucket();
  const [acme, brio] = shops;
  const making = (shop: Shop) => withKey(PUT_KEY, () => make({ store: bucket.store() }, shop));
  const [first] = [await making(acme), await making(brio)];
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS, ...bucket.env };
  const sync = () => withKey(FULL_KEY, () => nightshift(['snapshots', 'sync', '--json'], { env }));
  expect((await sync()).json()).toEqual([]);
  const lost = await fileOfTable(db, { brandId: acme.brand.id, id: first.id }, TABLE);
  await withKey(FULL_KEY, () => bucket.store().remove(lost));
  const synced = await sync();
  expect(synced.json()).toMatchObject([{ snapshot: first.id, found: 'lacks files' }]);
  expect(synced).toMatchObject({ code: 6 });
  expect(fresh(await making(acme))).toEqual([TABLE]);
  expect(fresh(await making(brio))).toEqual([]);
});

test('what is wrong with a process is recorded of its run, and nothing of the snapshot', async () => {
  await using place = await aStore();
  await using elsewhere = await aStore();
  const [acme, brio] = shops;
  const { id } = await make(place, acme);
  await make(place, brio);
  await verify(place, id, 2);
  const states = () =>
    db.rows('select id, state, verified_level, verified_at, damage from ops.snapshots order by 1');
  const before = await states();
  const other = makeSealer([{ id: 'other', key: Buffer.alloc(32, 8) }]);
  const namesake = makeSealer([{ id: testSealer.keyId ?? '', key: Buffer.alloc(32, 8) }]);
  for (const level of [0, 2, 3]) {
    expect(await verify(place, id, level, other)).toBe('NS_SNAPSHOT_KEYS');
    expect(await verify(place, id, level, namesake)).toBe('NS_SNAPSHOT_KEYS');
    expect(await verify(elsewhere, id, level)).toBe('NS_SNAPSHOT_STORE');
  }
  expect(await states()).toEqual(before);
  expect(await damaged()).toEqual([]);
  expect(
    await db.column(
      `select distinct outcome || ' ' || error_code from ops.snapshot_runs
       where snapshot_id = $1 and level <> 2 order by 1`,
      [id],
    ),
  ).toEqual(['failed NS_SNAPSHOT_KEYS', 'failed NS_SNAPSHOT_STORE']);
  expect(fresh(await make(place, acme))).toEqual([]);
});

// A key that was rotated and taken away opens what is new, and no file of before.
test('a key that is lacking for older files alone is no damage either', async () => {
  await using place = await aStore();
  const [acme] = shops;
  await make(place, acme);
  const sealer = makeSealer([newer]);
  const { id } = await makeSnapshot(db, place.store, acme.brand, { scope: 'aggregates', sealer });
  for (const level of [2, 3]) expect(await verify(place, id, level, sealer)).toBe('NS_SNAPSHOT_KEYS');
  expect(await verify(place, id, 1, sealer)).toMatchObject({ damages: [] }); // needs no other key
  expect(await damaged()).toEqual([]);
});
