/** A listening HTTP server whose clients are limited in all that they may take: time, headers, connections. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { coded } from '#runtime/errors.ts';

/** Providers send a request in well under a second; who sends slowly wants to hold a connection. */
const HEADERS_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
/** What is under way when the process stops has this time. */
const STOP_MS_MAX = 8_000;
const CHECKED_EACH_MS = 1_000;
const HEADER_BYTES_MAX = 16 * 1024;
/** Longer than a proxy rests before it uses a connection again. */
const KEEP_ALIVE_MS = 75_000;
const CONNECTIONS_MAX = 2_000;

export type Address = { host: string; port: number };
export type App = Hono<{ Bindings: HttpBindings }>;

export type Listener = AsyncDisposable & { url: string };

export class PortTaken extends coded('NS_WEB_PORT_TAKEN') {
  constructor({ host, port }: Address, cause: Error) {
    super(`The web server cannot listen on ${host}:${port}: ${cause.message}`, {
      hint: 'Choose another one: NIGHTSHIFT_WEB_PORT, NIGHTSHIFT_METRICS_PORT; 0 takes a free one.',
      cause,
    });
  }
}

/** Leaving the scope answers what is under way and takes nothing new. */
export async function listen(
  app: App,
  address: Address,
  connectionsMax = CONNECTIONS_MAX,
): Promise<Listener> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: false,
    createServer,
    serverOptions: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: CHECKED_EACH_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
  });
  server.maxConnections = connectionsMax;
  // Who only keeps connections open makes room for who has something to say.
  server.on('drop', () => 'closeIdleConnections' in server && server.closeIdleConnections());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new PortTaken(address, error)));
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return {
    url: `http://${host}:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        const late = setTimeout(
          () => 'closeAllConnections' in server && server.closeAllConnections(),
          STOP_MS_MAX,
        );
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        if ('closeIdleConnections' in server) server.closeIdleConnections();
      }),
  };
}
