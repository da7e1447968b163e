/** What each store promises, whatever it is made of. */
import { randomBytes } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { Store } from '#tasks/snapshots/store.ts';
import { aBucket, FULL_KEY, PART_BYTES, withKey } from '../support/snapshots/s3.ts';
import { aStore } from '../support/snapshots/snapshots.ts';

const [ACME, BRIO] = [
  '11111111-1111-4111-8111-111111111111',
  '22222222-2222-4222-8222-222222222222',
] as const;

type Opened = AsyncDisposable & { store: Store };

/** Three names in an answer: what is listed comes in several. */
async function aStoreOfS3(): Promise<Opened> {
  const bucket = await aBucket();
  const store = bucket.store({}, { pageKeys: 3 });
  return { store, [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose]() };
}

async function put(store: Store, name: string, content: Buffer | string): Promise<void> {
  await using draft = await store.draft(name.slice(0, ACME.length));
  await writeFile(draft.path, content, { flag: 'wx' });
  await store.put(name, draft);
  await store.settle();
}

async function listed(store: Store, folder: string): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const { name, bytes } of store.list(folder)) found.push([name, bytes]);
  return found.sort();
}

const kinds: [kind: string, open: () => Promise<Opened>][] = [
  ['a directory', aStore],
  ['a bucket', aStoreOfS3],
];

describe.each(kinds)('%s', (_, open) => {
  const law = (name: string, work: (store: Store) => Promise<unknown>) =>
    test(name, () =>
      withKey(FULL_KEY, async () => {
        await using opened = await open();
        await work(opened.store);
      }),
    );

  law('gives back what was put, of each size, and the last of a name', async (store) => {
    const name = `${ACME}/parts/one`;
    for (const size of [0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7]) {
      const content = randomBytes(size);
      await put(store, name, content);
      expect((await buffer(await store.read(name))).equals(content), `${size} bytes`).toBe(true);
      expect(await listed(store, `${ACME}/parts`)).toEqual([[name, size]]);
    }
  });

  law('lists the files of one folder, of one brand, however many there are', async (store) => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g.json'].map((name) => `${ACME}/parts/${name}`);
    for (const name of names) await put(store, name, name);
    const others = [
      `${ACME}/keys/g.json`,
      `${ACME}/parts-of-old/a`,
      `${BRIO}/parts/g.json`,
      `${BRIO}/parts/h`,
    ];
    for (const name of others) await put(store, name, 'x');
    expect(await listed(store, `${ACME}/parts`)).toEqual(names.map((name) => [name, name.length]));
    expect(await listed(store, `${BRIO}/parts`)).toEqual(others.slice(2).map((name) => [name, 1]));
    expect(await listed(store, `${BRIO}/keys`)).toEqual([]);
    expect(await store.brands()).toEqual([ACME, BRIO]);
  });

  law('has no brands at first, and none where it has only files of others', async (store) => {
    expect(await store.brands()).toEqual([]);
    expect(await listed(store, `${ACME}/parts`)).toEqual([]);
  });

  law(
    'says which file is missing, also once it was removed, and removes what is not there',
    async (store) => {
      const name = `${ACME}/manifests/one.json`;
      const missing = { code: 'NS_SNAPSHOT_DAMAGED', message: expect.stringContaining(`${name} is missing`) };
      await expect(store.read(name)).rejects.toMatchObject(missing);
      await put(store, name, 'x');
      await put(store, `${BRIO}/manifests/one.json`, 'y');
      await store.remove(name);
      await store.remove(name);
      await expect(store.read(name)).rejects.toMatchObject(missing);
      expect(await listed(store, `${BRIO}/manifests`)).toHaveLength(1);
    },
  );

  law('reaches nothing outside of it', async (store) => {
    const refused = { code: 'NS_SNAPSHOT_STORE' };
    for (const name of ['../x', `${ACME}/../../x`, `/${ACME}/x`, `${ACME}//x`, ''])
      await expect((async () => store.read(name))()).rejects.toMatchObject(refused);
  });

  law('can be left in the middle of a file', async (store) => {
    const name = `${ACME}/parts/large`;
    await put(store, name, randomBytes(2_000_000));
    const reading = await store.read(name);
    for await (const chunk of reading) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(reading.destroyed).toBe(true);
  });

  law('has drafts of a brand on this machine until they are put, left or cleared', async (store) => {
    const left = await store.draft(ACME);
    const other = await store.draft(BRIO);
    for (const { path } of [left, other]) await writeFile(path, 'x', { flag: 'wx' });
    expect((await stat(dirname(left.path))).mode & 0o777).toBe(0o700);
    await store.clearDrafts(ACME);
    await expect(stat(left.path)).rejects.toMatchObject({ code: 'ENOENT' });
    await stat(other.path);
    await other[Symbol.asyncDispose]();
    await expect(stat(other.path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('a directory whose listing breaks in the middle says which store it is', async () => {
  await using place = await aStore();
  for (const name of ['a', 'b']) await put(place.store, `${ACME}/parts/${name}`, name);
  const listing = place.store.list(`${ACME}/parts`)[Symbol.asyncIterator]();
  await listing.next();
  for (const name of ['a', 'b']) await place.store.remove(`${ACME}/parts/${name}`);
  await expect(listing.next()).rejects.toMatchObject({
    ...{ code: 'NS_SNAPSHOT_STORE', message: expect.stringContaining(place.dir) },
  });
});
