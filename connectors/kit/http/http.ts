/**
 * HTTP to providers: one request at a time, with a limit on every wait, every size and the whole.
 * Redirects are refused, and no error carries more of an address than its path, because queries and
 * headers hold keys. Transient failures are thrown as `RetryableError`, for the retry policy in `retry.ts`.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, type Dispatcher, request as undiciRequest } from 'undici';
import { SECRET } from '#runtime/shapes.ts';
import { AnswerTooLarge, ProviderUnavailable, RateLimited, RedirectRefused } from '../errors.ts';
import { type BodyLimits, BodyTooSlow, inTime, USUAL_PACE } from './body.ts';
import { RETRY_AFTER_MS_MAX, type RequestStats, RetryableError } from './retry.ts';

export const CONNECT_TIMEOUT_MS = 10_000;
export const HEADERS_TIMEOUT_MS = 60_000;
/** Between two chunks of a body. */
export const BODY_TIMEOUT_MS = 60_000;
export const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** For an answer that is read completely, from headers to end. */
export const ANSWER_MS_MAX = 5 * 60_000;
/** For draining an unwanted answer, so that its connection can be reused. */
const LEFT_MS_MAX = 5_000;
const LEFT_BYTES_MAX = 128 * 1024;
export const USER_AGENT = 'Nightshift/0.1';

/**
 * Statuses that mean "later". 530 and 540 come from networks in front of a provider: a name that the edge
 * cannot resolve, and a host that is temporarily off.
 */
const LATER = new Set([408, 500, 502, 503, 504, 530, 540]);
/** The answer to a conditional request; it is not a redirect. */
const NOT_MODIFIED = 304;
const UNDICI_ABORTED = 'UND_ERR_ABORTED';

export type HttpRequest = {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  body?: string;
};

/** `secrets` are the credentials of the request: an answer that echoes one is read without it. */
export type KeyedRequest = HttpRequest & { secrets: readonly string[] };

export type HttpAnswer = { status: number; headers: IncomingHttpHeaders; text: string };
export type HttpBytes = { status: number; headers: IncomingHttpHeaders; bytes: Buffer };
export type HttpStream = { status: number; headers: IncomingHttpHeaders; body: AsyncIterable<Buffer> };

export type Http = {
  stats: RequestStats;
  signal: AbortSignal;
  /** One request with its complete answer. */
  once(request: KeyedRequest): Promise<HttpAnswer>;
  /** The same as bytes, with another size limit. */
  whole(request: HttpRequest, bytesMax: number): Promise<HttpBytes>;
  /** The headers of an answer, with a body to read in chunks. */
  open(request: HttpRequest): Promise<HttpStream>;
};

export type HttpOptions = {
  provider: string;
  account: string;
  signal: AbortSignal;
  stats: RequestStats;
  /** False if the caller judges answers by their bodies: only redirects are refused then. */
  judgesStatuses?: boolean;
  /** For tests. */
  limits?: BodyLimits;
};

// One connection pool per process: idle connections close by themselves and do not keep the process alive.
const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });

export function makeHttp(options: HttpOptions): Http {
  const { provider, account, signal, stats, judgesStatuses = true, limits } = options;
  const head = async (request: HttpRequest): Promise<Dispatcher.ResponseData> => {
    stats.requests++;
    try {
      return await undiciRequest(request.url, {
        dispatcher: agent,
        method: request.method,
        headers: { 'user-agent': USER_AGENT, ...request.headers },
        body: request.body ?? null,
        signal,
        headersTimeout: HEADERS_TIMEOUT_MS,
        bodyTimeout: BODY_TIMEOUT_MS,
      });
    } catch (error) {
      throw lost(error, request);
    }
  };

  const lost = (error: unknown, request: HttpRequest): unknown => {
    if (signal.aborted) return signal.reason;
    if (error instanceof TypeError) return error; // an invalid address: waiting does not help
    const slow = error instanceof BodyTooSlow ? `too slow, ${error.message}` : undefined;
    const what = `${slow ?? codeOf(error)} at ${placeOf(request.url)}`;
    return new RetryableError(new ProviderUnavailable(provider, what, { cause: error }));
  };

  const open = async (request: HttpRequest, totalMsMax?: number): Promise<HttpStream> => {
    const answer = await head(request);
    const { statusCode: status, headers, body } = answer;
    const refusal = refused(status, headers, request);
    if (refusal) {
      // An unread body must block neither the connection nor this request.
      const enough = AbortSignal.any([signal, AbortSignal.timeout(LEFT_MS_MAX)]);
      await body.dump({ limit: LEFT_BYTES_MAX, signal: enough }).catch(() => {});
      throw refusal;
    }
    const within = limits ?? { ...USUAL_PACE, ...(totalMsMax && { totalMsMax }) };
    return { status, headers, body: pieces(inTime(body, within), request) };
  };

  const refused = (status: number, headers: IncomingHttpHeaders, request: HttpRequest): Error | undefined => {
    const place = placeOf(request.url);
    if (status >= 300 && status < 400 && status !== NOT_MODIFIED)
      return new RedirectRefused(provider, place, status);
    if (!judgesStatuses) return undefined;
    const waitMs = retryAfterMs(headers['retry-after']);
    if (status === 429)
      return new RetryableError(new RateLimited(provider, account, waitMs ?? 1000), { waitMs });
    if (!LATER.has(status)) return undefined;
    return new RetryableError(
      new ProviderUnavailable(provider, `${status} at ${place}`, { status, retryAfterMs: waitMs }),
      { waitMs },
    );
  };

  async function* pieces(body: AsyncIterable<Buffer>, request: HttpRequest): AsyncGenerator<Buffer> {
    try {
      for await (const piece of body) {
        stats.bytes += piece.length;
        yield piece;
      }
    } catch (error) {
      throw lost(error, request);
    }
  }

  const whole = async (request: HttpRequest, bytesMax: number): Promise<HttpBytes> => {
    const { status, headers, body } = await open(request, ANSWER_MS_MAX);
    const read: Buffer[] = [];
    let size = 0;
    for await (const piece of body) {
      size += piece.length;
      if (size > bytesMax) throw new AnswerTooLarge(provider, placeOf(request.url), bytesMax);
      read.push(piece);
    }
    return { status, headers, bytes: Buffer.concat(read) };
  };

  return {
    stats,
    signal,
    whole,
    open: (request) => open(request),
    async once(request) {
      const { status, headers, bytes } = await whole(request, ANSWER_BYTES_MAX);
      return { status, headers, text: withoutSecrets(bytes.toString('utf8'), request) };
    },
  };
}

/** The forms in which a provider may echo it: plain, or escaped for JSON. */
function withoutSecrets(text: string, { secrets }: KeyedRequest): string {
  return secrets
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .reduce((clean, secret) => (secret === '' ? clean : clean.replaceAll(secret, SECRET)), text);
}

/** `Retry-After` in seconds, with decimals too, or as a date; at most a day. */
export function retryAfterMs(value: string | string[] | undefined, now = Date.now()): number | undefined {
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? Math.ceil(seconds * 1000) : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(RETRY_AFTER_MS_MAX, Math.max(0, ms));
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code === undefined || code === UNDICI_ABORTED ? (message ?? String(error)) : code;
}

/** An address without its query, which may hold a signature. */
export function placeOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
