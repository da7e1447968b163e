/**
 * The rate limit of an account, shared by all workers: each request takes a token from two buckets of
 * `ops.rate_budgets`, of the account and of the endpoint, in one statement, and waits until both have come in, in turn
 * with the others. The limit that an operator has set is read with each request, so that a change affects running jobs
 * at once. The clock is the database's.
 * https://docs.stripe.com/rate-limits
 */

import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { RateLimited } from '../../kit/errors.ts';
import type { Bucket } from '../../kit/http/rate_limit.ts';
import { pause, RETRY_AFTER_MS_MAX, type RetryOptions, TURN_WAIT_MS_MAX } from '../../kit/http/retry.ts';
import type { ConnectorDb } from '../../kit/stream.ts';
import { PROVIDER } from './answers.ts';

// Stripe allows 100 requests a second in live mode, 25 in test mode, and 25 for each endpoint. The full bucket plus one
// second of refill stay below that, with room for other programs of the account.
const ACCOUNT_LIVE: Bucket = { maximum: 10, restorePerSecond: 60 };
const ACCOUNT_TEST: Bucket = { maximum: 4, restorePerSecond: 20 };
const ENDPOINT: Bucket = { maximum: 4, restorePerSecond: 20 };
/** The shares of an operator's limit: bucket size, and refill per second. */
const SAVED_SHARE = 0.16;
const FLOW_SHARE = 0.8;

export type Pace = {
  /** Takes a token from the buckets of the account and of the endpoint and waits for its turn. */
  take(endpoint: string, persistence: RetryOptions): Promise<void>;
  /** Blocks all requests to the account for this many milliseconds, at most a day. */
  block(ms: number): Promise<void>;
};

export type Paced = ConnectionKey & { account: string; livemode: boolean };

export function makePace(db: ConnectorDb, { brandId, connectionId, account, livemode }: Paced): Pace {
  const owner = livemode ? account : `${account} test`;
  const buckets = [livemode ? ACCOUNT_LIVE : ACCOUNT_TEST, ENDPOINT];
  const usual = [buckets.map(({ maximum }) => maximum), buckets.map((bucket) => bucket.restorePerSecond)];
  const shares = [SAVED_SHARE, FLOW_SHARE];
  return {
    async take(endpoint, persistence) {
      const names = [owner, `${owner} ${endpoint}`];
      const { rows } = await db.query<{ wait_ms: number }>(TAKE, [
        ...[PROVIDER_KEY, names, ...usual, ...shares, brandId, connectionId],
      ]);
      const waitMs = Math.max(0, ...rows.map((row) => row.wait_ms));
      if (waitMs > TURN_WAIT_MS_MAX) {
        for (const name of names) await db.query(GIVE_BACK, [PROVIDER_KEY, name]);
        throw new RateLimited(PROVIDER, account, waitMs);
      }
      if (waitMs > 0) await pause(waitMs, persistence);
    },
    async block(ms) {
      await db.query(BLOCK, [PROVIDER_KEY, owner, Math.min(ms, RETRY_AFTER_MS_MAX)]);
    },
  };
}

const PROVIDER_KEY = 'stripe';

// The account comes first in every statement, so that no two of them deadlock. While the instant of a bucket is in the
// future (see BLOCK), nothing flows in. A crash of the server may lose counts, which then start over, so commits do not
// wait for the disk.
const TAKE = `
  insert into ops.rate_budgets as b (provider, account, available, maximum, restore_per_second, seen_at)
  select $1, w.account, l.maximum - 1, l.maximum, l.restore, clock_timestamp()
  from unnest($2::text[], $3::numeric[], $4::numeric[]) with ordinality as w (account, maximum, restore, place)
  cross join (select set_config('synchronous_commit', 'off', true)) as unsafe
  left join app.connections c on c.brand_id = $7 and c.id = $8
  cross join lateral (
    select case when c.requests_per_second is null then w.maximum
                else greatest(1, floor(c.requests_per_second * $5::numeric)) end as maximum,
           coalesce(c.requests_per_second * $6::numeric, w.restore) as restore
  ) l
  order by w.place
  on conflict (provider, account) do update set
    available = least(excluded.maximum, b.available + excluded.restore_per_second
      * greatest(0, extract(epoch from clock_timestamp() - b.seen_at))) - 1,
    maximum = excluded.maximum, restore_per_second = excluded.restore_per_second,
    seen_at = greatest(b.seen_at, clock_timestamp())
  returning ceil(1000 * (greatest(0, extract(epoch from seen_at - clock_timestamp()))
    + greatest(0, -available / restore_per_second)))::float8 as wait_ms`;

const GIVE_BACK = `
  update ops.rate_budgets set available = available + 1 where provider = $1 and account = $2`;

// Empties the bucket and stops the refill until the pause is over, so that waiting requests continue one after the
// other instead of all at once.
const BLOCK = `
  update ops.rate_budgets set
    available = least(available, 0),
    seen_at = greatest(seen_at, clock_timestamp() + make_interval(secs => $3::float8 / 1000))
  where provider = $1 and account = $2`;
