/**
 * Turns an answer of Ayrshare into a value, a wait, or an error with its verdict. The code decides first, then
 * `retryAvailable`, then the status: the same trouble comes with different statuses.
 * https://www.ayrshare.com/docs/errors/errors-ayrshare
 */
import { quote } from '#runtime/scrub.ts';
import {
  AccountSuspended,
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
import { PROVIDER } from '../key.ts';

/** 300 requests are counted in fixed windows of this length, and no header says when one ends. */
export const WINDOW_MS = 5 * 60_000;

/**
 * What a refusal of one network, or of one post, means: nothing is there; its owner must link it again; the network
 * limits Ayrshare; the post is not there any more; it failed, or does so for now.
 */
export type Kind = 'empty' | 'unlinked' | 'throttled' | 'missing' | 'failed' | 'unavailable';

/** Concerns one network or one post: the others go on. */
export class Refused extends Error {
  readonly kind: Kind;
  readonly platform: string | undefined;

  constructor(kind: Kind, message: string, platform?: string) {
    super(message);
    this.kind = kind;
    this.platform = platform;
  }
}

const KINDS: ReadonlyMap<unknown, Kind> = new Map<unknown, Kind>([
  ...[187, 349, 350].map((code) => [code, 'empty'] as const),
  ...[156, 161, 272].map((code) => [code, 'unlinked'] as const),
  ...[114, 186, 485].map((code) => [code, 'missing'] as const),
  [444, 'throttled'],
]);

export type Requested = { connection: Named; account: string; path: string };

/** The JSON object of a successful answer, which may be partial; throws the error of any other one. */
export function bodyOf(answer: HttpAnswer, requested: Requested): Fields {
  const { status } = answer;
  const body = parsed(answer.text);
  const isFine = status < 300 && body !== undefined && body.status !== 'error';
  if (isFine) return body;
  if (status < 300 && body === undefined)
    throw new RetryableError(
      new AnswerNotUnderstood(PROVIDER, requested.path, 'it is not a JSON object', 'retry'),
    );
  throw failureOf(answer, body ?? {}, requested);
}

function failureOf(
  { status, headers }: HttpAnswer,
  body: Fields,
  { connection, account, path }: Requested,
): Error {
  const waitMs = retryAfterMs(headers['retry-after']);
  const [first] = Array.isArray(body.errors) ? body.errors.filter(isObject) : [];
  const error = body.code === undefined && first ? first : body;
  const { code, message } = error;
  const said = [status, code, message].flatMap((part) => (part === undefined ? [] : quote(part))).join(' ');
  const refused = refusalOf({ ...error, status: 'error' });
  const isOfNetwork = KINDS.has(code) || (status === 429 && code !== undefined && code !== 429);
  if (refused && isOfNetwork)
    return status === 429 ? new Refused('throttled', said, refused.platform) : refused;
  if (status === 429) {
    const pauseMs = Math.max(WINDOW_MS, waitMs ?? 0);
    return new RetryableError(new RateLimited(PROVIDER, account, pauseMs), { waitMs: pauseMs });
  }
  if (error.retryAvailable === true || status >= 500 || status === 408)
    return new RetryableError(
      new ProviderUnavailable(PROVIDER, `${said} at ${path}`, { status, retryAfterMs: waitMs }),
      { waitMs },
    );
  // Whatever the status, an error that names a network says nothing of the profile.
  if (typeof error.platform === 'string') return new Refused('failed', said, error.platform);
  if (status === 401) return new CredentialsRejected(PROVIDER, connection, said);
  if (status === 403 && /suspend/i.test(String(message)))
    return new AccountSuspended(PROVIDER, account, said, false);
  if (status === 402 || status === 403)
    return new Denied(PROVIDER, connection, said, `a plan of Ayrshare with ${path}`);
  return new RequestRefused(PROVIDER, path, said);
}

/** The refusal of a network, where an error object stands; in `errors`, or in place of its numbers. */
export function refusalOf(value: unknown): Refused | undefined {
  if (!isObject(value) || value.status !== 'error') return undefined;
  const { code, message, platform } = value;
  const said = [code, message].flatMap((part) => (part === undefined ? [] : quote(part))).join(' ');
  const network = typeof platform === 'string' ? platform : undefined;
  return new Refused(KINDS.get(code) ?? 'failed', said, network);
}

/**
 * What an answer for several networks says of each: its numbers, or why there are none. Where one alone was asked, an
 * error that names none is its own.
 */
export function networksOf(body: Fields, asked: readonly string[]): ReadonlyMap<string, Fields[] | Refused> {
  const errors = Array.isArray(body.errors) ? body.errors.flatMap((error) => refusalOf(error) ?? []) : [];
  const isAlone = asked.length === 1;
  return new Map(
    asked.map((platform): [string, Fields[] | Refused] => {
      // A thread of X is a list of posts.
      const found = [body[platform]].flat().filter(isObject);
      const refusal =
        found.map(refusalOf).find((one) => one !== undefined) ??
        errors.find((error) => error.platform === platform || (isAlone && error.platform === undefined));
      const numbers = found.filter(({ analytics }) => isObject(analytics));
      if (numbers.length > 0) return [platform, numbers];
      return [platform, refusal ?? new Refused('empty', 'there is nothing')];
    }),
  );
}

function parsed(text: string): Fields | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
