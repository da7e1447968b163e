import { inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { stripeDir } from '../support/providers/stripe.ts';

const FEED = 'ecb/stats/eurofxref';

async function sandboxAt(now: string, files: Record<string, string> = {}) {
  const data = await stripeDir(files, { now });
  const sandbox = await startSandbox({ data: data.dir });
  await data[Symbol.asyncDispose]();
  return sandbox;
}

async function get({ url }: { url: string }, file: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${url}/${FEED}/${file}`, { headers });
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
}

/** The one file of a zip, read by the directory at its end as other programs do. */
function unzip(zip: Buffer): { name: string; text: string } {
  const end = zip.length - 22;
  expect(zip.readUInt32LE(end)).toBe(0x06054b50);
  const central = zip.readUInt32LE(end + 16);
  expect(zip.readUInt32LE(central)).toBe(0x02014b50);
  const [packed, length, nameLength, at] = [20, 24, 28, 42].map((offset) =>
    offset === 28 ? zip.readUInt16LE(central + offset) : zip.readUInt32LE(central + offset),
  ) as [number, number, number, number];
  const start = at + 30 + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
  const text = inflateRawSync(zip.subarray(start, start + packed)).toString('utf8');
  expect(text.length).toBe(length);
  return { name: zip.toString('utf8', central + 46, central + 46 + nameLength), text };
}

test('the history is the real one, up to what was published at the instant', async () => {
  await using sandbox = await sandboxAt('2018-06-30T08:00:00Z');
  const { status, body } = await get(sandbox, 'eurofxref-hist.zip');
  const { name, text } = unzip(body);
  const [header, newest, ...older] = text.trimEnd().split('\n');
  expect([status, name]).toEqual([200, 'eurofxref-hist.csv']);
  expect(header).toMatch(/^Date,USD,JPY,.*,ZAR,$/);
  expect(newest).toMatch(/^2018-06-29,1\.1658,129\.04,1\.9558,N\/A,26\.02,.*,$/);
  expect([older.length, older.at(-1)?.slice(0, 17)]).toEqual([4_990, '1999-01-04,1.1789']);
});

test('the day of today comes at four in Frankfurt, in summer and in winter', async () => {
  const newest = async (now: string) => {
    await using sandbox = await sandboxAt(now);
    return /time='([^']+)'/.exec((await get(sandbox, 'eurofxref-daily.xml')).body.toString())?.[1];
  };
  expect(await newest('2018-06-29T13:59:59Z')).toBe('2018-06-28');
  expect(await newest('2018-06-29T14:00:00Z')).toBe('2018-06-29');
  expect(await newest('2018-01-31T14:59:59Z')).toBe('2018-01-30');
  expect(await newest('2018-01-31T15:00:00Z')).toBe('2018-01-31');
  expect(await newest('2018-07-01T20:00:00Z')).toBe('2018-06-29'); // a Sunday
});

test('the two XML files say the same in their own ways', async () => {
  await using sandbox = await sandboxAt('2025-02-25T18:00:00Z');
  const daily = (await get(sandbox, 'eurofxref-daily.xml')).body.toString();
  const recent = (await get(sandbox, 'eurofxref-hist-90d.xml')).body.toString();
  expect(daily).toContain("\n\t\t\t<Cube currency='HUF' rate='401.20'/>\n");
  expect(recent).toContain('<Cube time="2025-02-25"><Cube currency="USD" rate="1.0497"/>');
  expect(recent).toContain('<Cube currency="HUF" rate="401.2"/>');
  expect(daily).not.toContain('RUB');
  const days = [...recent.matchAll(/time="([^"]+)"/g)].map(([, day]) => day);
  expect([days.length, days[0], days.at(-1)]).toEqual([62, '2025-02-25', '2024-11-27']);
});

test('who has the newest state is told so, until there is a newer one', async () => {
  await using sandbox = await sandboxAt('2018-06-29T20:00:00Z');
  const { headers } = await get(sandbox, 'eurofxref-hist.zip');
  const etag = String(headers.get('etag'));
  expect(headers.get('last-modified')).toBe('Fri, 29 Jun 2018 14:00:00 GMT');
  expect(await get(sandbox, 'eurofxref-hist.zip', { 'if-none-match': etag })).toMatchObject({ status: 304 });
  const since = 'Fri, 29 Jun 2018 14:00:00 GMT';
  const known = await get(sandbox, 'eurofxref-hist.zip', { 'if-modified-since': since });
  expect([known.status, known.body.length]).toEqual([304, 0]);
  await using later = await sandboxAt('2018-07-02T20:00:00Z');
  expect(await get(later, 'eurofxref-hist.zip', { 'if-none-match': etag })).toMatchObject({ status: 200 });
  expect(await get(later, 'eurofxref-hist.zip', { 'if-modified-since': since })).toMatchObject({
    status: 200,
  });
  expect(await get(later, 'eurofxref.csv')).toMatchObject({ status: 404 });
});

test('a scenario brings its own rates, and faults strike this feed too', async () => {
  const csv = 'Date,USD,XXA,\n2026-11-19,1.5,N/A,\n2026-11-18,1.25,7,\n2026-11-20,9,9,\n';
  await using sandbox = await sandboxAt('2026-11-20T06:00:00Z', { 'ecb/eurofxref-hist.csv': csv });
  const { text } = unzip((await get(sandbox, 'eurofxref-hist.zip')).body);
  expect(text).toBe('Date,USD,XXA,\n2026-11-19,1.5,N/A,\n2026-11-18,1.25,7,\n');
  await setFaults(sandbox, { kind: 'status', on: 'ecb', status: 503 }, { kind: 'cut', on: 'ecb', bytes: 10 });
  expect(await get(sandbox, 'eurofxref-daily.xml')).toMatchObject({ status: 503 });
  await expect(get(sandbox, 'eurofxref-daily.xml')).rejects.toThrow();
  expect((await get(sandbox, 'eurofxref-daily.xml')).body.toString()).not.toContain('XXA');
});

test.each([
  ['Day,USD,\n', 'ecb/eurofxref-hist.csv:1: the header must begin with "Date,"'],
  ['Date,USD,\n20.11.2026,1,\n', 'ecb/eurofxref-hist.csv:2: "20.11.2026" is not a date'],
  ['Date,USD,\n2026-11-20,"1,5",\n', 'ecb/eurofxref-hist.csv:2: ""1" is not a rate of USD'],
  ['Date,USD,\n2026-11-20,-1,\n', 'ecb/eurofxref-hist.csv:2: "-1" is not a rate of USD'],
])('faulty rates are told with their line: %j', async (csv, message) => {
  const starting = sandboxAt('2026-11-20T06:00:00Z', { 'ecb/eurofxref-hist.csv': csv });
  await expect(starting).rejects.toThrow(message);
});
