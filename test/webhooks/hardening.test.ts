/** What strangers may try at the public listener, byte by byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { listen } from '#workers/web/listen.ts';
import { freshDb } from '../support/db/db.ts';
import { aConnection } from '../support/rows/factory.ts';
import { aDoor, ENDPOINT_SECRET, giveSecret } from '../support/webhooks/door.ts';

const ADDRESS = { host: '127.0.0.1', port: 0 };

/** Sends bytes on a connection of their own; gives all that comes back until it is closed. */
async function raw({ url }: { url: string }, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let said = '';
  socket.on('data', (data) => {
    said += data;
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return said;
}

const statuses = (said: string) => [...said.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, code]) => Number(code));

async function aDoorOfStripe(db: Parameters<typeof aDoor>[0]) {
  const account = { provider: 'stripe', account: 'acct_acme', auth: 'key', secret: 'rk_test_acme' };
  const { brandId, id: connectionId } = await aConnection(db, account);
  await giveSecret(db, { brandId, connectionId }, ENDPOINT_SECRET);
  return { door: await aDoor(db), path: `/webhooks/stripe/${connectionId}` };
}

test('the metrics are on the public listener under no spelling', async () => {
  await using db = await freshDb();
  await using door = await aDoor(db);
  const spellings = [
    ...['/metrics', '/metrics/', '//metrics', '/%6detrics', '/healthz/../metrics', '/METRICS', '/metrics?x'],
    ...['http://127.0.0.1/metrics', `${door.metricsUrl}/metrics`, '*'],
  ];
  for (const spelling of spellings)
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      const said = await raw(door, `${method} ${spelling} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect([spelling, statuses(said).filter((code) => code < 400)]).toEqual([spelling, []]);
      expect(said).not.toContain('nightshift_');
    }
});

test('what is hidden in a body is no request, and lengths that contradict each other are refused', async () => {
  await using db = await freshDb();
  const { door, path } = await aDoorOfStripe(db);
  await using _ = door;
  const hidden = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const head = (more: string, to = path) => `POST ${to} HTTP/1.1\r\nHost: x\r\n${more}\r\n\r\n`;
  const large = await raw(door, `${head(`Content-Length: ${4 * 1024 * 1024}`)}${hidden}`);
  expect(statuses(large)).toEqual([413]);
  const stranger = path.replace(/[^/]+$/, crypto.randomUUID());
  const unread = `${head(`Connection: close\r\nContent-Length: ${hidden.length}`, stranger)}${hidden}`;
  expect(statuses(await raw(door, unread))).toEqual([401]);
  for (const both of [
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Content-Length: 5\r\nContent-Length: 6',
    'Transfer-Encoding: chunked, gzip',
    'Transfer-Encoding : chunked',
    'Content-Length: +5',
    'Content-Length: 5x',
  ])
    expect([both, statuses(await raw(door, `${head(both)}0\r\n\r\n${hidden}`))]).toEqual([both, [400]]);
  expect(statuses(await raw(door, `${head('Transfer-Encoding: chunked')}zz\r\n`))).toEqual([400]);
  const headers = `X-Long: ${'a'.repeat(20_000)}`;
  expect(statuses(await raw(door, head(headers)))).toEqual([431]);
});

test('connections that are only kept open make room for one that has something to say', async () => {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.get('/', () => new Response('ok'));
  await using listener = await listen(app, ADDRESS, 3);
  const port = Number(new URL(listener.url).port);
  const idle: Socket[] = [];
  for (let n = 0; n < 3; n++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    idle.push(socket);
  }
  const closed = Promise.all(idle.map((socket) => once(socket, 'close')));
  const one = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  expect(await raw(listener, one)).toBe(''); // it found the door full
  await closed;
  expect(statuses(await raw(listener, one))).toEqual([200]);
});
