/** Plays a declared provider: faults, keys, permissions and limits in the order in which a real one looks at them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultKind, Faults, Target } from '../faults.ts';
import type { Hooks } from '../hooks/hooks.ts';
import { hangUp, parseObject, type Reply, readBody, send, sleep } from '../http.ts';
import type { Entry, RequestLog } from '../request_log.ts';
import {
  type Account,
  type Accounts,
  Answer,
  type Asking,
  type Changes,
  type Declaration,
  type LimitState,
  Refusal,
  type Route,
} from './declare.ts';

export type PlaySettings<Settings> = {
  faults: Faults;
  requests: RequestLog;
  accounts: Accounts<Settings>;
  hooks: Hooks;
  now: () => number;
};

type Request<Settings> = {
  asking: Asking;
  body: string;
  method: string;
  found: { route: Route<Settings>; ids: string[] } | undefined;
  account: Account<Settings> | Refusal;
};

export class TableProvider<Settings> {
  readonly #declaration: Declaration<Settings>;
  readonly #settings: PlaySettings<Settings>;
  readonly #routes: readonly { route: Route<Settings>; pattern: RegExp }[];
  readonly #unplayed: readonly RegExp[];
  readonly #counts = new Map<string, { from: number; count: number }>();
  readonly #asked = new Map<string, number>();

  constructor(declaration: Declaration<Settings>, settings: PlaySettings<Settings>) {
    this.#declaration = declaration;
    this.#settings = settings;
    this.#routes = declaration.routes.map((route) => ({ route, pattern: patternOf(route.on) }));
    this.#unplayed = declaration.unplayed.map(patternOf);
  }

  /** `host`: the first step of the address; `path` is the rest. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    { host, path }: { host: string; path: string },
  ): Promise<void> {
    const started = performance.now();
    const { faults, requests } = this.#settings;
    const asked = this.#read(request, { host, path }, await readBody(request));
    const { method, account } = asked;
    const shop = account instanceof Refusal ? '' : account.name;
    const entry: Entry = {
      ...{ provider: this.#declaration.name, shop, method, path, status: 0, ms: 0 },
      faults: [],
    };
    const target: Target = { shop, text: `${path} ${asked.body}`, on: this.#declaration.name };
    try {
      const reply = await this.#reply(asked, target, entry);
      if (reply === 'reset') return hangUp(response);
      const cut = reply.status === 200 ? faults.take('cut', target) : undefined;
      if (cut) entry.faults.push('cut');
      entry.status = reply.status;
      entry.bytes = send(response, reply, cut?.bytes);
    } finally {
      entry.ms = Math.round(performance.now() - started);
      requests.add(entry);
    }
  }

  #read(
    { method = '', headers }: IncomingMessage,
    given: { host: string; path: string },
    body: string,
  ): Request<Settings> {
    const { pathname: path, searchParams: query } = new URL(given.path, 'http://sandbox');
    const asking = { host: given.host, path, query, headers };
    return { asking, body, method, found: this.#find(`${method} ${path}`), account: this.#account(asking) };
  }

  /** Of what the provider has a 404 would say that an object is gone. */
  #unknown(on: string): Refusal {
    if (!this.#unplayed.some((pattern) => pattern.test(on))) return new Refusal(404, 'not found');
    return new Refusal(501, `The sandbox does not play ${on}.`);
  }

  #find(on: string): Request<Settings>['found'] {
    for (const { route, pattern } of this.#routes) {
      const ids = pattern.exec(on)?.slice(1);
      if (ids) return { route, ids: ids.map(decodeURIComponent) };
    }
    return undefined;
  }

  /** Who asks, or why nobody may: faults strike before the key is looked at. */
  #account(asking: Asking): Account<Settings> | Refusal {
    try {
      return this.#declaration.accountOf(asking, this.#settings.accounts);
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  async #reply(asked: Request<Settings>, target: Target, entry: Entry): Promise<Reply | 'reset'> {
    const { refusalOf } = this.#declaration;
    let headers: Record<string, string> = {};
    try {
      const struck = await this.#strike(target, entry);
      if (struck?.done === false) return end(struck);
      const { account, found, asking, body, method } = asked;
      if (account instanceof Refusal) throw account;
      if (!found) throw this.#unknown(`${method} ${asking.path}`);
      const { route, ids } = found;
      this.#permit(account, route, target, entry);
      headers = this.#count(account, route);
      const unknown = [...asking.query.keys()].find((name) => route.query?.includes(name) === false);
      if (unknown !== undefined) throw new Refusal(400, `unknown parameter: ${unknown}`);
      const sent = body === '' ? {} : parseObject(body);
      const { hooks, now } = this.#settings;
      const changes = this.#changes(target, entry);
      const answer = route.answer({ ...asking, ...changes, ids, body: sent, account, hooks, now: now() });
      if (struck) return end(struck);
      if (!(answer instanceof Answer)) return { status: route.status ?? 200, body: answer, headers };
      return { status: answer.status, body: answer.body, headers: { ...headers, ...answer.headers } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      entry.errors = [error.message];
      const { status, message } = error;
      return { status, body: refusalOf(status, message), headers: { ...headers, ...error.headers } };
    }
  }

  #changes(target: Target, entry: Entry): Changes {
    const { faults } = this.#settings;
    const asked = (this.#asked.get(target.shop) ?? 0) + 1;
    this.#asked.set(target.shop, asked);
    const note = (kind: FaultKind) => entry.faults.push(kind);
    return {
      isStruck(kind) {
        const strikes = faults.take(kind, target) !== undefined;
        if (strikes) note(kind);
        return strikes;
      },
      late: faults.lateRows(target, asked),
      showsOlder: faults.olderVersions(target, () => note('older_version')),
    };
  }

  /** Faults that answer in the provider's stead: before it does what it is asked for, or after it was done. */
  async #strike(target: Target, entry: Entry): Promise<Struck | undefined> {
    const { faults } = this.#settings;
    const slow = faults.take('slow', target);
    if (slow) {
      entry.faults.push('slow');
      await sleep(slow.ms);
    }
    const reset = faults.take('reset', target);
    if (reset) {
      entry.faults.push('reset');
      return { done: reset.done, with: 'reset' };
    }
    const failed = faults.take('status', target);
    if (!failed) return undefined;
    entry.faults.push('status');
    const { status, retryAfter, resetSeconds, done } = failed;
    const refusal = new Refusal(status, failed.code ?? 'The sandbox was told to refuse this request.', {
      ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
      ...(resetSeconds !== undefined && this.#limitHeaders({ count: 1, remaining: 0, resetSeconds })),
    });
    return { done, with: refusal };
  }

  #permit(account: Account<Settings>, { needs }: Route<Settings>, target: Target, entry: Entry): void {
    const { faults } = this.#settings;
    if (faults.take('revoked_key', target)) {
      entry.faults.push('revoked_key');
      throw new Refusal(401, 'authorization required');
    }
    if (needs === undefined) return;
    const isRevoked = faults.lasting('revoked_scope', target).some(({ scope }) => scope === needs);
    if (isRevoked) entry.faults.push('revoked_scope');
    const may = this.#declaration.may?.(account, needs) ?? true;
    if (isRevoked || !may) throw new Refusal(403, 'access forbidden');
  }

  #count(account: Account<Settings>, { on }: Route<Settings>): Record<string, string> {
    const limit = this.#declaration.limitOf?.(account, on);
    if (limit === undefined) return {};
    const { key, count: most, seconds } = limit;
    const now = Date.now() / 1000;
    const from = Math.floor(now / seconds) * seconds;
    const before = this.#counts.get(key);
    const count = before?.from === from ? before.count + 1 : 1;
    this.#counts.set(key, { from, count });
    const resetSeconds = Math.ceil(from + seconds - now);
    const headers = this.#limitHeaders({ count: most, remaining: Math.max(0, most - count), resetSeconds });
    if (count > most) throw new Refusal(429, 'too many requests', headers);
    return headers;
  }

  #limitHeaders(state: LimitState): Record<string, string> {
    return this.#declaration.limitHeaders?.(state) ?? {};
  }
}

function patternOf(on: string): RegExp {
  return new RegExp(`^${on.replaceAll('{}', '([^/]+)')}$`);
}

type Struck = { done: boolean; with: 'reset' | Refusal };

function end({ with: how }: Struck): 'reset' {
  if (how === 'reset') return how;
  throw how;
}
