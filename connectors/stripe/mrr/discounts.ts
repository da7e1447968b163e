/**
 * Applies coupons to the monthly value of items. Only coupons without an end count for monthly recurring revenue;
 * percentages come first, then amounts, each in the order of the discounts. SQL has the same rule for unseen times:
 * fact.after_discounts in sql/migrations/0011_mrr.sql.
 */
import { type Fields, InvalidField, isObject } from '../../kit/fields.ts';
import { below, isNothing, refIfAny } from '../api/coerce.ts';
import { inMajor, isMetered, numberIn, perMonth } from './monthly.ts';
import { dividedBy, isAbove, minus, ONE, plus, type Rational, times, ZERO } from './rational.ts';

/** Why a value is unknown. */
export type Cause = 'price_unknown' | 'coupon_unknown' | 'tax_unknown';
/** The monthly value of an item, or why it is unknown. */
export type Worth = Rational | Cause;

/** The discounts of one item, or of all items of a subscription together. */
export function afterDiscounts(
  worths: readonly Worth[],
  prices: readonly Fields[],
  discounts: unknown,
  currency: string,
): Worth[] {
  const coupons = lasting(discounts);
  if (coupons.includes('unknown')) return prices.map((price, index) => unknownOf(price, worths[index]));
  let left = [...worths];
  for (const coupon of coupons.filter(isObject)) {
    if (isNothing(coupon.percent_off)) continue;
    const share = dividedBy(numberIn(coupon.percent_off, 'percent_off'), { over: 100n, under: 1n });
    left = left.map((worth, index) =>
      typeof worth === 'object' && isFor(coupon, prices[index]) ? times(worth, minus(ONE, share)) : worth,
    );
  }
  for (const coupon of coupons.filter(isObject)) {
    const off = amountIn(coupon, currency);
    if (off.over !== 0n) left = lessAmount(left, prices, coupon, off);
  }
  return left;
}

/** An amount is taken off each invoice, so it counts as often per month as its first item is billed. */
function lessAmount(
  worths: readonly Worth[],
  prices: readonly Fields[],
  coupon: Fields,
  off: Rational,
): Worth[] {
  const isOff = prices.map((price) => isFor(coupon, price) && !isMetered(price));
  const first = prices.find((_, index) => isOff[index]);
  if (first === undefined) return [...worths];
  const cause = worths.find((worth, index) => isOff[index] && typeof worth === 'string');
  if (cause !== undefined) return worths.map((worth, index) => (isOff[index] ? cause : worth));
  const known = worths.map((worth, index) => (isOff[index] && typeof worth === 'object' ? worth : ZERO));
  const sum = known.reduce(plus, ZERO);
  const amount = times(off, perMonth(below(first, 'recurring')));
  if (sum.over === 0n) return [...worths];
  const rest = isAbove(amount, sum) ? ZERO : minus(sum, amount);
  return worths.map((worth, index) =>
    isOff[index] ? dividedBy(times(known[index] ?? ZERO, rest), sum) : worth,
  );
}

function unknownOf(price: Fields, worth: Worth = ZERO): Worth {
  return isMetered(price) ? worth : 'coupon_unknown';
}

function isFor(coupon: Fields, price: Fields = {}): boolean {
  const { products } = below(coupon, 'applies_to');
  return !Array.isArray(products) || products.includes(refIfAny(price, 'product'));
}

/** In major units; undefined in a currency that the coupon does not support. */
function amountIn(coupon: Fields, currency: string): Rational {
  const isOwn = String(coupon.currency).toUpperCase() === currency;
  const { amount_off: amount } = isOwn
    ? coupon
    : below(below(coupon, 'currency_options'), currency.toLowerCase());
  return isNothing(amount) ? ZERO : inMajor(numberIn(amount, 'amount_off'), currency);
}

/** The coupons without an end among the discounts. The content of a deleted coupon is unknown. */
function lasting(discounts: unknown): (Fields | 'unknown')[] {
  const list = Array.isArray(discounts) ? discounts : [];
  return list.flatMap((discount): (Fields | 'unknown')[] => {
    if (!isObject(discount)) throw new InvalidField('discounts', 'a discount that is not expanded');
    const { coupon } = below(discount, 'source');
    if (isNothing(coupon)) return ['unknown'];
    if (!isObject(coupon)) throw new InvalidField('discounts', 'a coupon that is not expanded');
    return coupon.duration === 'forever' ? [coupon] : [];
  });
}
