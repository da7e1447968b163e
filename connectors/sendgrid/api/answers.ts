/**
 * Turns an answer of SendGrid into a value, a wait, or an error with its verdict.
 * https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
 */
import type { IncomingHttpHeaders } from 'node:http';
import { quote } from '#runtime/scrub.ts';
import {
  AnswerNotUnderstood,
  CredentialsRejected,
  Denied,
  type Named,
  ProviderUnavailable,
  RateLimited,
  RequestRefused,
} from '../../kit/errors.ts';
import { isObject } from '../../kit/fields.ts';
import { type HttpAnswer, retryAfterMs } from '../../kit/http/http.ts';
import { RetryableError } from '../../kit/http/retry.ts';
import { PROVIDER } from '../key.ts';

/** The wait after a 429 that names none. */
const LIMITED_PAUSE_MS = 2_000;
const RESET_MS_MIN = 1_000;
const RESET_MS_MAX = 300_000;
/** Reset is an instant in Unix seconds by one page of the documentation, and seconds from now by another. */
const INSTANT_SECONDS_MIN = 1_000_000_000;

export type Requested = { connection: Named; account: string; path: string };

/** SendGrid has no such object (any more). */
export class ObjectMissing extends Error {}

/** The JSON of a successful answer; throws the error of any other one. */
export function bodyOf(answer: HttpAnswer, requested: Requested): unknown {
  const { status, text } = answer;
  const body = parsed(text);
  if (status >= 300) throw failureOf(answer, body, requested);
  if (body !== undefined) return body;
  throw new RetryableError(new AnswerNotUnderstood(PROVIDER, requested.path, 'it is not JSON', 'retry'));
}

function failureOf({ status, headers }: HttpAnswer, body: unknown, requested: Requested): Error {
  const { connection, account, path } = requested;
  const errors = isObject(body) && Array.isArray(body.errors) ? body.errors.filter(isObject) : [];
  const said = [String(status), ...errors.map(({ message }) => quote(message ?? ''))].join(' ').trim();
  if (status === 429) {
    const waitMs = waitMsOf(headers) ?? LIMITED_PAUSE_MS;
    return new RetryableError(new RateLimited(PROVIDER, account, waitMs), { waitMs });
  }
  if (status >= 500 || status === 408) {
    const waitMs = retryAfterMs(headers['retry-after']);
    const failure = new ProviderUnavailable(PROVIDER, `${said} at ${path}`, { status, retryAfterMs: waitMs });
    return new RetryableError(failure, waitMs === undefined ? {} : { waitMs });
  }
  if (status === 401) return new CredentialsRejected(PROVIDER, connection, said);
  if (status === 403) return new Denied(PROVIDER, connection, said);
  if (status === 404) return new ObjectMissing(said);
  return new RequestRefused(PROVIDER, path, said);
}

/** How long an answer says that the limit lasts; undefined if it says nothing. */
export function waitMsOf(headers: IncomingHttpHeaders, now = Date.now()): number | undefined {
  const asked = retryAfterMs(headers['retry-after']);
  if (asked !== undefined) return asked;
  const reset = numberIn(headers, 'x-ratelimit-reset');
  if (reset === undefined) return undefined;
  const ms = reset > INSTANT_SECONDS_MIN ? reset * 1000 - now : reset * 1000;
  return Math.min(RESET_MS_MAX, Math.max(RESET_MS_MIN, ms));
}

/** Bounds what an answer may claim. */
const ALLOWED_MAX = 1_000;

/** How many requests the endpoint allows within its window, and how many of them are left; undefined if it says neither. */
export function allowedBy(headers: IncomingHttpHeaders): { maximum: number; left: number } | undefined {
  const [limit, remaining] = [
    numberIn(headers, 'x-ratelimit-limit'),
    numberIn(headers, 'x-ratelimit-remaining'),
  ];
  if (!limit || remaining === undefined) return undefined;
  const maximum = Math.min(limit, ALLOWED_MAX);
  return { maximum, left: Math.min(remaining, maximum) };
}

/** Whether this was the last request that the limit allows for now. */
export function isUsedUp(headers: IncomingHttpHeaders): boolean {
  return numberIn(headers, 'x-ratelimit-remaining') === 0;
}

function numberIn(headers: IncomingHttpHeaders, name: string): number | undefined {
  const value = headers[name];
  return typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
