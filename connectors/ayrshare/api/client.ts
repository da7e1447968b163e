/**
 * Client of Ayrshare's API, for one profile. Every request waits for its turn among those of all workers, and every
 * answer that names its profile must name ours.
 */
import { AccountDiffers, type Named, RateLimited } from '../../kit/errors.ts';
import type { Fields } from '../../kit/fields.ts';
import { type HttpAnswer, makeHttp } from '../../kit/http/http.ts';
import { RetryableError, type RetryOptions, withRetry } from '../../kit/http/retry.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { keysOf, PROVIDER } from '../key.ts';
import { bodyOf } from './answers.ts';
import { makeLimits } from './limits.ts';

type Method = 'GET' | 'POST' | 'DELETE';
export type Params = Readonly<Record<string, string>>;
export type Got = { body: Fields; sentAt: Date };

export type Ayrshare = {
  connection: Named & { account: string };
  /** Whether X can be read: each operation there takes the keys of an app of X. */
  hasX: boolean;
  now(): Date;
  get(path: string, params?: Params): Promise<Got>;
  post(path: string, body: object): Promise<Got>;
  delete(path: string, body: object): Promise<Got>;
};

export type AyrshareContext = Pick<StreamContext, 'connection' | 'db' | 'signal' | 'stats' | 'now'>;

export function openAyrshare({ connection, db, signal, stats, now }: AyrshareContext): Ayrshare {
  const { account, baseUrl } = connection;
  const { headers, secrets, hasX } = keysOf(connection);
  // A status says less than the code in its body, so none is judged before the body is read.
  const http = makeHttp({ provider: PROVIDER, account, signal, stats, judgesStatuses: false });
  const limits = makeLimits(db, account);
  const persistence: RetryOptions = { signal, stats };

  const once = async (method: Method, path: string, body?: object): Promise<Got> => {
    await limits.take(persistence);
    const sentAt = now();
    const answer: HttpAnswer = await http.once({
      ...{ method, url: `${baseUrl}${path}`, secrets },
      headers: { ...headers, ...(body && { 'content-type': 'application/json; charset=utf-8' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    await limits.note(answer.headers);
    try {
      return { body: ofProfile(bodyOf(answer, { connection, account, path: pathOf(path) })), sentAt };
    } catch (error) {
      if (error instanceof RetryableError && error.failure instanceof RateLimited)
        await limits.refused(persistence);
      throw error;
    }
  };

  /** Without its `Profile-Key` a request is answered for the primary profile, as if nothing were wrong. */
  const ofProfile = (body: Fields): Fields => {
    if (typeof body.refId === 'string' && body.refId !== account)
      throw new AccountDiffers(PROVIDER, account, body.refId, connection);
    return body;
  };

  const ask = (method: Method, path: string, body?: object) =>
    withRetry(() => once(method, path, body), persistence);

  return {
    ...{ connection, hasX, now },
    get: (path, params = {}) => ask('GET', `${path}${queryOf(params)}`),
    post: (path, body) => ask('POST', path, body),
    delete: (path, body) => ask('DELETE', path, body),
  };
}

function queryOf(params: Params): string {
  const query = new URLSearchParams(params);
  return query.size > 0 ? `?${query}` : '';
}

function pathOf(path: string): string {
  return path.split('?')[0] ?? path;
}
