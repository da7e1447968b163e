/**
 * Every state of a subscription that we saw. Stripe keeps no history, so a row is never changed: it
 * holds from `valid_from` until the next one of its subscription does.
 */
import { table } from '#sql/table.ts';
import { FieldFault, type Fields, isObject, text } from '../fields.ts';
import type { Seen } from './collection.ts';
import { decimalOf, dividedBy, type Fraction, isAbove, minus, plus, times, ZERO } from './fraction.ts';
import { afterPercent, inMajor, isMetered, monthlyOf, numberIn, perMonth } from './monthly.ts';
import { dateOf, secondOf } from './position.ts';
import { below, currencyOf, instantAtOrNull, isNothing, ref, refIfAny } from './values.ts';

export const subscriptionVersions = table({
  name: 'raw.stripe_subscription_versions',
  key: ['id', 'valid_from'],
  rootColumn: 'id',
  keepsHistory: true,
  uncompared: ['unseen_from'],
  columns: {
    id: 'text',
    valid_from: 'timestamptz',
    unseen_from: 'timestamptz',
    status: 'text',
    currency: 'text',
    customer_id: 'text',
    is_paused: 'boolean',
    ended_at: 'timestamptz',
    items: 'jsonb',
    payload: 'jsonb',
  },
});

/**
 * Decimal places of a monthly amount, which is a fraction wherever a year or a week is divided. Sums are
 * rounded to 12 places before they are rounded to money: three twelfths of 0.70 are then 0.175 and not
 * a trifle less, which would round down.
 */
const MONTHLY_PLACES = 18;

export function versionRow(subscription: Fields, items: readonly Fields[], seen: Seen) {
  const endedAt = instantAtOrNull(subscription, 'ended_at');
  const currency = currencyOf(subscription);
  // Stripe dates changes by whole seconds: one later in the second of our reading must not be dated before it.
  const validFrom = endedAt ?? seen.changedAt ?? dateOf(secondOf(seen.sentAt));
  return {
    id: text(subscription, 'id'),
    valid_from: validFrom,
    unseen_from: seen.unseenFrom && seen.unseenFrom < validFrom ? seen.unseenFrom : null,
    status: text(subscription, 'status'),
    currency,
    customer_id: ref(subscription, 'customer'),
    is_paused: isPaused(subscription),
    ended_at: endedAt,
    items: worthOf(subscription, items, currency),
    payload: null,
  };
}

/** Collection is paused; the status stays what it is. */
export function isPaused(subscription: Fields): boolean {
  return isObject(subscription.pause_collection);
}

type Worth = { item: Fields; price: Fields; full: Fraction; left: Fraction };

/** The items with what they are worth a month, `monthly` after coupons that last for ever, `undiscounted` before. */
function worthOf(subscription: Fields, items: readonly Fields[], currency: string) {
  const worths = items.map((item): Worth => {
    const price = below(item, 'price');
    const full = monthlyOf(price, item.quantity, currency);
    const left = afterPercent(full, percentsOf(item.discounts));
    return { item, price, full, left: less(left, amountOff(item.discounts, price, currency)) };
  });
  const left = shareOut(subscription, worths, currency);
  return worths
    .map(({ item, price, full }, index) => ({
      item: text(item, 'id'),
      price: text(price, 'id'),
      product: refIfAny(price, 'product'),
      quantity: isNothing(item.quantity) ? null : String(item.quantity),
      monthly: decimalOf(left[index] ?? ZERO, MONTHLY_PLACES),
      undiscounted: decimalOf(full, MONTHLY_PLACES),
      metered: isMetered(price),
    }))
    .sort((one, other) => (one.item < other.item ? -1 : 1)); // their order says nothing and may change
}

/**
 * Coupons of the whole subscription: percents off each item, amounts off all of them by their worth, as often
 * as the first of them is billed.
 */
function shareOut(subscription: Fields, worths: readonly Worth[], currency: string): Fraction[] {
  const { discounts } = subscription;
  const percents = percentsOf(discounts);
  const reduced = worths.map(({ left }) => afterPercent(left, percents));
  const sum = reduced.reduce(plus, ZERO);
  const licensed = worths.find(({ price }) => !isMetered(price));
  const off = licensed ? amountOff(discounts, licensed.price, currency) : ZERO;
  if (off.over === 0n || sum.over === 0n) return reduced;
  const rest = less(sum, off);
  return reduced.map((value) => dividedBy(times(value, rest), sum));
}

function less(value: Fraction, off: Fraction): Fraction {
  return isAbove(off, value) ? ZERO : minus(value, off);
}

function percentsOf(discounts: unknown): Fraction[] {
  return lasting(discounts).flatMap(({ percent_off: percent }) =>
    isNothing(percent) ? [] : [numberIn(percent, 'percent_off')],
  );
}

/** An amount is off each invoice, so it counts as often a month as the price is billed. */
function amountOff(discounts: unknown, price: Fields, currency: string): Fraction {
  const coupons = lasting(discounts);
  if (coupons.length === 0) return ZERO;
  const often = perMonth(below(price, 'recurring'));
  return coupons.reduce<Fraction>((sum, coupon) => {
    if (isNothing(coupon.amount_off) || currencyOf(coupon) !== currency) return sum;
    return plus(sum, times(inMajor(numberIn(coupon.amount_off, 'amount_off'), currency), often));
  }, ZERO);
}

/** The coupons among discounts that last for ever. */
function lasting(discounts: unknown): Fields[] {
  const list = Array.isArray(discounts) ? discounts : [];
  return list.flatMap((discount) => {
    const coupon = isObject(discount) ? below(discount, 'source').coupon : discount;
    if (isNothing(coupon)) return [];
    if (!isObject(coupon)) throw new FieldFault('discounts', 'a coupon that is not expanded');
    return coupon.duration === 'forever' ? [coupon] : [];
  });
}
