import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { runProgram } from './support/program.ts';

type Report = {
  tags: Record<string, string>;
  extra: Record<string, unknown>;
  exception: { values: { type: string; value: string }[] };
};

/** Speaks Sentry's envelope protocol: a line of header, then for each item a line of header and one of payload. */
async function sentryServer() {
  const received: { path: string; raw: string; event: Report }[] = [];
  const server = createServer(async (request, response) => {
    const body =
      request.headers['content-encoding'] === 'gzip'
        ? gunzipSync(Buffer.concat(await Array.fromAsync(request))).toString()
        : await text(request);
    const [header, item, payload] = body.split('\n').map((line) => (line ? JSON.parse(line) : undefined));
    if (item?.type === 'event') received.push({ path: request.url ?? '', raw: body, event: payload });
    response.end(JSON.stringify({ id: header?.event_id }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    dsn: `http://public@127.0.0.1:${port}/42`,
    received,
    [Symbol.asyncDispose]: async () => void server.close().closeAllConnections(),
  };
}

test('an error is reported with code, verdict, tags and context, and without any secret', async () => {
  await using sentry = await sentryServer();
  await using program = runProgram('report.ts', [sentry.dsn, 'known']);
  expect(await program.ended()).toBe(0); // and nothing was lost at the end: the scope's end sends it

  const [report] = sentry.received;
  expect(report?.path).toMatch(/^\/api\/42\/envelope\//);
  expect(report?.event.tags).toMatchObject({
    process: 'worker',
    code: 'NS_TEST_KEY_REFUSED',
    verdict: 'hold',
    task: 'sync_stream',
  });
  expect(report?.event.extra).toMatchObject({
    connectionId: 'c-1',
    hint: 'Store a new key.',
    token: '[secret]',
  });
  const causeFirst = report?.event.exception.values.map(({ type, value }) => `${type}: ${value}`);
  expect(causeFirst).toEqual([
    'Error: 401 for [secret]',
    'KeyRefused: The key [secret] was refused by postgres://u:[secret]@db.',
  ]);
  expect(report?.raw).not.toMatch(/shpat_|sk_live_|hunter2|plain-token/);
  expect(report?.raw).not.toContain(hostname());
});

test('what nobody caught is reported too, and still ends the process as a failure', async () => {
  await using sentry = await sentryServer();
  await using program = runProgram('report.ts', [sentry.dsn, 'uncaught']);
  expect(await program.ended()).toBe(1);
  expect(sentry.received.map(({ event }) => event.exception.values[0]?.value)).toEqual([
    'nobody caught this [secret]',
  ]);
});

test('without a DSN nothing is sent, whatever Sentry itself would read from the environment', async () => {
  await using sentry = await sentryServer();
  await using program = runProgram('report.ts', ['', 'known'], { SENTRY_DSN: sentry.dsn });
  expect(await program.ended()).toBe(0);
  expect(sentry.received).toEqual([]);
});
