/** A server that takes Sentry's reports. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

type Report = {
  tags: Record<string, string>;
  extra: Record<string, unknown>;
  exception: { values: { type: string; value: string }[] };
};

/** Speaks Sentry's envelope protocol: a line of header, then for each item a line of header and one of payload. */
export async function sentryServer() {
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
