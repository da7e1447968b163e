/**
 * Client of SendGrid's v3 API. Every request waits for its turn among those of all workers, and is retried if that can
 * help. A key works on the host of its own region only, which is the address of the connection.
 */
import { KeyUnfit, type Named } from '../../kit/errors.ts';
import { type HttpAnswer, type HttpRequest, makeHttp } from '../../kit/http/http.ts';
import { type Bucket, makeBudget, type Reading } from '../../kit/http/rate_limit.ts';
import { type RetryOptions, withRetry } from '../../kit/http/retry.ts';
import { problemOf } from '../../kit/key_form.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { keyForm, PROVIDER } from '../key.ts';
import { allowedBy, bodyOf, isUsedUp, waitMsOf } from './answers.ts';

export const API_VERSION = 'v3';

// Limits differ by endpoint and are not published. What answers say of them may be used up at once, and blocks the bucket when it
// is; until they do, and beyond it, this is the pace.
const USUAL: Bucket = { maximum: 10, restorePerSecond: 10 };
const LIMITED_PAUSE_MS = 2_000;

export type Params = readonly (readonly [name: string, value: string])[];

export type SendGrid = {
  connection: StreamContext['connection'];
  /** Reads an answer; `sentAt` is the time of the request. A `RetryableError` of `read` repeats the request. */
  get<T>(path: string, params: Params, read: (body: unknown, sentAt: Date) => T): Promise<T>;
  post<T>(path: string, body: object, read: (body: unknown, sentAt: Date) => T): Promise<T>;
  /** Changes something. Sent once: whether it arrived, the next look shows. */
  change(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<unknown>;
  /** Waits for our turn at a path. */
  turn(path: string): Promise<void>;
  /** One request without a turn, never repeated: for what must not happen twice. */
  postOnce(path: string, body: object): Promise<HttpAnswer>;
};

export type SendGridContext = Pick<StreamContext, 'connection' | 'db' | 'signal' | 'stats' | 'now'>;

/** Whether the address is that of the EU region, which has no marketing. */
export function isEuropean({ baseUrl }: { baseUrl: string }): boolean {
  return /[./-]eu(?=[./:-]|$)/.test(baseUrl);
}

/** `asParent`: as the account of the key, where that acts for a subuser. */
export function openSendGrid(
  { connection, db, signal, stats, now }: SendGridContext,
  { asParent = false }: { asParent?: boolean } = {},
): SendGrid {
  const { account, auth, baseUrl, secret } = connection;
  const problem = problemOf(keyForm, secret);
  if (problem !== undefined) throw new KeyUnfit(PROVIDER, problem, keyForm.hint);
  const http = makeHttp({ provider: PROVIDER, account, signal, stats, judgesStatuses: false });
  const persistence: RetryOptions = { signal, stats };
  const headers = {
    authorization: `Bearer ${secret}`,
    accept: 'application/json',
    'content-type': 'application/json',
    ...(asParent ? {} : behalfOf(connection, auth)),
  };

  const budgetOf = (path: string) => makeBudget(db, 'sendgrid', `${account} ${endpointOf(path)}`, USUAL);
  const turn = (path: string) => budgetOf(path).take(1, persistence);

  const request = (
    path: string,
    params: Params,
    body: string | undefined,
    method: HttpRequest['method'] = body === undefined ? 'GET' : 'POST',
  ): Promise<HttpAnswer> => {
    const query = new URLSearchParams(params.map(([name, value]): [string, string] => [name, value]));
    const url = `${baseUrl}${path}${query.size > 0 ? `?${query}` : ''}`;
    return http.once({ method, url, headers, secrets: [secret], ...(body !== undefined && { body }) });
  };

  /** Writes down what an answer says of the limit. What a change did counts, and is not forgotten where that fails. */
  const noteLimits = async (path: string, { status, headers }: HttpAnswer, of: 'read' | 'change') => {
    const budget = budgetOf(path);
    const allowed = status < 300 ? allowedBy(headers) : undefined;
    const note = async () => {
      if (allowed) await budget.correct(readingOf(allowed));
      if (status === 429 || isUsedUp(headers)) await budget.block(waitMsOf(headers) ?? LIMITED_PAUSE_MS);
    };
    await note().catch((error) => {
      if (of === 'read') throw error;
    });
  };

  const ask = <T>(
    path: string,
    { params = [], body }: { params?: Params; body?: string },
    read: (body: unknown, sentAt: Date) => T,
  ): Promise<T> =>
    withRetry(async () => {
      await turn(path);
      const sentAt = now();
      const answer = await request(path, params, body);
      await noteLimits(path, answer, 'read');
      return read(bodyOf(answer, { connection, account, path }), sentAt);
    }, persistence);

  return {
    connection,
    get: (path, params, read) => ask(path, { params }, read),
    post: (path, body, read) => ask(path, { body: JSON.stringify(body) }, read),
    change: (method, path, body) =>
      withRetry(
        async () => {
          await turn(path);
          const answer = await request(path, [], body && JSON.stringify(body), method);
          await noteLimits(path, answer, 'change');
          const isDone = answer.status < 300 && answer.text === '';
          return isDone ? undefined : bodyOf(answer, { connection, account, path });
        },
        { ...persistence, attemptsMax: 1 },
      ),
    turn,
    async postOnce(path, body) {
      const answer = await request(path, [], JSON.stringify(body));
      await noteLimits(path, answer, 'change');
      return answer;
    },
  };
}

function readingOf({ maximum, left }: { maximum: number; left: number }): Reading {
  return { ...USUAL, maximum, available: left, reserved: 1, actual: 1 };
}

function behalfOf({ account }: Named & { account: string }, auth: string): Record<string, string> {
  if (auth === 'key') return {};
  if (auth === 'subuser') return { 'on-behalf-of': account };
  if (auth === 'customer') return { 'on-behalf-of': `account-id ${account}` };
  throw new KeyUnfit(PROVIDER, `'${auth}' is not a way to use a key of ${PROVIDER}`, keyForm.hint);
}

/** All objects of one kind share an endpoint: `/v3/logs/{id}`. */
function endpointOf(path: string): string {
  return path.replace(
    /^(\/v3\/(?:logs|marketing\/singlesends|marketing\/stats\/singlesends|user\/webhooks\/event\/settings))\/.+$/,
    '$1/{id}',
  );
}
