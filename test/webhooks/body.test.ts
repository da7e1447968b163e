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
  const read = makeBodyReader(4 * MB);
  const request = aRequest();
  const reading = read(request, MB, 'a');
  const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, n) => n % 251));
  for (const byte of bytes) request.write(Buffer.from([byte]));
  request.end();
  using got = (await reading) as Read;
  expect(got.body.equals(bytes)).toBe(true);
  expect(got.body.buffer.byteLength).toBeLessThanOrEqual(2 * bytes.length);
});

test('bodies hold what is allowed, together and of one address: more is put off, and room comes back', async () => {
  const read = makeBodyReader(8 * MB);
  const body = Buffer.alloc(MB, 'a');
  const send = (of: string) => {
    const request = aRequest();
    const reading = read(request, MB, of);
    request.end(body);
    return reading;
  };
  const all = (...addresses: string[]) => Promise.all(addresses.map(send));
  const first = await all('a', 'a', 'a', 'b', 'b');
  expect(first.map((one) => one === 'busy')).toEqual([false, false, true, false, false]);
  const second = await all('c', 'c', 'd', 'd', 'e');
  expect(second.map((one) => one === 'busy')).toEqual([false, false, false, false, true]);
  for (const one of [...first, ...second]) if (typeof one !== 'string') one[Symbol.dispose]();
  const again = await all('a', 'a', 'e', 'e');
  expect(again.every((one) => typeof one !== 'string')).toBe(true);
});

test('what a request announces costs nothing before it is sent, and too much is refused at once', async () => {
  const read = makeBodyReader(4 * MB);
  const announced = Array.from({ length: 50 }, () => aRequest({ 'content-length': String(MB) }));
  const readings = announced.map((request) => read(request, MB, 'a'));
  for (const request of announced) request.write(Buffer.from('a'));
  await new Promise((done) => setTimeout(done, 20));
  const other = aRequest();
  const reading = read(other, MB, 'b');
  other.end('b');
  expect(String(((await reading) as Read).body)).toBe('b');
  for (const request of announced) request.destroy();
  expect(new Set(await Promise.all(readings))).toEqual(new Set(['cut_off']));
  expect(await read(aRequest({ 'content-length': String(MB + 1) }), MB, 'a')).toBe('too_large');
  const endless = aRequest();
  const refused = read(endless, 1_000, 'a');
  for (let n = 0; n < 20; n++) endless.write(Buffer.alloc(100));
  expect(await refused).toBe('too_large');
});

test('a body that comes too slowly, or breaks off, is given up, and holds nothing', async () => {
  const read = makeBodyReader(256 * 1024, 50);
  const slow = aRequest();
  const reading = read(slow, MB, 'a');
  slow.write('a');
  expect(await reading).toBe('too_slow');
  const broken = aRequest();
  const cut = read(broken, MB, 'a');
  broken.write('a');
  await new Promise((done) => setImmediate(done));
  broken.destroy();
  expect(await cut).toBe('cut_off');
  const whole = aRequest();
  const last = read(whole, 64 * 1024, 'a');
  whole.end(Buffer.alloc(64 * 1024));
  expect(typeof (await last)).toBe('object');
});
