import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { control, type Served } from './control.ts';
import { Ecb } from './ecb/handler.ts';
import { Faults } from './faults.ts';
import { changesBetween } from './hooks/changes.ts';
import { type Hook, Hooks } from './hooks/hooks.ts';
import { Sender } from './hooks/sender.ts';
import { BadRequest, send } from './http.ts';
import { RequestLog } from './request_log.ts';
import { ScenarioError } from './scenario_error.ts';
import { adminSchema } from './shopify/graphql/schema.ts';
import { Shopify } from './shopify/handler.ts';
import type { World } from './shopify/shop.ts';
import { Stripe } from './stripe/handler.ts';
import { declarations } from './tables/declarations.ts';
import { TableProvider } from './tables/play.ts';
import { loadWorld } from './world.ts';

/** Longer than any client rests, be it one that computes for a while in the same process. */
const KEEP_ALIVE_MS = 120_000;

export type SandboxOptions = {
  /** 0 or absent: a free port. */
  port?: number;
  host?: string;
  /** A scenario directory; absent: the built-in year of orders. */
  data?: string;
  log?: (line: string) => void;
  /** By which the pauses between tries of a webhook are multiplied. */
  pauseFactor?: number;
};

export type Sandbox = AsyncDisposable & {
  url: string;
  port: number;
  /** The instant as which the providers answer, where the data fix one. */
  now: string | undefined;
  /** What it serves when it starts. */
  world: World;
};

/** Everything that changes when other data are loaded. */
/** Serves the providers on one loopback address. Leaving the scope of what it returns stops it. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, host = '127.0.0.1', data, log = () => {}, pauseFactor = 1 } = options;
  const faults = new Faults();
  const requests = new RequestLog();
  const hooks = new Hooks();
  let url = '';
  const serve = async (dir: string | undefined, instant?: string): Promise<Served> => {
    const world = await loadWorld(dir, instant);
    for (const warning of world.warnings) log(warning);
    const now = () => world.now ?? Date.now();
    return {
      world,
      shopify: new Shopify({ faults, requests, hooks, baseUrl: () => url }, world),
      stripe: new Stripe({ faults, requests, hooks, world: world.stripe, now }),
      ecb: new Ecb({ faults, requests, rates: world.rates, now }),
      tables: new Map(
        declarations.flatMap((declaration) => {
          const accounts = world.tables.get(declaration.name) ?? new Map();
          const provider = new TableProvider(declaration, { faults, requests, hooks, accounts, now });
          return (declaration.hosts ?? [declaration.name]).map((host) => [host, provider] as const);
        }),
      ),
    };
  };

  let served = await serve(data);
  const sender = new Sender({
    hooks,
    faults,
    pauseFactor,
    secretsOf: (hook) => secretsOf(hook, served, hooks),
  });
  adminSchema();
  const handle = control({
    faults,
    requests,
    hooks,
    sender,
    url: () => url,
    served: () => served,
    load: async (dir, instant) => {
      const next = await serve(dir, instant);
      const before = served;
      served = next;
      sender.send(changesBetween(before.world, next.world, hooks));
      await before.shopify.close();
    },
  });
  const server = createServer((request, response) => {
    route(request, response, served, handle).catch((error: unknown) => fail(response, error, log));
  });
  // A client that uses a connection in the moment in which it is ended gets an error that no fault asked for.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await listen(server, port, host);
  const { port: bound } = server.address() as AddressInfo;
  url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
  return {
    url,
    port: bound,
    now: served.world.now === undefined ? undefined : new Date(served.world.now).toISOString(),
    world: served.world,
    async [Symbol.asyncDispose]() {
      sender.close();
      await new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      });
      await served.shopify.close();
    },
  };
}

/** That of the app of a shop, or those of a profile; all others have one of their own. */
function secretsOf({ provider, account }: Hook, { world }: Served, hooks: Hooks): readonly string[] {
  if (provider === 'shopify')
    return [world.shops.get(account)?.clients[0]?.secret ?? `sandbox-secret-${account}`];
  return hooks.secretsOf(account);
}

type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<void>;

async function route(request: IncomingMessage, response: ServerResponse, served: Served, handle: Handler) {
  const { shopify, stripe, ecb } = served;
  const path = request.url ?? '/';
  if (path.startsWith('/_sandbox')) return handle(request, response, path);
  const byPath = /^\/shopify\/([^/?]+)(\/.*)$/.exec(path);
  if (byPath?.[1] && byPath[2]) return shopify.handle(request, response, nameOf(byPath[1]), byPath[2]);
  if (path.startsWith('/stripe/v1/')) return stripe.handle(request, response, path.slice('/stripe'.length));
  if (path.startsWith('/ecb/')) return ecb.handle(request, response, path.slice('/ecb'.length));
  const [, step = '', rest = ''] = /^\/([^/?]+)(\/.*)$/.exec(path) ?? [];
  const provider = served.tables.get(step);
  if (provider) return provider.handle(request, response, { host: step, path: rest });
  const host = String(request.headers['x-forwarded-host'] ?? request.headers.host ?? '');
  const byHost = /^([a-z0-9][a-z0-9-]*)\.myshopify\.com(:\d+)?$/.exec(host);
  if (byHost?.[1]) return shopify.handle(request, response, byHost[1], path);
  // Stripe's own client cannot be told a path before `/v1`.
  if (path.startsWith('/v1/')) return stripe.handle(request, response, path);
  send(response, { status: 404, body: { errors: 'Not Found' } });
}

function nameOf(shop: string): string {
  return shop.replace(/\.myshopify\.com$/, '');
}

function fail(response: ServerResponse, error: unknown, log: (line: string) => void): void {
  const known = error instanceof BadRequest || error instanceof ScenarioError;
  const message = error instanceof Error ? error.message : String(error);
  log(known ? message : `sandbox failed: ${error instanceof Error ? error.stack : message}`);
  if (response.headersSent) response.destroy();
  else send(response, { status: known ? 400 : 500, body: { errors: message } });
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      done();
    });
  });
}
