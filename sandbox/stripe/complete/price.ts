import { isPlain } from '../../plain.ts';
import type { StripeObject } from '../objects.ts';

export function completePrice(price: StripeObject): StripeObject {
  const { unit_amount: amount, recurring } = price;
  const interval = isPlain(recurring)
    ? { interval: 'month', interval_count: 1, usage_type: 'licensed', ...recurring }
    : (recurring ?? null);
  return {
    active: price.active ?? true,
    billing_scheme: price.billing_scheme ?? (price.tiers === undefined ? 'per_unit' : 'tiered'),
    type: price.type ?? (interval === null ? 'one_time' : 'recurring'),
    recurring: interval,
    unit_amount_decimal: price.unit_amount_decimal ?? (typeof amount === 'number' ? String(amount) : null),
  };
}
