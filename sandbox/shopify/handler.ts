import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Faults, Place, Target } from '../faults.ts';
import type { Hooks } from '../hooks/hooks.ts';
import { BadRequest, hangUp, parseObject, type Reply, readBody, send, sleep } from '../http.ts';
import type { Entry, RequestLog } from '../request_log.ts';
import { BulkOperations } from './bulk/bulk.ts';
import { sendResult } from './download.ts';
import { Bucket } from './graphql/cost.ts';
import { type Answer, answerQuery, type GraphqlBody } from './graphql/execute.ts';
import { API_VERSION } from './graphql/schema.ts';
import { pageFaults } from './page_faults.ts';
import type { Shop, World } from './shop.ts';
import { Tokens } from './tokens.ts';

const UNKNOWN_KEY = '[API] Invalid API key or access token (unrecognized login or wrong password)';

export type ShopifySettings = { faults: Faults; requests: RequestLog; hooks: Hooks; baseUrl: () => string };

type ShopState = { bulk: BulkOperations; bucket: Bucket; asked: number };
type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  shop: Shop;
  path: string;
  entry: Entry;
};

/** Shopify's side of the sandbox, over one world of shops. */
export class Shopify {
  readonly #settings: ShopifySettings;
  readonly #world: World;
  readonly #tokens = new Tokens();
  readonly #states = new Map<string, ShopState>();

  constructor(settings: ShopifySettings, world: World) {
    this.#settings = settings;
    this.#world = world;
  }

  /** `path` is what follows the shop: `/admin/…`, or the address of a bulk result. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    shopName: string,
    path: string,
  ): Promise<void> {
    const started = performance.now();
    const [pathname = ''] = path.split('?');
    const entry: Entry = {
      provider: 'shopify',
      shop: shopName,
      method: request.method ?? '',
      path: pathname,
      status: 0,
      ms: 0,
      faults: [],
    };
    const shop = this.#world.shops.get(shopName);
    try {
      if (shop) await this.#route({ request, response, shop, path, entry });
      else this.#reply(response, { status: 404, body: { errors: 'Not Found' } }, entry);
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      this.#reply(response, { status: 400, body: { errors: error.message } }, entry);
    } finally {
      entry.ms = Math.round(performance.now() - started);
      this.#settings.requests.add(entry);
    }
  }

  stateOf(shop: Shop): ShopState {
    let state = this.#states.get(shop.name);
    if (!state) {
      state = { bulk: new BulkOperations(this.#settings), bucket: new Bucket(shop.bucket), asked: 0 };
      this.#states.set(shop.name, state);
    }
    return state;
  }

  async close(): Promise<void> {
    for (const { bulk } of this.#states.values()) await bulk.close();
  }

  async #route(exchange: Exchange): Promise<void> {
    const { request, response, path, entry } = exchange;
    const [pathname = ''] = path.split('?');
    if (pathname.startsWith('/bulk/')) return this.#download(exchange);
    if (request.method !== 'POST') {
      this.#reply(response, { status: 404, body: { errors: 'Not Found' } }, entry);
      return;
    }
    const body = await readBody(request);
    if (pathname === '/admin/oauth/access_token') return this.#token(exchange, body);
    if (/^\/admin\/api\/(\d{4}-\d{2}|unstable)\/graphql\.json$/.test(pathname))
      return this.#graphql(exchange, body);
    this.#reply(response, { status: 404, body: { errors: 'Not Found' } }, entry);
  }

  async #token({ response, shop, entry }: Exchange, body: string): Promise<void> {
    const target: Target = { shop: shop.name, text: body, on: 'token' };
    if (await this.#strike(response, target, entry)) return;
    this.#reply(response, this.#tokens.issue(shop, body), entry);
  }

  async #graphql({ request, response, shop, entry }: Exchange, text: string): Promise<void> {
    const { faults } = this.#settings;
    if (request.headers['shopify-graphql-cost-debug'] !== undefined) {
      const errors =
        'The sandbox does not play Shopify-GraphQL-Cost-Debug: its costs of fields are not those of Shopify.';
      return this.#reply(response, { status: 501, body: { errors } }, entry);
    }
    const target: Target = { shop: shop.name, text, on: 'graphql' };
    if (await this.#strike(response, target, entry)) return;
    const given = request.headers['x-shopify-access-token'];
    const revoked = faults.take('revoked_key', target) !== undefined;
    if (revoked) entry.faults.push('revoked_key');
    if (revoked || !this.#tokens.accepts(shop, typeof given === 'string' ? given : undefined)) {
      this.#reply(response, { status: 401, body: { errors: UNKNOWN_KEY } }, entry);
      return;
    }
    const { body, requestedCost, actualCost } = this.#answer(shop, readQuery(text, entry), target, entry);
    Object.assign(entry, { requestedCost, actualCost, errors: errorCodes(body) });
    const cut = faults.take('cut', target);
    if (cut) entry.faults.push('cut');
    this.#reply(response, { status: 200, body }, entry, cut?.bytes);
  }

  #answer(shop: Shop, body: GraphqlBody, target: Target, entry: Entry): Answer {
    const state = this.stateOf(shop);
    state.asked++;
    const throttle = this.#settings.faults.take('throttled', target) !== undefined;
    if (throttle) entry.faults.push('throttled');
    const asked = {
      shop,
      hooks: this.#settings.hooks,
      now: this.#world.now ?? Date.now(),
      bulk: state.bulk,
      faults: pageFaults(this.#settings.faults, shop, target, state.asked),
      target,
      sizes: new Map<string, number>(),
      searches: [],
    };
    return answerQuery(body, asked, state.bucket, throttle);
  }

  async #download({ request, response, shop, path, entry }: Exchange): Promise<void> {
    const target: Target = { shop: shop.name, text: path, on: 'download' };
    if (await this.#strike(response, target, entry)) return;
    const { faults } = this.#settings;
    const strike = <Kind extends 'bulk_expired_url' | 'no_range' | 'cut'>(kind: Kind) => {
      const fault = faults.take(kind, target);
      if (fault) entry.faults.push(kind);
      return fault;
    };
    const expired = strike('bulk_expired_url') !== undefined;
    const asked = expired ? undefined : request.headers.range;
    const range = asked !== undefined && strike('no_range') ? undefined : asked;
    const cut = expired ? undefined : strike('cut');
    const url = new URL(path, 'http://sandbox');
    const key = url.pathname.slice('/bulk/'.length).replace(/\.jsonl$/, '');
    const signature = url.searchParams.get('signature') ?? '';
    const result = expired ? undefined : this.stateOf(shop).bulk.result(key, signature);
    Object.assign(entry, await sendResult(response, result, range, cut?.bytes));
  }

  /** Faults that answer in Shopify's stead. True when one did. */
  async #strike(response: ServerResponse, target: Target, entry: Entry): Promise<boolean> {
    const { faults } = this.#settings;
    const slow = faults.take('slow', target);
    if (slow) {
      entry.faults.push('slow');
      await sleep(slow.ms);
    }
    if (faults.take('reset', target)) {
      entry.faults.push('reset');
      hangUp(response);
      return true;
    }
    const failed = faults.take('status', target);
    if (!failed) return false;
    entry.faults.push('status');
    const headers: Record<string, string> =
      failed.retryAfter === undefined ? {} : { 'retry-after': String(failed.retryAfter) };
    this.#reply(
      response,
      { status: failed.status, body: { errors: statusText(failed.status, target.on) }, headers },
      entry,
    );
    return true;
  }

  #reply(response: ServerResponse, reply: Reply, entry: Entry, cutAt?: number): void {
    const headers = {
      'x-shopify-api-version': API_VERSION,
      'x-request-id': crypto.randomUUID(),
      ...reply.headers,
    };
    entry.status = reply.status;
    entry.bytes = send(response, { ...reply, headers }, cutAt);
  }
}

function readQuery(text: string, entry: Entry): GraphqlBody {
  const { query, variables, operationName } = parseObject(text);
  if (typeof query !== 'string') throw new BadRequest('Required parameter missing or invalid: query');
  const given =
    typeof variables === 'object' && variables !== null ? (variables as Record<string, unknown>) : {};
  entry.query = query;
  entry.variables = given;
  return {
    query,
    variables: given,
    operationName: typeof operationName === 'string' ? operationName : undefined,
  };
}

function errorCodes(body: Record<string, unknown>): string[] | undefined {
  if (!Array.isArray(body.errors)) return undefined;
  return body.errors.map((error: { extensions?: { code?: unknown } }) =>
    String(error.extensions?.code ?? ''),
  );
}

function statusText(status: number, on: Place): string {
  if (status === 429)
    return 'Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.';
  if (status === 402) return 'Unavailable Shop';
  if (status === 423) return 'Locked';
  if (status === 401) return UNKNOWN_KEY;
  return status >= 500 ? 'Internal Server Error' : `The sandbox was told to refuse this ${on} request.`;
}
