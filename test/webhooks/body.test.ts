/** What a body may cost, whoever sends it and however. */
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { makeBodyReader, type Read } from '#workers/web/body.ts';

const MB = 1024 * 1024;

function aRequest(headers: Record<string, string> = {}): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough({ highWaterMark: 64 * MB }), { headers }) as never;
}

test('a body in chunks of a byte is the same as in one, and holds no more than it is long, twice', async () => {
  const read = makeBodyReader(MB);
  const request = aRequest();
  const reading = read(request, MB);
  const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, n) => n % 251));
  for (const byte of bytes) request.write(Buffer.from([byte]));
  request.end();
  using got = (await reading) as Read;
  expect(got.body.equals(bytes)).toBe(true);
  expect(got.body.buffer.byteLength).toBeLessThanOrEqual(2 * bytes.length);
});

test('bodies together hold what is allowed: one more is put off, and room comes back', async () => {
  const read = makeBodyReader(4 * MB);
  const body = Buffer.alloc(MB, 'a');
  const send = () => {
    const request = aRequest();
    const reading = read(request, 2 * MB);
    request.end(body);
    return reading;
  };
  const first = await Promise.all([1, 2, 3, 4, 5, 6].map(send));
  expect(first.filter((one) => one === 'busy')).toHaveLength(2);
  const held = first.filter((one) => typeof one !== 'string');
  expect(await send()).toBe('busy');
  for (const one of held) one[Symbol.dispose]();
  const second = await Promise.all([1, 2, 3, 4].map(send));
  expect(second.every((one) => typeof one !== 'string')).toBe(true);
});

test('what a request announces costs nothing before it is sent, and too much is refused at once', async () => {
  const read = makeBodyReader(MB);
  const announced = Array.from({ length: 50 }, () => aRequest({ 'content-length': String(MB) }));
  const readings = announced.map((request) => read(request, MB));
  for (const request of announced) request.write(Buffer.from('a'));
  await new Promise((done) => setTimeout(done, 20));
  const other = aRequest();
  const reading = read(other, MB);
  other.end('b');
  expect(String(((await reading) as Read).body)).toBe('b');
  for (const request of announced) request.destroy();
  expect(new Set(await Promise.all(readings))).toEqual(new Set(['cut_off']));
  expect(await read(aRequest({ 'content-length': String(MB + 1) }), MB)).toBe('too_large');
  const endless = aRequest();
  const refused = read(endless, 1_000);
  for (let n = 0; n < 20; n++) endless.write(Buffer.alloc(100));
  expect(await refused).toBe('too_large');
});

test('a body that comes too slowly, or breaks off, is given up, and holds nothing', async () => {
  const read = makeBodyReader(64 * 1024, 50);
  const slow = aRequest();
  const reading = read(slow, MB);
  slow.write('a');
  expect(await reading).toBe('too_slow');
  const broken = aRequest();
  const cut = read(broken, MB);
  broken.write('a');
  await new Promise((done) => setImmediate(done));
  broken.destroy();
  expect(await cut).toBe('cut_off');
  const whole = aRequest();
  const last = read(whole, 64 * 1024);
  whole.end(Buffer.alloc(64 * 1024));
  expect(typeof (await last)).toBe('object');
});
