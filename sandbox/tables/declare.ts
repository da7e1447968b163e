/** What is declared of a provider that the sandbox plays out of tables; `play.ts` does the rest. */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { Place } from '../faults.ts';
import type { Hooks } from '../hooks/hooks.ts';
import type { Draft } from '../ndjson.ts';

/** An account of a scenario: its part of `scenario.json`, and the rows of its files. */
export type Account<Settings = unknown> = {
  name: string;
  settings: Settings;
  /** The rows of a file, in its order; empty where there is none. */
  rows(file: string): readonly Draft[];
};

export type Accounts<Settings = unknown> = ReadonlyMap<string, Account<Settings>>;

/** What is asked before it is known who asks. */
export type Asking = { host: string; path: string; query: URLSearchParams; headers: IncomingHttpHeaders };

export type Asked<Settings> = Asking & {
  /** What stands for the `{}` of its route. */
  ids: readonly string[];
  body: Draft;
  account: Account<Settings>;
  hooks: Hooks;
  /** The instant (ms) as of which the provider answers. */
  now: number;
} & Changes;

/** What the faults of the moment change of an answer. */
export type Changes = {
  isStruck(kind: 'late_logs' | 'expired_cursor' | 'repeat_page' | 'reorder_page'): boolean;
  /** Rows that no list has yet, by what names them (`lists.ts`). */
  late: ReadonlySet<string>;
  showsOlder(name: string): boolean;
};

export type Route<Settings> = {
  /** Method and path, such as `GET /v3/lists/{}`. */
  on: string;
  /** The permission that it takes. */
  needs?: string;
  /** The parameters that it knows: any other one is refused. All pass, if absent. */
  query?: readonly string[];
  /** Of what is not refused; 200 if absent. */
  status?: 201 | 204;
  /** The body, or an `Answer`; or throws `Refusal`. */
  answer(asked: Asked<Settings>): unknown;
};

/** So many requests in so many seconds; those of one `key` count together. */
export type Limit = { key: string; count: number; seconds: number };
export type LimitState = { count: number; remaining: number; resetSeconds: number };

export type Declaration<Settings = unknown> = {
  /** Its folder in a scenario, the first step of its address unless `hosts` say others, and `on` of faults. */
  name: Place;
  title: string;
  /** The first steps of its addresses, if it has several hosts. */
  hosts?: readonly string[];
  /** Its part of `scenario.json`, by account. */
  shape: z.ZodType<Record<string, Settings>>;
  /** The files that an account may have, without their extension. */
  files: readonly string[];
  /** Who asks; throws `Refusal` if nobody may. */
  accountOf(asking: Asking, accounts: Accounts<Settings>): Account<Settings>;
  /** Whether the account's key has a permission; without it, each has all. */
  may?(account: Account<Settings>, permission: string): boolean;
  limitOf?(account: Account<Settings>, route: string): Limit | undefined;
  limitHeaders?(state: LimitState): Record<string, string>;
  /** The body of a refusal. */
  refusalOf(status: number, message: string): unknown;
  routes: readonly Route<Settings>[];
  /** Methods and paths that the provider has and the sandbox does not play. */
  unplayed: readonly string[];
};

/** A success that is no 200, or has headers. */
export class Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** An error. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export function declare<Settings>(declaration: Declaration<Settings>): Declaration<Settings> {
  return declaration;
}
