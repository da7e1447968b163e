/**
 * Turns an answer of Shopify into a value, a wait, or an error with its verdict. A failed call answers HTTP 200 with
 * `errors` and maybe partial data, which are never used.
 * https://shopify.dev/docs/api/usage/response-codes
 */
import { coded } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';
import {
  AccountNotFound,
  AccountSuspended,
  AnswerNotUnderstood,
  Denied,
  type Named,
  ProviderUnavailable,
  RateLimited,
  RequestRefused,
  ScopeMissing,
} from '../../kit/errors.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import type { HttpAnswer } from '../../kit/http/http.ts';
import { RetryableError } from '../../kit/http/retry.ts';

export const PROVIDER = 'Shopify';
/** 430: a firewall takes us for an attacker. An immediate retry makes it worse. */
export const SECURITY_PAUSE_MS = 15 * 60_000;
const THROTTLED_WAIT_MS_MIN = 1_000;
const THROTTLED_JITTER_MS = 250;

export type Requested = { connection: Named; account: string; query: string };

export type Cost = {
  requested: number;
  /** Null while throttled: nothing was charged. */
  actual: number | null;
  maximum: number;
  available: number;
  restorePerSecond: number;
};

/** The key is refused; the client may try a newer one. */
export class TokenRefused extends Error {}

/** A page is too large for Shopify: it costs too many points or takes too long. A smaller page helps. */
export class PageTooHeavy extends coded('NS_PAGE_TOO_HEAVY') {
  constructor(query: string, reason: string, verdict: 'retry' | 'give_up') {
    super(`${PROVIDER} cannot answer ${query} at this size: ${reason}`, {
      hint: 'Pages were halved down to one object before this error: please report it with this message.',
      verdict,
      context: { query },
    });
  }
}

/** Throws the error of the HTTP status, unless it is a success. */
export function checkStatus({ status, text }: HttpAnswer, { connection, account, query }: Requested): void {
  if (status >= 200 && status < 300) return;
  const answer = `${status} ${errorText(text)}`.trim();
  switch (status) {
    case 401:
      throw new TokenRefused(answer);
    case 402:
      throw new AccountSuspended(PROVIDER, account, answer, true);
    case 403:
      throw new ScopeMissing(PROVIDER, connection, 'access to the shop', answer);
    case 404:
      throw new AccountNotFound(PROVIDER, account, connection);
    case 423:
      throw new AccountSuspended(PROVIDER, account, answer, false);
    case 430:
      throw new RateLimited(PROVIDER, account, SECURITY_PAUSE_MS);
    default:
      throw new RequestRefused(PROVIDER, query, answer);
  }
}

/** The `data` of a complete answer; throws otherwise. */
export function dataOf(body: Fields, requested: Requested, cost: Cost | undefined): Fields {
  const { errors, data } = body;
  if (errors !== undefined && !(Array.isArray(errors) && errors.length === 0))
    throw failureOf(errors, requested, cost);
  const warning = searchWarning(body);
  if (warning)
    throw new RequestRefused(PROVIDER, requested.query, `it would ignore a part of the filter (${warning})`);
  if (isObject(data)) return data;
  throw new AnswerNotUnderstood(PROVIDER, requested.query, 'it has neither data nor errors');
}

function failureOf(errors: unknown, requested: Requested, cost: Cost | undefined): Error {
  const { connection, account, query } = requested;
  const list = Array.isArray(errors) ? errors.filter(isObject) : [];
  const codes = list.map(codeOf);
  const message =
    list.length > 0 ? quote(list.map((error) => quote(error.message)).join('; ')) : quote(errors);
  const has = (code: string) => codes.includes(code);

  if (has('THROTTLED')) {
    const waitMs = throttledMs(cost);
    return new RetryableError(new RateLimited(PROVIDER, account, waitMs), { waitMs, isTurn: true });
  }
  if (has('ACCESS_DENIED')) return new Denied(PROVIDER, connection, message, requiredAccess(list));
  if (has('SHOP_INACTIVE')) return new AccountSuspended(PROVIDER, account, message, true);
  if (has('MAX_COST_EXCEEDED')) return new PageTooHeavy(query, message, 'give_up');
  if (has('INTERNAL_SERVER_ERROR')) return new RetryableError(new PageTooHeavy(query, message, 'retry'));
  const unknown = codes.every((code) => code === undefined);
  const refusal = new RequestRefused(PROVIDER, query, message);
  return unknown ? new RetryableError(refusal) : refusal; // an error without a code may be transient; one with a code is about our query
}

function codeOf(error: Fields): string | undefined {
  const extensions = error.extensions;
  const code = isObject(extensions) ? extensions.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function requiredAccess(errors: readonly Fields[]): string | undefined {
  for (const { extensions, message } of errors) {
    const given = isObject(extensions) ? extensions.requiredAccess : undefined;
    const access = quote(given ?? message);
    const scopes = access.match(/\b(?:read|write)_[a-z_]+/g);
    if (scopes) return scopes.join(' or ');
  }
  return undefined;
}

function throttledMs(cost: Cost | undefined): number {
  const missing = cost ? ((cost.requested - cost.available) / cost.restorePerSecond) * 1000 : 0;
  return (
    Math.max(THROTTLED_WAIT_MS_MIN, Math.ceil(missing)) + Math.round(Math.random() * THROTTLED_JITTER_MS)
  );
}

/** A filter on a field that Shopify does not know is ignored, which would return everything. */
function searchWarning(body: Fields): string | undefined {
  const extensions = body.extensions;
  const search = isObject(extensions) ? extensions.search : undefined;
  const warnings = Array.isArray(search)
    ? search.flatMap((part) => (isObject(part) ? part.warnings : []))
    : [];
  const first = warnings.find(isObject);
  return first && `${quote(first.field)}: ${quote(first.message)}`;
}

/**
 * Shopify's report of its bucket. All workers keep to it for long, so impossible figures are ignored and excessive ones
 * are capped: one odd answer must not stop all workers.
 */
export function costOf(body: Fields): Cost | undefined {
  const extensions = body.extensions;
  const cost = isObject(extensions) ? extensions.cost : undefined;
  const status = isObject(cost) ? cost.throttleStatus : undefined;
  if (!isObject(cost) || !isObject(status)) return undefined;
  const { requestedQueryCost: requested, actualQueryCost: actual } = cost;
  const { maximumAvailable: maximum, currentlyAvailable: available, restoreRate: restorePerSecond } = status;
  if (!isNumber(requested) || !isNumber(available)) return undefined;
  if (!isNumber(maximum) || maximum < 1 || maximum > BUCKET_MAX) return undefined;
  if (!isNumber(restorePerSecond) || restorePerSecond > BUCKET_MAX) return undefined;
  if (restorePerSecond < maximum / FILLS_IN_SECONDS_MAX) return undefined;
  return {
    requested: within(requested, 0, maximum),
    maximum,
    available: within(available, -maximum, maximum),
    restorePerSecond,
    actual: isNumber(actual) ? within(actual, 0, maximum) : null,
  };
}

/** The largest plan has 20,000 points. */
const BUCKET_MAX = 1_000_000;
/** Shopify's buckets fill in 20 seconds. */
const FILLS_IN_SECONDS_MAX = 1_800;

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const within = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));

/** The JSON object of an answer. An unreadable one may be truncated, so it is retried. */
export function bodyOf({ text }: HttpAnswer, { query }: Requested): Fields {
  const unread = (reason: string) =>
    new RetryableError(new AnswerNotUnderstood(PROVIDER, query, reason, 'retry'));
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw unread('it is not JSON');
  }
  if (!isObject(body)) throw unread('it is not an object');
  return body;
}

/** `errors` may be a text instead of a list; an HTML page is not repeated in messages. */
function errorText(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (!isObject(body)) return '';
    return quote(body.errors ?? body.error_description ?? body.error ?? '');
  } catch {
    return '';
  }
}

/** 504 says that the query took too long; a repetition would take as long. */
export function heavyInsteadOfLate(error: unknown, query: string): unknown {
  if (!(error instanceof ProviderUnavailable) || error.context.status !== 504) return error;
  return new PageTooHeavy(query, error.message, 'retry');
}
