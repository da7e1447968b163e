/**
 * The rate limit of an account, shared by all workers through `ops.rate_budgets`: a token bucket that refills every
 * second. Each request takes its cost before it is sent, even if that overdraws the bucket: then it waits, in turn with
 * the others, until its tokens have come in. The provider's answers correct the bucket. The clock is the database's.
 */
import { RateLimited } from '../errors.ts';
import type { ConnectorDb } from '../stream.ts';
import { pause, RETRY_AFTER_MS_MAX, type RetryOptions, TURN_WAIT_MS_MAX } from './retry.ts';

export type Bucket = { maximum: number; restorePerSecond: number };

/** The provider's own bucket after a request, and the cost of the request. */
export type Reading = Bucket & { available: number; reserved: number; actual: number };

export type Budget = {
  /** Takes `cost` from the bucket and waits for its turn. */
  take(cost: number, persistence: RetryOptions): Promise<void>;
  /** Returns the cost of a request that was never processed. */
  giveBack(cost: number): Promise<void>;
  correct(reading: Reading): Promise<void>;
  /** Blocks all requests for this many milliseconds, at most a day. */
  block(ms: number): Promise<void>;
};

export function makeBudget(db: ConnectorDb, provider: string, account: string, first: Bucket): Budget {
  const key = [provider, account];
  const start = [first.maximum, first.restorePerSecond];
  const giveBack = async (cost: number) => void (await db.query(GIVE_BACK, [...key, cost]));
  return {
    giveBack,
    async take(cost, persistence) {
      const { rows } = await db.query<{ wait_ms: number }>(TAKE, [...key, ...start, cost]);
      const waitMs = rows[0]?.wait_ms ?? 0;
      if (waitMs > TURN_WAIT_MS_MAX) {
        await giveBack(cost);
        throw new RateLimited(provider, account, waitMs);
      }
      if (waitMs > 0) await pause(waitMs, persistence);
    },
    async correct({ available, maximum, restorePerSecond, reserved, actual }) {
      await db.query(CORRECT, [...key, available, maximum, restorePerSecond, reserved - actual]);
    },
    async block(ms) {
      await db.query(BLOCK, [...key, ...start, Math.min(ms, RETRY_AFTER_MS_MAX)]);
    },
  };
}

const FILLED = `least(b.maximum,
  b.available + b.restore_per_second * greatest(0, extract(epoch from clock_timestamp() - b.seen_at)))`;

// One statement reads and takes, so that no two workers take the same tokens. A cost above the maximum takes a full
// bucket.
const TAKE = `
  insert into ops.rate_budgets as b (provider, account, available, maximum, restore_per_second, seen_at)
  values ($1, $2, $3::numeric - least($3::numeric, $5::numeric), $3::numeric, $4::numeric, clock_timestamp())
  on conflict (provider, account) do update set
    available = ${FILLED} - least(b.maximum, $5::numeric),
    seen_at = greatest(b.seen_at, clock_timestamp())
  returning ceil(1000 * greatest(0, -available / restore_per_second,
    extract(epoch from blocked_until - clock_timestamp())))::float8 as wait_ms`;

const GIVE_BACK = `
  update ops.rate_budgets b set available = b.available + least(b.maximum, $3::numeric)
  where provider = $1 and account = $2`;

// The lower of the provider's figure and our own count, which includes requests that the provider has not seen yet.
// If the plan of the account differs from ours, the provider's figure is used.
const CORRECT = `
  update ops.rate_budgets b set
    available = case when b.maximum = $4::numeric and b.restore_per_second = $5::numeric
      then least(${FILLED} + $6::numeric, $3::numeric) else $3::numeric end,
    maximum = $4::numeric, restore_per_second = $5::numeric, seen_at = greatest(b.seen_at, clock_timestamp())
  where provider = $1 and account = $2`;

const BLOCK = `
  insert into ops.rate_budgets as b
    (provider, account, available, maximum, restore_per_second, seen_at, blocked_until)
  values ($1, $2, $3::numeric, $3::numeric, $4::numeric, clock_timestamp(),
    clock_timestamp() + make_interval(secs => $5::float8 / 1000))
  on conflict (provider, account) do update set
    blocked_until = greatest(b.blocked_until, excluded.blocked_until)`;
