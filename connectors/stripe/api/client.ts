/**
 * Client of Stripe's API, with a pinned version. Every request waits for its turn among those of all workers, and is
 * retried if that can help.
 */
import { randomUUID } from 'node:crypto';
import { quote } from '#runtime/scrub.ts';
import { KeyUnfit, type Named } from '../../kit/errors.ts';
import type { Fields } from '../../kit/fields.ts';
import { type HttpAnswer, makeHttp, retryAfterMs } from '../../kit/http/http.ts';
import { type RetryOptions, withRetry } from '../../kit/http/retry.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { bodyOf, PROVIDER } from './answers.ts';
import { keyForm, readKey, SECRET_KEY_WARNING } from './key.ts';
import { makePace } from './rate_limit.ts';

export const API_VERSION = '2026-10-28.endive';

/**
 * Stripe does not say how long to wait. All requests pause this long; the request itself backs off longer each time.
 */
const LIMITED_PAUSE_MS = 500;
const ATTEMPTS_MAX = 8;
const FORM = 'application/x-www-form-urlencoded';

export type Params = readonly (readonly [name: string, value: string])[];

export type Stripe = {
  livemode: boolean;
  connection: Named;
  now(): Date;
  /** Reads an answer; `sentAt` is the time of the request. A `RetryableError` of `read` repeats the request. */
  get<T>(path: string, params: Params, read: (body: Fields, sentAt: Date) => T): Promise<T>;
  /** Changes something, once: a request that is repeated carries the key of the first. */
  send(method: 'POST' | 'DELETE', path: string, params: Params): Promise<Fields>;
};

export type StripeContext = Pick<StreamContext, 'connection' | 'db' | 'signal' | 'stats' | 'warn' | 'now'>;

export function openStripe(context: StripeContext): Stripe {
  const { connection, db, signal, stats, warn, now } = context;
  const { id: connectionId, account, auth, baseUrl, secret } = connection;
  if (!keyForm.auth.some(({ name }) => name === auth))
    throw new KeyUnfit(PROVIDER, `'${auth}' is not a way to use a key of Stripe`, keyForm.hint);
  const { livemode, isRestricted } = readKey(secret);
  if (!isRestricted) warn(SECRET_KEY_WARNING);
  const http = makeHttp({ provider: PROVIDER, account, signal, stats, judgesStatuses: false });
  const pace = makePace(db, { brandId: connection.brandId, connectionId, account, livemode });
  const headers: Record<string, string> = {
    authorization: `Bearer ${secret}`,
    'stripe-version': API_VERSION,
    ...(auth === 'connected' && { 'stripe-account': account }),
  };
  const persistence: RetryOptions = { signal, stats, attemptsMax: ATTEMPTS_MAX };

  const once = async (
    path: string,
    params: Params,
    change?: { method: 'POST' | 'DELETE'; key: string },
  ): Promise<{ body: Fields; sentAt: Date }> => {
    await pace.take(endpointOf(path), persistence);
    const sentAt = now();
    const form = new URLSearchParams(params.map(([name, value]): [string, string] => [name, value]));
    const request = change
      ? {
          ...{ method: change.method, url: `${baseUrl}${path}`, body: String(form) },
          headers: { ...headers, 'content-type': FORM, 'idempotency-key': change.key },
        }
      : {
          method: 'GET' as const,
          ...{ url: `${baseUrl}${path}${form.size > 0 ? `?${form}` : ''}`, headers },
        };
    const answer = await http.once({ ...request, secrets: [secret] });
    if (answer.status === 429)
      await pace.block(retryAfterMs(answer.headers['retry-after']) ?? LIMITED_PAUSE_MS);
    noteVersion(answer);
    return { body: bodyOf(answer, { connection, account, path }), sentAt };
  };

  const noteVersion = ({ headers: { 'stripe-version': version } }: HttpAnswer) => {
    if (typeof version === 'string' && version !== API_VERSION)
      warn(`Stripe answered with API version ${quote(version)} instead of ${API_VERSION}`);
  };

  return {
    livemode,
    connection,
    now,
    get: (path, params, read) =>
      withRetry(async () => {
        const { body, sentAt } = await once(path, params);
        return read(body, sentAt);
      }, persistence),
    send(method, path, params) {
      const change = { method, key: randomUUID() };
      return withRetry(async () => (await once(path, params, change)).body, persistence);
    },
  };
}

/** All ids of one kind share an endpoint: `/v1/charges/{id}`. */
function endpointOf(path: string): string {
  return path
    .split('/')
    .map((step, index) => (index === 3 ? '{id}' : step))
    .join('/');
}
