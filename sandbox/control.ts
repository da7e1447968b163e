import type { IncomingMessage, ServerResponse } from 'node:http';
import { ZodError, z } from 'zod';
import type { Ecb } from './ecb/handler.ts';
import type { Faults } from './faults.ts';
import { deliver } from './hooks/deliver.ts';
import type { Hooks } from './hooks/hooks.ts';
import type { Sender } from './hooks/sender.ts';
import { BadRequest, parseObject, type Reply, readBody, send } from './http.ts';
import type { RequestLog } from './request_log.ts';
import { lettersOf } from './sendgrid/sent.ts';
import type { Shopify } from './shopify/handler.ts';
import type { World } from './shopify/shop.ts';
import { assertShown } from './shown_faults.ts';
import type { Stripe } from './stripe/handler.ts';
import { hostsOf } from './tables/declarations.ts';
import type { TableProvider } from './tables/play.ts';

/** What answers at this moment: another scenario brings others. */
export type Served = {
  world: World;
  shopify: Shopify;
  stripe: Stripe;
  ecb: Ecb;
  /** By the first step of their addresses. */
  tables: ReadonlyMap<string, TableProvider<unknown>>;
};

export type ControlSettings = {
  faults: Faults;
  requests: RequestLog;
  hooks: Hooks;
  sender: Sender;
  url: () => string;
  served: () => Served;
  /** Serves another directory, or the built-in data when none is given; `now` takes the place of its own. */
  load: (dir: string | undefined, now?: string) => Promise<void>;
};

const loadShape = z
  .strictObject({ dir: z.string().min(1).nullish(), now: z.iso.datetime({ offset: true }).optional() })
  .refine(({ dir, now }) => now === undefined || dir, '"now" needs "dir": the built-in data have their own');

/** The sandbox's own endpoints below `/_sandbox`. */
export function control(settings: ControlSettings) {
  const { faults, requests, hooks, sender, load } = settings;

  const routes: Record<string, (body: string, query: URLSearchParams) => Promise<unknown> | unknown> = {
    'GET /_sandbox/status': () => status(settings),
    'POST /_sandbox/load': async (body) => {
      const { dir, now } = loadShape.parse(parseObject(body));
      await load(dir ?? undefined, now);
      return status(settings);
    },
    'GET /_sandbox/faults': () => ({ faults: faults.list() }),
    'POST /_sandbox/faults': (body) => {
      const { world } = settings.served();
      const accountsOf = (provider: string) => [...(world.tables.get(provider)?.keys() ?? [])];
      const names = {
        ...{ shopify: [...world.shops.keys()], stripe: [...world.stripe.keys()], ecb: [] },
        ...{ sendgrid: accountsOf('sendgrid'), ayrshare: accountsOf('ayrshare') },
      };
      faults.set(parseObject(body), (fault, place) => assertShown(fault, place, names));
      return { faults: faults.list() };
    },
    'DELETE /_sandbox/faults': () => {
      faults.clear();
      return { faults: [] };
    },
    'GET /_sandbox/requests': (_body, query) => ({
      count: requests.count,
      requests: requests.list({
        shop: query.get('shop') ?? undefined,
        since: Number(query.get('since') ?? 0),
      }),
    }),
    'GET /_sandbox/mail': (_body, query) => {
      const accounts = settings.served().world.tables.get('sendgrid')?.values() ?? [];
      const of = query.get('account');
      const letters = [...accounts].flatMap((account) => lettersOf(account));
      return { letters: letters.filter(({ account }) => of === null || account === of) };
    },
    'GET /_sandbox/truth/mrr': (_body, query) => truthOf(settings, query.get('account') ?? ''),
    'POST /_sandbox/deliver': (body) => deliver(parseObject(body), sender, settings.served().world),
    'GET /_sandbox/deliveries': () => sender.report(),
    'POST /_sandbox/reset': () => {
      faults.clear();
      requests.clear();
      hooks.clear();
      sender.clear();
      return { ok: true };
    },
  };

  return async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    const url = new URL(path, 'http://sandbox');
    const run = routes[`${request.method} ${url.pathname}`];
    const body = request.method === 'POST' ? await readBody(request) : '';
    send(response, run ? await answer(() => run(body, url.searchParams)) : notFound(Object.keys(routes)));
  };
}

async function answer(run: () => Promise<unknown> | unknown): Promise<Reply> {
  try {
    return { status: 200, body: await run() };
  } catch (error) {
    if (error instanceof ZodError) throw new BadRequest(z.prettifyError(error));
    throw error;
  }
}

/** The figures behind an account's made-up subscriptions. */
function truthOf({ served }: ControlSettings, account: string): unknown {
  const { truth } = served().world.stripe.get(account) ?? {};
  if (!truth) throw new BadRequest(`Account "${account}" has no subscriptions that the sandbox made up.`);
  return truth();
}

function notFound(routes: string[]): Reply {
  return { status: 404, body: { errors: `The sandbox knows: ${routes.join(', ')}.` } };
}

function status({ served, url, requests }: ControlSettings): object {
  const { world, shopify } = served();
  return {
    source: world.source,
    now: world.now === undefined ? null : new Date(world.now).toISOString(),
    requests: requests.count,
    memoryBytes: process.memoryUsage.rss(),
    warnings: world.warnings,
    shops: [...world.shops.values()].map((shop) => ({
      name: shop.name,
      domain: shop.domain,
      baseUrl: `${url()}/shopify/${shop.name}`,
      currency: shop.currency,
      zone: shop.zone,
      scopes: shop.scopes,
      counts: Object.fromEntries(Object.entries(shop.lists).map(([name, rows]) => [name, rows.length])),
      bulkOperations: shopify.stateOf(shop).bulk.report(),
    })),
    stripe: [...world.stripe.values()].map(({ id, connected, currency }) => ({
      account: id,
      baseUrl: `${url()}/stripe`,
      connected,
      currency,
    })),
    ...Object.fromEntries(
      [...world.tables].map(([name, accounts]) => [
        name,
        [...accounts.keys()].map((account) => ({
          account,
          baseUrls: hostsOf(name).map((host) => `${url()}/${host}`),
        })),
      ]),
    ),
  };
}
