import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { BodyLimits } from '#connectors/kit/http/body.ts';
import { makeHttp, retryAfterMs } from '#connectors/kit/http/http.ts';
import { ATTEMPTS_MAX, newRequestStats, type RetryableError, withRetry } from '#connectors/kit/http/retry.ts';
import {
  type Answer,
  fakeProvider,
  file,
  hangUp,
  json,
  silence,
  status,
} from '../support/providers/provider.ts';

const ok = json({ fine: true });

function client(signal = new AbortController().signal) {
  const stats = newRequestStats();
  const http = makeHttp({ provider: 'Shopify', account: 'acme', signal, stats });
  return {
    http,
    stats,
    get: (url: string) => withRetry(() => http.once({ method: 'GET', url, secrets: [] }), http),
  };
}

test.each([
  ['a reset connection', hangUp],
  ['a body that breaks off', file('{"fine": true}', { cutAt: 5 })],
  ['500', status(500)],
  ['503', status(503)],
  ['429 without a time', status(429)],
  ['429 with seconds', status(429, { 'retry-after': '0.1' })],
])('%s is asked again', async (_, trouble) => {
  await using provider = await fakeProvider(trouble, ok);
  const { get, stats } = client();
  expect(await get(provider.url)).toMatchObject({ status: 200, text: '{"fine":true}' });
  expect(stats.requests).toBe(2);
  expect(stats.waitedMs).toBeGreaterThan(0);
});

test('answers that will not change are given back at once', async () => {
  await using provider = await fakeProvider(status(404));
  const { get, stats } = client();
  expect(await get(provider.url)).toMatchObject({ status: 404 });
  expect(stats.requests).toBe(1);
});

test('a long Retry-After is left to the queue, with the time to wait', async () => {
  await using provider = await fakeProvider(status(429, { 'retry-after': '3600' }));
  const { get, stats } = client();
  await expect(get(provider.url)).rejects.toMatchObject({
    code: 'NS_RATE_LIMITED',
    verdict: 'retry',
    retryAfterMs: 3_600_000,
  });
  expect(stats).toMatchObject({ requests: 1, waitedMs: 0 });
});

test('trouble that stays ends after a limited number of attempts', async () => {
  await using provider = await fakeProvider(status(502, { 'retry-after': '0' }));
  const { get } = client();
  await expect(get(provider.url)).rejects.toMatchObject({
    code: 'NS_PROVIDER_UNAVAILABLE',
    verdict: 'retry',
  });
  expect(provider.asked).toHaveLength(ATTEMPTS_MAX);
});

test('a redirect is refused, since it could take the key elsewhere', async () => {
  await using provider = await fakeProvider(status(301, { location: 'http://evil.example/' }), ok);
  await expect(client().get(`${provider.url}/path?token=shpat_secret`)).rejects.toMatchObject({
    code: 'NS_REDIRECT_REFUSED',
    verdict: 'hold',
    message: expect.not.stringContaining('shpat_secret'),
  });
  expect(provider.asked).toHaveLength(1);
});

test('an answer without end is not read to its end', async () => {
  await using provider = await fakeProvider((response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 20))) {}
    };
    response.on('drain', more);
    more();
  });
  await expect(client().get(provider.url)).rejects.toMatchObject({ code: 'NS_ANSWER_TOO_LARGE' });
});

test('a stopped job leaves its request at once, also while it waits for another try', async () => {
  await using provider = await fakeProvider(silence);
  const stop = new AbortController();
  const asking = client(stop.signal).get(provider.url);
  void setTimeout(50).then(() => stop.abort(new Error('told to stop')));
  await expect(asking).rejects.toThrow('told to stop');

  await using waiting = await fakeProvider(status(429, { 'retry-after': '60' }));
  const again = new AbortController();
  const pausing = client(again.signal).get(waiting.url);
  void setTimeout(100).then(() => again.abort(new Error('told to stop')));
  await expect(pausing).rejects.toThrow('told to stop');
});

test('the address of an error is without its query', async () => {
  const { get } = client();
  const error = await get('http://127.0.0.1:1/file?signature=secret').catch((reason: Error) => reason);
  expect(error).toMatchObject({ code: 'NS_PROVIDER_UNAVAILABLE' });
  expect(JSON.stringify({ ...(error as Error), message: (error as Error).message })).not.toContain(
    'signature',
  );
});

test('Retry-After comes as seconds or as a date', () => {
  const now = Date.parse('2026-11-20T06:00:00Z');
  expect(retryAfterMs('2', now)).toBe(2000);
  expect(retryAfterMs('0.5', now)).toBe(500);
  expect(retryAfterMs('Fri, 20 Nov 2026 06:00:30 GMT', now)).toBe(30_000);
  expect(retryAfterMs('Fri, 20 Nov 2026 05:00:00 GMT', now)).toBe(0);
  expect([retryAfterMs(undefined), retryAfterMs(''), retryAfterMs('soon')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

/** Sends a piece again and again, for as long as somebody listens. */
const dribble =
  (piece: Buffer, head = 200): Answer =>
  (response) => {
    response.writeHead(head);
    const timer = setInterval(() => response.write(piece), 5);
    response.on('close', () => clearInterval(timer));
  };

/** A minute as short as a test can wait for. */
const limited = (limits: BodyLimits) => {
  const stats = newRequestStats();
  const signal = new AbortController().signal;
  return makeHttp({ provider: 'Shopify', account: 'acme', signal, stats, limits });
};

const failureOf = (error: RetryableError) => error.failure;
const TOO_SLOW = {
  code: 'NS_PROVIDER_UNAVAILABLE',
  verdict: 'retry',
  message: expect.stringContaining('too slow'),
};

test('a body of a byte now and then is left, though it is never silent', async () => {
  await using provider = await fakeProvider(dribble(Buffer.from('x')));
  const http = limited({ paceMs: 100, paceBytesMin: 60_000 });
  const answer = http.once({ secrets: [], method: 'GET', url: provider.url }).catch(failureOf);
  expect(await answer).toMatchObject(TOO_SLOW);
});

test('so is a download, in the middle of it', async () => {
  await using provider = await fakeProvider(dribble(Buffer.from('x')));
  const http = limited({ paceMs: 100, paceBytesMin: 60_000 });
  const { body } = await http.open({ method: 'GET', url: provider.url });
  const read = async () => {
    for await (const piece of body) expect(piece.length).toBeGreaterThan(0);
  };
  expect(await read().catch(failureOf)).toMatchObject(TOO_SLOW);
});

test('a body that keeps its pace has an end all the same, where it is read as a whole', async () => {
  await using provider = await fakeProvider(dribble(Buffer.alloc(10)));
  const http = limited({ paceMs: 10, paceBytesMin: 1, totalMsMax: 200 });
  const answer = http.once({ secrets: [], method: 'GET', url: provider.url }).catch(failureOf);
  expect(await answer).toMatchObject(TOO_SLOW);
});

test('the body of a refusal is not waited for', async () => {
  await using provider = await fakeProvider(dribble(Buffer.from('x'), 503));
  const http = limited({ paceMs: 100, paceBytesMin: 60_000 });
  const answer = http.once({ secrets: [], method: 'GET', url: provider.url }).catch(failureOf);
  expect(await answer).toMatchObject({ code: 'NS_PROVIDER_UNAVAILABLE', context: { status: 503 } });
});

test('a reader that pauses for longer than a pace costs the provider nothing', async () => {
  await using provider = await fakeProvider(file(Buffer.alloc(4 << 20, 'x')));
  const http = limited({ paceMs: 50, paceBytesMin: 1 });
  const { body } = await http.open({ method: 'GET', url: provider.url });
  let bytes = 0;
  for await (const piece of body) {
    if (bytes === 0) await setTimeout(200);
    bytes += piece.length;
  }
  expect(bytes).toBe(4 << 20);
});
