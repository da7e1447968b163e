/**
 * Turns an answer of Stripe into a value, a wait, or an error with its verdict.
 * https://docs.stripe.com/error-low-level
 */
import { quote } from '#runtime/scrub.ts';
import {
  AccountNotFound,
  AnswerNotUnderstood,
  CredentialsRejected,
  Denied,
  type Named,
  ProviderUnavailable,
  RateLimited,
  RequestRefused,
} from '../../kit/errors.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import { type HttpAnswer, retryAfterMs } from '../../kit/http/http.ts';
import { RetryableError } from '../../kit/http/retry.ts';

export const PROVIDER = 'Stripe';

export type Requested = { connection: Named; account: string; path: string };

/** For how long a 429 holds where it does not say so itself, which it never does today. */
const LIMITED_PAUSE_MS = 1_000;
/** Statuses below 500 that pass by themselves: a timeout, a conflict, something behind Stripe that failed. */
const PASSING = new Set([408, 409, 424]);

/** Stripe has no such object; `param` says whether the requested one or the one in a cursor is missing. */
export class ObjectMissing extends Error {
  readonly param: string;

  constructor(message: string, param: string) {
    super(message);
    this.param = param;
  }
}

/** The JSON object of a successful answer; throws the error of any other one. */
export function bodyOf(answer: HttpAnswer, requested: Requested): Fields {
  const body = parsed(answer.text);
  if (answer.status >= 400) throw failureOf(answer, body, requested);
  if (body) return body;
  throw new RetryableError(
    new AnswerNotUnderstood(PROVIDER, requested.path, 'it is not a JSON object', 'retry'),
  );
}

function failureOf({ status, headers }: HttpAnswer, body: Fields | undefined, requested: Requested): Error {
  const error = isObject(body?.error) ? body.error : {};
  const { code, message, param } = error;
  const request = headers['request-id'];
  const said = [status, code, message].flatMap((part) => (part === undefined ? [] : quote(part))).join(' ');
  const answer = request === undefined ? said : `${said} (${quote(request)})`;
  const { connection, account, path } = requested;
  const shouldRetry = headers['stripe-should-retry'];
  const waitMs = retryAfterMs(headers['retry-after']);
  const isLimited = status === 429;
  if (isLimited || status >= 500 || PASSING.has(status) || shouldRetry === 'true') {
    const failure = isLimited
      ? new RateLimited(PROVIDER, account, waitMs ?? LIMITED_PAUSE_MS)
      : new ProviderUnavailable(PROVIDER, `${answer} at ${path}`, { status, retryAfterMs: waitMs });
    // Stripe knows when the same request would fail alike. A later run of the job is another one.
    return shouldRetry === 'false' ? failure : new RetryableError(failure, { waitMs });
  }
  if (code === 'resource_missing') return new ObjectMissing(answer, quote(param ?? 'id'));
  if (status === 401) return new CredentialsRejected(PROVIDER, connection, answer);
  if (code === 'account_invalid') return new AccountNotFound(PROVIDER, account, connection);
  if (status === 403) return new Denied(PROVIDER, connection, said, permissionIn(message));
  return new RequestRefused(PROVIDER, path, answer);
}

/** Stripe names the permission in its refusal: "Having the 'rak_charge_read' permission would allow…". */
function permissionIn(message: unknown): string | undefined {
  return /\brak_[a-z_]{1,64}/.exec(String(message))?.[0];
}

function parsed(text: string): Fields | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
