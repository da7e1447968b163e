/** Object storage that breaks, hangs, refuses, or holds other bytes than were put. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Store } from '#tasks/snapshots/store.ts';
import { fakeProvider, json } from '../../support/providers/provider.ts';
import {
  type Asked,
  aBucket,
  type Bucket,
  type Fault,
  FULL_KEY,
  type Key,
  PART_BYTES,
  PUT_KEY,
  withKey,
} from '../../support/snapshots/s3.ts';

const ACME = '11111111-1111-4111-8111-111111111111';
const NAME = `${ACME}/parts/one`;
const ATTEMPTS = 2; // of a store of a test
const HANGS_MS = 500;

let bucket: Bucket;

beforeAll(async () => {
  bucket = await aBucket();
});
afterAll(() => bucket[Symbol.asyncDispose]());
beforeEach(() => {
  bucket.gate(() => undefined);
  bucket.asked.length = 0;
});

async function put(store: Store, content: Buffer | string, signal?: AbortSignal): Promise<void> {
  await using draft = await store.draft(ACME);
  await writeFile(draft.path, content, { flag: 'wx' });
  await store.put(NAME, draft, signal);
}

const asFull = <T>(work: () => Promise<T>) => withKey(FULL_KEY, work);
const methods = () => bucket.asked.map(({ method }) => method);
const isPart = ({ method, path }: Asked) => method === 'PUT' && path.includes('partNumber=');

/** Once so many requests of a kind have met it, the fault is over. */
function faulty(fault: Fault, times: number, isMet: (asked: Asked) => boolean = () => true): void {
  let left = times;
  bucket.gate((asked) => (isMet(asked) && left-- > 0 ? fault : undefined));
}

test.for(['slow down', 'hang up', 'silence'] as const)(
  '%s: it is tried again, so often and no more',
  (fault) =>
    asFull(async () => {
      const store = bucket.store({}, { requestMs: fault === 'silence' ? HANGS_MS : 60_000 });
      faulty(fault, ATTEMPTS - 1);
      await put(store, 'once');
      expect(methods()).toEqual(Array(ATTEMPTS).fill('PUT'));
      faulty(fault, Number.POSITIVE_INFINITY);
      await expect(put(store, 'never')).rejects.toMatchObject({
        code: 'NS_SNAPSHOT_STORE',
        verdict: 'retry',
      });
      expect(methods()).toHaveLength(2 * ATTEMPTS);
      bucket.gate(() => undefined);
      expect(String(await buffer(await store.read(NAME)))).toBe('once');
    }),
);

test('a large file goes in parts; one that fails is sent again, and a server that keeps failing keeps nothing', () =>
  asFull(async () => {
    const store = bucket.store();
    const content = randomBytes(2 * PART_BYTES + 5);
    faulty('hang up', 1, isPart);
    await put(store, content);
    expect((await buffer(await store.read(NAME))).equals(content)).toBe(true);
    expect(bucket.asked.filter(isPart)).toHaveLength(4);

    bucket.asked.length = 0;
    faulty(
      'slow down',
      Number.POSITIVE_INFINITY,
      (asked) => isPart(asked) && asked.path.includes('partNumber=3'),
    );
    await expect(put(store, randomBytes(3 * PART_BYTES))).rejects.toMatchObject({
      message: expect.stringContaining('UploadPart'),
    });
    expect(bucket.asked.at(-1)).toMatchObject({
      method: 'DELETE',
      path: expect.stringContaining('uploadId='),
    });
    expect(methods().filter((method) => method === 'POST')).toHaveLength(1); // begun, and not completed
    expect((await buffer(await store.read(NAME))).equals(content)).toBe(true);
  }));

test.for([
  ['a small file', 10, ({ method }: Asked) => method === 'PUT'],
  ['a part of a large one', 2 * PART_BYTES, isPart],
  ['the begin of a large one', 2 * PART_BYTES, ({ path }: Asked) => /[?&]uploads(=|&|$)/.test(path)],
  [
    'the end of a large one',
    2 * PART_BYTES,
    ({ method, path }: Asked) => method === 'POST' && path.includes('uploadId='),
  ],
] as const)('who is stopped ends the upload at once: %s', ([what, bytes, isMet]) =>
  asFull(async () => {
    // Nothing but the signal ends it.
    const store = bucket.store({}, { requestMs: 3_600_000, idleMs: 3_600_000 });
    const stopping = new AbortController();
    const stopped = new Error('the worker stops');
    bucket.gate((asked) => {
      if (!isMet(asked)) return undefined;
      stopping.abort(stopped);
      return 'silence';
    });
    await expect(put(store, randomBytes(bytes), stopping.signal)).rejects.toBe(stopped);
    const begun = what.endsWith('large one') && !what.startsWith('the begin');
    const forgotten = bucket.asked.filter(({ method }) => method === 'DELETE');
    expect(forgotten).toHaveLength(begun ? 1 : 0);
    bucket.asked.length = 0;
    await expect(put(store, 'late', stopping.signal)).rejects.toBe(stopped);
    expect(bucket.asked).toEqual([]);
  }),
);

test('no more parts are in memory than may be', () =>
  asFull(async () => {
    faulty('silence', Number.POSITIVE_INFINITY, isPart);
    const store = bucket.store({}, { partsAtOnce: 2, attempts: 1, requestMs: HANGS_MS });
    await expect(put(store, randomBytes(5 * PART_BYTES))).rejects.toThrow('UploadPart got no answer');
    expect(bucket.asked.filter(isPart)).toHaveLength(2);
  }));

test.for([{ cutAt: 300_000 }, { stallAt: 300_000 }])(
  'an answer that breaks off (%o) is read to its end, a few times',
  (fault) =>
    asFull(async () => {
      const store = bucket.store({}, { idleMs: 'stallAt' in fault ? HANGS_MS : 60_000 });
      const content = randomBytes(1_000_000);
      await put(store, content);
      faulty(fault, 2, ({ method }) => method === 'GET');
      expect((await buffer(await store.read(NAME))).equals(content)).toBe(true);
      const ranges = bucket.asked.map(({ headers }) => headers.range).filter(Boolean);
      expect(ranges).toEqual(['bytes=300000-', 'bytes=600000-']);

      // What begins anew is not the rest.
      let asked = 0;
      bucket.gate(() => (asked++ === 0 ? { cutAt: 300_000 } : 'no range'));
      const anew = await store.read(NAME);
      await expect(buffer(anew)).rejects.toMatchObject({ message: expect.stringContaining('gone on with') });

      faulty({ cutAt: 10 }, Number.POSITIVE_INFINITY);
      const reading = await store.read(NAME);
      await expect(buffer(reading)).rejects.toMatchObject({ code: 'NS_SNAPSHOT_STORE' });
      // The rest of a file that was replaced meanwhile is not of the same one.
      faulty({ cutAt: 10 }, 1);
      const other = await store.read(NAME);
      await put(store, randomBytes(1_000_000));
      await expect(buffer(other)).rejects.toMatchObject({ code: 'NS_SNAPSHOT_STORE' });
    }),
);

type Wrong = [what: string, key: Key | undefined, place: object, said: RegExp, hint: RegExp];
const unknown: Key = { id: 'AKIAUNKNOWN', secret: 'unknown-secret' };

const wrongs: Wrong[] = [
  ['a key that nobody knows', unknown, {}, /does not accept the key/, /AWS_ACCESS_KEY_ID/],
  [
    'a wrong secret',
    { ...FULL_KEY, secret: 'wrong-secret' },
    {},
    /does not accept the key/,
    /AWS_ACCESS_KEY_ID/,
  ],
  ['no key', undefined, {}, /has no key/, /AWS_ACCESS_KEY_ID/],
  [
    'a bucket that is not there',
    FULL_KEY,
    { bucket: 'nowhere' },
    /no bucket nowhere/,
    /NIGHTSHIFT_SNAPSHOT_STORE/,
  ],
  [
    'nobody there',
    FULL_KEY,
    { endpoint: 'http://127.0.0.1:9' },
    /got no answer/,
    /NIGHTSHIFT_SNAPSHOT_ENDPOINT/,
  ],
  ['no region', FULL_KEY, { endpoint: undefined }, /region is not known/, /NIGHTSHIFT_SNAPSHOT_REGION/],
];

test.for(wrongs)('%s is said, with what to do, and never with a key', ([, key, place, said, hint]) =>
  withKey(key, async () => {
    const store = bucket.store(place);
    const failed = await put(store, 'x').catch((error) => error);
    expect(failed).toMatchObject({
      ...{ code: 'NS_SNAPSHOT_STORE', message: expect.stringMatching(said) },
      hint: expect.stringMatching(hint),
    });
    const all = JSON.stringify([
      failed,
      String(failed.stack),
      failed.message,
      failed.context,
      String(failed.cause),
    ]);
    for (const one of [FULL_KEY, unknown, { id: unknown.id, secret: 'wrong-secret' }])
      for (const text of [one.id, one.secret]) expect(all).not.toContain(text);
    expect(typeof failed.cause).toBe('string'); // the error of the SDK has them in its fields
  }),
);

test.for([
  [200, '<html>a console</html>', /does not speak S3/, /NIGHTSHIFT_SNAPSHOT_ENDPOINT/],
  [200, '<html><p>half', /does not speak S3/, /NIGHTSHIFT_SNAPSHOT_ENDPOINT/],
  [405, '', /does not speak S3/, /NIGHTSHIFT_SNAPSHOT_ENDPOINT/],
  [301, 'PermanentRedirect', /in another region/, /NIGHTSHIFT_SNAPSHOT_REGION/],
  [403, 'RequestTimeTooSkewed', /clock of this host/, /clock/],
  [507, 'InsufficientStorage', /PutObject failed \(InsufficientStorage: as it says\)/, /tried again/],
] as const)('an answer of %i %s is no success, and said', ([code, body, said, hint]) =>
  asFull(async () => {
    const text = `<?xml version="1.0"?><Error><Code>${body}</Code><Message>as it says</Message></Error>`;
    await using server = await fakeProvider(json(/^\w+$/.test(body) ? text : body, { status: code }));
    const store = bucket.store({ endpoint: server.url }, { attempts: 1 });
    await expect(put(store, 'x')).rejects.toMatchObject({
      ...{ code: 'NS_SNAPSHOT_STORE', message: expect.stringMatching(said) },
      hint: expect.stringMatching(hint),
    });
  }),
);

test('a key that may only put is told what it may not do', async () => {
  const store = bucket.store();
  await withKey(PUT_KEY, async () => {
    await put(store, 'x');
    const refused = (doing: string) => ({
      ...{ code: 'NS_SNAPSHOT_STORE', message: expect.stringContaining(`may not do ${doing}`) },
      hint: expect.stringContaining('policy'),
    });
    await expect(store.read(NAME)).rejects.toMatchObject(refused('GetObject'));
    await expect(store.brands()).rejects.toMatchObject(refused('ListObjectsV2'));
    await expect(store.remove(NAME)).rejects.toMatchObject(refused('DeleteObject'));
  });
});

test('two prefixes of a bucket are two stores', () =>
  asFull(async () => {
    const [one, other, none] = ['one', 'one/deeper', ''].map((prefix) => bucket.store({ prefix }));
    if (!one || !other || !none) throw new Error('a store is missing');
    await put(one, 'of one');
    await put(other, 'of the other');
    await put(none, 'of none');
    for (const [store, content] of [
      [one, 'of one'],
      [other, 'of the other'],
      [none, 'of none'],
    ] as const) {
      expect(String(await buffer(await store.read(NAME)))).toBe(content);
      expect(await store.brands()).toEqual([ACME]);
    }
    expect([one.place, other.place, none.place]).toEqual([
      ...['s3://backups/one', 's3://backups/one/deeper', 's3://backups'],
    ]);
  }));
