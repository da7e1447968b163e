/**
 * The rate limit of a profile, shared by all workers. Ayrshare counts 300 requests in windows of five minutes, and
 * suspends a profile after 1,000 refusals in a day, so refusals have a bucket too: after fifty of them a request is
 * tried every half hour.
 * https://www.ayrshare.com/docs/errors/errors-http
 */
import { type Bucket, makeBudget } from '../../kit/http/rate_limit.ts';
import type { RetryOptions } from '../../kit/http/retry.ts';
import type { ConnectorDb } from '../../kit/stream.ts';
import { WINDOW_MS } from './answers.ts';

const PROVIDER_KEY = 'ayrshare';
/** A full bucket and the refill of a window are 240 requests: the rest is for other programs. */
const CALLS: Bucket = { maximum: 60, restorePerSecond: 0.6 };
const REFUSALS: Bucket = { maximum: 50, restorePerSecond: 50 / (24 * 60 * 60) };
/** So close to the limit, by the figures of an answer, others use the profile as well. */
const LEFT_MIN = 20;

export type Limits = {
  /** Waits for its turn. */
  take(persistence: RetryOptions): Promise<void>;
  /** After a refusal nothing is sent until the window has surely passed; throws once there were too many. */
  refused(persistence: RetryOptions): Promise<void>;
  /** The count of Ayrshare itself. */
  note(headers: Readonly<Record<string, string | string[] | undefined>>): Promise<void>;
};

export function makeLimits(db: ConnectorDb, profile: string): Limits {
  const calls = makeBudget(db, PROVIDER_KEY, profile, CALLS);
  const refusals = makeBudget(db, PROVIDER_KEY, `${profile} refusals`, REFUSALS);
  return {
    take: (persistence) => calls.take(1, persistence),
    async refused(persistence) {
      await calls.block(WINDOW_MS);
      await refusals.take(1, persistence);
    },
    async note({ 'x-ratelimit-max': max, 'x-ratelimit-count': count }) {
      const left = Number(max) - Number(count);
      if (count !== undefined && left < LEFT_MIN) await calls.block(WINDOW_MS);
    },
  };
}
