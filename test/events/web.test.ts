/** POST /events/<brand>: what is signed is stored for good before it is answered, once, however often it comes. */
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { addKey, removeKey } from '#sql/events/keys.ts';
import { lockEvents } from '#sql/events/lock.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aFile, anEvent, aSender, ndjson } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { TEST_KEYS, testSealer } from '../support/rows/factory.ts';
import { aDoor } from '../support/webhooks/door.ts';

const SECRET = 'a secret of the sender of these tests';
const now = () => Math.floor(Date.now() / 1000);
const happened = () => new Date().toISOString();

function signed(
  slug: string,
  body: string | Buffer<ArrayBuffer>,
  { secret = SECRET, at = String(now()) } = {},
) {
  const signature = createHmac('sha256', secret).update(`${at}.${slug}.`).update(body).digest('hex');
  return { method: 'POST', body, headers: { 'nightshift-timestamp': at, 'nightshift-signature': signature } };
}

test('events are stored once and computed, of two brands with the same ids each its own', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSender(db), await aSender(db)];
  for (const { brandId } of [one, other])
    await db.transaction((tx) =>
      addKey(tx, testSealer, { brandId, name: 'web', secret: `${SECRET} ${brandId}` }),
    );
  await using door = await aDoor(db);
  const send = async (
    { brand, brandId }: typeof one,
    body: string | Buffer<ArrayBuffer>,
    secret = `${SECRET} ${brandId}`,
  ) => {
    const answer = await fetch(`${door.url}/events/${brand.slug}`, signed(brand.slug, body, { secret }));
    return [answer.status, answer.status === 401 ? await answer.text() : await answer.json()];
  };
  const events = [
    anEvent('download', { id: '1', retailer: 'uk', happened_at: happened() }),
    anEvent('scan', { id: '2', happened_at: happened() }),
  ];
  const done = { stored: 2, known: 0, conflicts: [] };
  expect(await send(one, ndjson(events))).toEqual([200, done]);
  expect(await send(other, JSON.stringify(events))).toEqual([200, done]);
  expect(await send(one, JSON.stringify([...events, { ...events[0], asset: 'x' }]))).toEqual([
    200,
    { stored: 0, known: 3, conflicts: ['1'] },
  ]);
  expect(await db.column("select count(*) from ops.jobs where task = 'rollup'")).toEqual([2]);
  await one.roll();
  expect(await one.figures('daily_assets', 'retailer, downloads')).toEqual([
    { retailer: 'uk', downloads: 1 },
  ]);

  // Whole or not at all, with what is wrong.
  const bad = [anEvent('scan', { id: '3', happened_at: happened() }), { ...events[1], id: '4', colour: 1 }];
  expect(await send(one, ndjson(bad))).toEqual([
    422,
    { faults: ['line 2, colour: is no field of this kind'], count: 1 },
  ]);
  expect(await send(one, '{"id"')).toEqual([422, { faults: ['line 1: is not JSON'], count: 1 }]);
  expect(await send(one, '[1')).toMatchObject([422, {}]);
  expect(await send(one, Buffer.from([0x5b, 0xff, 0x5d]))).toMatchObject([
    422,
    { faults: ['the body is not UTF-8'] },
  ]);
  expect(await db.column('select count(*) from raw.event_ids where brand_id = $1', [one.brandId])).toEqual([
    2,
  ]);

  // The key of another brand, and one that is gone.
  expect(await send(one, '', `${SECRET} ${other.brandId}`)).toEqual([401, '']);
  await db.transaction((tx) => removeKey(tx, one.brandId, 'web'));
  await eventually(async () => expect(await send(one, ndjson(events))).toEqual([401, '']));
});

test('what is unsigned, late, changed or of nobody gets the same answer, and nothing is stored', async () => {
  await using db = await freshDb();
  const [{ brand, brandId }, other] = [await aSender(db), await aSender(db)];
  for (const one of [brandId, other.brandId])
    await db.transaction((tx) => addKey(tx, testSealer, { brandId: one, name: 'web', secret: SECRET }));
  await using door = await aDoor(db);
  const body = ndjson([anEvent('scan', { happened_at: happened() })]);
  const good = signed(brand.slug, body);
  const attempts: [string, RequestInit][] = [
    [brand.slug, { method: 'POST', body }],
    [brand.slug, signed(brand.slug, body, { secret: 'another' })],
    [brand.slug, signed(brand.slug, body, { at: String(now() - 301) })],
    [brand.slug, signed(brand.slug, body, { at: String(now() + 302) })],
    [brand.slug, { ...good, body: `${body} ` }],
    [brand.slug, { ...good, headers: { ...good.headers, 'nightshift-timestamp': String(now() - 1) } }],
    [brand.slug, { ...good, headers: { ...good.headers, 'nightshift-signature': 'x' } }],
    [other.brand.slug, good], // which has the same secret
    ['nobody', signed('nobody', body)],
  ];
  for (const [slug, request] of attempts) {
    const answer = await fetch(`${door.url}/events/${slug}`, request);
    expect([answer.status, await answer.text()]).toEqual([401, '']);
  }
  for (const slug of [brand.slug, 'nobody']) {
    const large = await fetch(`${door.url}/events/${slug}`, signed(slug, 'x'.repeat(4 * 1024 * 1024 + 1)));
    expect(large.status).toBe(413);
  }
  expect((await fetch(`${door.url}/events/${brand.slug}`)).status).toBe(404);
  expect(await db.column('select count(*) from raw.event_ids')).toEqual([0]);
});

test('requests wait for no import: those of its brand are answered at once, those of others are stored', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSender(db), await aSender(db)];
  for (const { brandId } of [one, other])
    await db.transaction((tx) => addKey(tx, testSealer, { brandId, name: 'web', secret: SECRET }));
  await using door = await aDoor(db);
  const body = ndjson([anEvent('scan', { happened_at: happened() })]);
  const send = async ({ brand }: typeof one) => {
    const answer = await fetch(`${door.url}/events/${brand.slug}`, signed(brand.slug, body));
    await answer.body?.cancel();
    return [answer.status, answer.headers.get('retry-after')];
  };
  await db.transaction(async (tx) => {
    await lockEvents(tx, one.brandId);
    expect(await send(one)).toEqual([503, '5']);
    expect(await send(other)).toEqual([200, null]);
  });
  expect(await send(one)).toEqual([200, null]);
});

test('the example of docs/operations.md works', async () => {
  await using db = await freshDb();
  const { brand } = await aSender(db);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const made = await nightshift(['events', 'keys', 'add', 'web-shop', '--brand', brand.slug, '--json'], {
    env,
  });
  const [{ secret = '' } = {}] = made.json() as { secret?: string }[];
  const docs = await readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const [, example = ''] = /```sh\n(at=\$\(date[^`]*)```/.exec(docs) ?? [];
  expect(example).toContain('openssl dgst');
  await using file = await aFile(
    'events.ndjson',
    ndjson([anEvent('page_view', { happened_at: happened() })]),
  );
  await using door = await aDoor(db);
  const line = example
    .replace('brand=acme', `brand=${brand.slug}`)
    .replace('https://nightshift.example', door.url)
    .replaceAll('events.ndjson', file.path);
  const { stdout } = await promisify(execFile)('sh', ['-c', line], {
    env: { ...process.env, SECRET: secret },
  });
  expect(JSON.parse(stdout)).toEqual({ stored: 1, known: 0, conflicts: [] });
});
