/**
 * Client of Shopify's Admin GraphQL API. Each request waits for its cost in the bucket, is retried if that can help,
 * and either returns complete data or throws an error with its verdict.
 */
import type { z } from 'zod';
import { quote } from '#runtime/scrub.ts';
import { AnswerNotUnderstood, RateLimited } from '../../kit/errors.ts';
import { type Http, type HttpAnswer, makeHttp } from '../../kit/http/http.ts';
import { makeBudget } from '../../kit/http/rate_limit.ts';
import { RetryableError, type RetryOptions, withRetry } from '../../kit/http/retry.ts';
import type { StreamContext } from '../../kit/stream.ts';
import {
  bodyOf,
  type Cost,
  checkStatus,
  costOf,
  dataOf,
  heavyInsteadOfLate,
  PROVIDER,
  type Requested,
  SECURITY_PAUSE_MS,
} from './answers.ts';
import { tokenSource } from './auth.ts';
import { API_VERSION, type Query } from './queries.ts';

/** The figures of a standard plan; the first answer corrects them. */
const FIRST_BUCKET = { maximum: 2000, restorePerSecond: 100 };

export type Variables = Readonly<Record<string, string | number | null | readonly string[]>>;

export type Shopify = {
  http: Http;
  /** `attemptsMax`: 1 for a request that must not be repeated when its answer is lost. */
  ask<S extends z.ZodType>(
    query: Query,
    variables: Variables,
    answer: S,
    attemptsMax?: number,
  ): Promise<z.output<S>>;
};

export type ShopifyContext = Pick<
  StreamContext,
  'connection' | 'db' | 'sealer' | 'signal' | 'stats' | 'warn'
>;

export function openShopify(context: ShopifyContext): Shopify {
  const { connection, db, signal, stats, warn } = context;
  const { account, baseUrl } = connection;
  const http = makeHttp({ provider: PROVIDER, account, signal, stats });
  const tokens = tokenSource({ ...context, http });
  const budget = makeBudget(db, 'shopify', account, FIRST_BUCKET);
  const costs = new Map<string, number>(); // the cost that Shopify reserves for each query, once known

  const post = async (query: Query, variables: Variables, token: string): Promise<HttpAnswer> => {
    try {
      return await http.once({
        method: 'POST',
        url: `${baseUrl}/admin/api/${API_VERSION}/graphql.json`,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'x-shopify-access-token': token,
        },
        body: JSON.stringify({ query: query.text, variables, operationName: query.name }),
        secrets: [token],
      });
    } catch (error) {
      if (error instanceof RetryableError && error.failure instanceof RateLimited)
        await budget.block(error.waitMs ?? 1000);
      throw error;
    }
  };

  const settle = async (reserved: number, cost: Cost | undefined) => {
    if (!cost) return;
    const { available, maximum, restorePerSecond, actual } = cost;
    await budget.correct({ available, maximum, restorePerSecond, reserved, actual: actual ?? 0 });
  };

  const noteVersion = ({ headers }: HttpAnswer) => {
    const version = headers['x-shopify-api-version'];
    if (typeof version === 'string' && version !== API_VERSION) {
      warn(`Shopify answered with API version ${quote(version)} instead of ${API_VERSION}`);
    }
  };

  const once = async (query: Query, variables: Variables, token: string, persistence: RetryOptions) => {
    const requested: Requested = { connection, account, query: query.name };
    const reserved = costs.get(query.text) ?? query.cost;
    await budget.take(reserved, persistence);
    const answer = await post(query, variables, token).catch(async (error: unknown) => {
      await budget.giveBack(reserved);
      throw error;
    });
    noteVersion(answer);
    if (answer.status === 430) await budget.block(SECURITY_PAUSE_MS);
    checkStatus(answer, requested);
    const body = bodyOf(answer, requested);
    const cost = costOf(body);
    if (cost) costs.set(query.text, cost.requested);
    await settle(reserved, cost);
    return dataOf(body, requested, cost);
  };

  return {
    http,
    async ask(query, variables, answer, attemptsMax) {
      const persistence: RetryOptions = { signal, stats, ...(attemptsMax && { attemptsMax }) };
      const withToken = async (token: string) => {
        try {
          return await withRetry(() => once(query, variables, token, persistence), persistence);
        } catch (error) {
          throw heavyInsteadOfLate(error, query.name);
        }
      };
      const data = await tokens.use(withToken);
      const { success, data: checked, error } = answer.safeParse(data);
      if (success) return checked;
      throw new AnswerNotUnderstood(
        PROVIDER,
        query.name,
        quote(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')),
      );
    },
  };
}
