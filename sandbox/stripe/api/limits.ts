import type { StripeAccount } from '../objects.ts';
import { StripeError } from './stripe_error.ts';

/** Counts requests, and refuses those that are too many. */
export class RateLimits {
  readonly #counts = new Map<string, { span: number; count: number }>();

  /** All ids of one kind share an endpoint: `/v1/charges/{id}`. */
  assertWithin({ id, limits }: StripeAccount, path: string): void {
    if (!limits) return;
    const { seconds, global = Number.POSITIVE_INFINITY, endpoint = Number.POSITIVE_INFINITY } = limits;
    const span = Math.floor(Date.now() / 1000 / seconds);
    if (this.#count(id, span) > global) throw tooMany('global-rate');
    const steps = path.split('/').map((step, index) => (index === 3 ? '{id}' : step));
    if (this.#count(`${id} ${steps.join('/')}`, span) > endpoint) throw tooMany('endpoint-rate');
  }

  #count(key: string, span: number): number {
    const before = this.#counts.get(key);
    const count = before?.span === span ? before.count + 1 : 1;
    this.#counts.set(key, { span, count });
    return count;
  }
}

export const TOO_MANY =
  'Request rate limit exceeded. Learn more about rate limits at https://stripe.com/docs/rate-limits.';

function tooMany(reason: string): StripeError {
  return new StripeError(429, TOO_MANY, {
    code: 'rate_limit',
    headers: { 'stripe-rate-limited-reason': reason },
  });
}
