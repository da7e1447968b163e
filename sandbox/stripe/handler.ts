import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Faults, Target } from '../faults.ts';
import type { Hooks } from '../hooks/hooks.ts';
import { hangUp, type Reply, readBody, send, sleep } from '../http.ts';
import type { Entry, RequestLog } from '../request_log.ts';
import { answer } from './api/answer.ts';
import { type Caller, callerOf, expiredKey } from './api/auth.ts';
import { endpointAnswer } from './api/endpoints.ts';
import { RateLimits, TOO_MANY } from './api/limits.ts';
import { type Params, readQuery } from './api/query.ts';
import type { Question } from './api/question.ts';
import { StripeError } from './api/stripe_error.ts';
import type { StripeObject, StripeWorld } from './objects.ts';

export const STRIPE_VERSION = '2026-10-28.endive';

export type StripeSettings = {
  faults: Faults;
  requests: RequestLog;
  world: StripeWorld;
  hooks: Hooks;
  /** The instant (ms) as of which the provider answers. */
  now: () => number;
};

/** Stripe's side of the sandbox, over one world of accounts. */
export class Stripe {
  readonly #settings: StripeSettings;
  readonly #asked = new Map<string, number>();
  readonly #limits = new RateLimits();

  constructor(settings: StripeSettings) {
    this.#settings = settings;
  }

  /** `path` begins with `/v1/`. */
  async handle(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const started = performance.now();
    const caller = this.#caller(request);
    const entry: Entry = {
      provider: 'stripe',
      shop: caller instanceof StripeError ? '' : caller.account.id,
      method: request.method ?? '',
      path,
      status: 0,
      ms: 0,
      faults: [],
    };
    const headers = headersOf(request);
    try {
      const target: Target = { shop: entry.shop, text: path, on: 'stripe' };
      const reply = await this.#answer(request, caller, path, target, entry);
      if (reply === 'reset') return hangUp(response);
      const cut = reply.status === 200 ? this.#settings.faults.take('cut', target) : undefined;
      if (cut) entry.faults.push('cut');
      entry.status = reply.status;
      entry.bytes = send(response, { ...reply, headers: { ...headers, ...reply.headers } }, cut?.bytes);
    } finally {
      entry.ms = Math.round(performance.now() - started);
      this.#settings.requests.add(entry);
    }
  }

  /** Who asks, or why nobody may: faults strike before the key is looked at. */
  #caller(request: IncomingMessage): Caller | StripeError {
    try {
      return callerOf(request, this.#settings.world);
    } catch (error) {
      if (error instanceof StripeError) return error;
      throw error;
    }
  }

  async #answer(
    request: IncomingMessage,
    caller: Caller | StripeError,
    path: string,
    target: Target,
    entry: Entry,
  ): Promise<Reply | 'reset'> {
    try {
      const struck = await this.#strike(target, entry);
      if (struck) return struck;
      if (caller instanceof StripeError) throw caller;
      if (this.#settings.faults.take('revoked_key', target)) {
        entry.faults.push('revoked_key');
        throw expiredKey(caller.key.text);
      }
      const url = new URL(path, 'http://sandbox');
      this.#limits.assertWithin(caller.account, url.pathname);
      const changed = await this.#endpoint(request, caller, url);
      const body = changed ?? answer(this.#question(request, caller, url, target, entry));
      return { status: 200, body };
    } catch (error) {
      if (!(error instanceof StripeError)) throw error;
      entry.errors = [String(error.body.error.code ?? error.body.error.type)];
      return { status: error.status, body: error.body, headers: error.headers };
    }
  }

  /** What concerns webhook endpoints, the only objects that can be changed here. */
  async #endpoint(request: IncomingMessage, caller: Caller, url: URL): Promise<StripeObject | undefined> {
    const { method = '', headers } = request;
    const form = method === 'POST' ? `?${await readBody(request)}` : url.search;
    const key = headers['idempotency-key'];
    return endpointAnswer({
      ...{ method, path: url.pathname, params: readQuery(form), caller, hooks: this.#settings.hooks },
      ...{ idempotencyKey: typeof key === 'string' ? key : undefined },
      now: Math.floor(this.#settings.now() / 1000),
    });
  }

  #question(request: IncomingMessage, caller: Caller, url: URL, target: Target, entry: Entry): Question {
    const { faults, now } = this.#settings;
    const { account, livemode } = caller;
    const asked = (this.#asked.get(account.id) ?? 0) + 1;
    this.#asked.set(account.id, asked);
    const params: Params = readQuery(url.search);
    const takes = (kind: 'expired_cursor' | 'repeat_page' | 'reorder_page') => {
      const strikes = faults.take(kind, target) !== undefined;
      if (strikes) entry.faults.push(kind);
      return strikes;
    };
    const walks = params.starting_after !== undefined || params.ending_before !== undefined;
    return {
      method: request.method ?? '',
      path: url.pathname,
      params,
      caller,
      world: this.#settings.world,
      book: account.book(livemode),
      now: Math.floor(now() / 1000),
      faults: {
        expiresCursor: walks && takes('expired_cursor'),
        repeats: () => walks && takes('repeat_page'),
        reorders: () => takes('reorder_page'),
        late: faults.lateRows(target, asked),
        eventLagSeconds: Math.max(0, ...faults.lasting('late_events', target).map(({ seconds }) => seconds)),
        showsOlder: faults.olderVersions(target, () => entry.faults.push('older_version')),
        balanceOff: faults.lasting('balance_off', target),
      },
    };
  }

  /** Faults that answer in Stripe's stead. */
  async #strike(target: Target, entry: Entry): Promise<Reply | 'reset' | undefined> {
    const { faults } = this.#settings;
    const slow = faults.take('slow', target);
    if (slow) {
      entry.faults.push('slow');
      await sleep(slow.ms);
    }
    if (faults.take('reset', target)) {
      entry.faults.push('reset');
      return 'reset';
    }
    const failed = faults.take('status', target);
    if (!failed) return undefined;
    entry.faults.push('status');
    const { status, code, reason, retryAfter, shouldRetry } = failed;
    const headers: Record<string, string> = {};
    if (reason !== undefined) headers['stripe-rate-limited-reason'] = reason;
    if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter);
    if (shouldRetry !== undefined) headers['stripe-should-retry'] = String(shouldRetry);
    throw new StripeError(status, messageOf(status, code), {
      type: status >= 500 ? 'api_error' : 'invalid_request_error',
      ...(code === undefined && status === 429 ? { code: 'rate_limit' } : {}),
      ...(code === undefined ? {} : { code }),
      headers,
    });
  }
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const version = request.headers['stripe-version'];
  return {
    'request-id': `req_${randomBytes(7).toString('hex')}`,
    'stripe-version': typeof version === 'string' ? version : STRIPE_VERSION,
  };
}

function messageOf(status: number, code: string | undefined): string {
  if (code === 'lock_timeout') {
    return 'This object cannot be accessed right now because another API request or Stripe process is currently accessing it.';
  }
  if (status === 429) return TOO_MANY;
  return status >= 500 ? 'An unknown error occurred.' : 'The sandbox was told to refuse this request.';
}
