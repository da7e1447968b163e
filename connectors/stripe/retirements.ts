/** What Stripe has taken out of its objects, by the version that did: https://docs.stripe.com/changelog */
import type { Retirement } from '../kit/provider.ts';

const BASIL = '2025-03-31';
const CLOVER = '2025-09-30';

export const retirements: readonly Retirement[] = [
  gone(BASIL, 'stripe.subscriptions', 'current_period_start', 'items.data[].current_period_start'),
  gone(BASIL, 'stripe.subscriptions', 'current_period_end', 'items.data[].current_period_end'),
  gone(BASIL, 'stripe.invoices', 'charge', 'payments'),
  gone(BASIL, 'stripe.invoices', 'payment_intent', 'payments'),
  gone(BASIL, 'stripe.invoices', 'paid', 'status'),
  gone(BASIL, 'stripe.invoices', 'subscription', 'parent.subscription_details.subscription'),
  gone(BASIL, 'stripe.invoices', 'tax', 'total_taxes'),
  gone(BASIL, 'stripe.charges', 'invoice', 'the payments of invoices'),
  gone(CLOVER, 'stripe.promotion_codes', 'coupon', 'promotion.coupon'),
];

function gone(on: string, stream: string, name: string, instead: string): Retirement {
  const source = 'https://docs.stripe.com/changelog';
  return { on, what: `${name} of ${stream}`, field: { stream, name }, instead, source };
}
