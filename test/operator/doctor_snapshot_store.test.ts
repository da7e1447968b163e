/** `doctor` asks the store of snapshots, where brands have some in it, and leaves nothing there. */
import { readdir, rename } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '#runtime/config.ts';
import { runChecks } from '../../bin/cli/doctor/check.ts';
import { storeWithin } from '../../bin/cli/doctor/snapshots/store.ts';
import type { Session } from '../../bin/cli/shared/session.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { examine } from '../support/doctor.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';
import { aBucket, FULL_KEY, type Key, PUT_KEY, withKey } from '../support/snapshots/s3.ts';
import { aStore, makeSnapshot } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let shops: Shop[];

beforeAll(async () => {
  db = await freshDb();
  shops = await twoShops(db);
});
afterAll(() => db[Symbol.asyncDispose]());

const findings = async (env: Record<string, string>) =>
  (await examine(db, env)).checks.filter(({ check }) => check === 'snapshot store');

test('a directory: none of it is asked for without snapshots, and what is lost is named', async () => {
  await using place = await aStore();
  const env = { NIGHTSHIFT_SNAPSHOT_DIR: place.dir };
  const nothing = { severity: 'ok', evidence: `no brand has a snapshot in ${place.dir}` };
  expect(await findings(env)).toMatchObject([nothing]);
  for (const { brand } of shops) await makeSnapshot(db, place.store, brand, { scope: 'aggregates' });
  const files = await place.files();
  expect(await findings(env)).toMatchObject([
    { severity: 'ok', evidence: `${place.dir}, with snapshots of 2 brands, can be written and listed` },
  ]);
  expect(await place.files()).toEqual(files);
  expect((await readdir(place.dir)).sort()).toEqual(shops.map(({ brand }) => brand.id).sort());

  const [lost] = shops as [Shop];
  await rename(`${place.dir}/${lost.brand.id}`, `${place.dir}/elsewhere`);
  expect(await findings(env)).toMatchObject([
    {
      severity: 'failure',
      evidence: `${place.dir} has nothing of ${lost.brand.slug}, who has snapshots in it by the catalogue.`,
      mend: expect.stringContaining('NIGHTSHIFT_SNAPSHOT_DIR'),
    },
  ]);
  await rename(place.dir, `${place.dir}-away`);
  expect(await findings(env)).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining(place.dir) },
  ]);
  await rename(`${place.dir}-away`, place.dir);
});

const KEYS: [who: string, key: Key, refuses: string | undefined, said: object][] = [
  ['may do all', FULL_KEY, undefined, { severity: 'ok', evidence: /can be written and listed$/ }],
  ['may only put', PUT_KEY, undefined, { severity: 'ok', evidence: /can be written, and not listed$/ }],
  ['may not write', FULL_KEY, 'POST', { severity: 'warning', evidence: /be listed, but not be written/ }],
  [
    'is unknown',
    { id: 'AKIAUNKNOWN', secret: 'unknown' },
    undefined,
    { severity: 'failure', evidence: /does not accept/ },
  ],
];

test.each(KEYS)('a bucket, with a key that %s', async (_, key, refuses, said) => {
  await using bucket = await aBucket();
  const [{ brand }] = shops as [Shop];
  await withKey(FULL_KEY, () => makeSnapshot(db, bucket.store(), brand, { scope: 'aggregates' }));
  bucket.asked.length = 0;
  bucket.gate(({ method }) => (method === refuses ? 'refuse' : undefined));
  const found = await withKey(key, () => findings(bucket.env));
  const { severity, evidence } = said as { severity: string; evidence: RegExp };
  expect(found).toMatchObject([{ severity, evidence: expect.stringMatching(evidence) }]);
  for (const part of [key.id, key.secret]) expect(JSON.stringify(found)).not.toContain(part);
  // Whatever it began it has ended, and nothing was put.
  expect(bucket.asked.map(({ method }) => method)).not.toContain('PUT');
  if (severity === 'ok') expect(bucket.asked.at(-1)?.method).toBe('DELETE');
});

test('one that does not answer is said to be so, in time', async () => {
  await using bucket = await aBucket();
  const [{ brand }] = shops as [Shop];
  await withKey(FULL_KEY, async () => {
    await makeSnapshot(db, bucket.store(), brand, { scope: 'aggregates' });
    bucket.gate(() => 'silence');
    const config = readConfig({ DATABASE_URL: db.url, ...bucket.env });
    const session = { url: db.url, embedded: false, config } as unknown as Session;
    expect(
      await runChecks([storeWithin(500)], session, { schemaFits: true, asksProviders: false }),
    ).toMatchObject([{ severity: 'failure', evidence: expect.stringContaining('did not answer within') }]);
  });
});
