/**
 * What coupons leave of what items are worth a month. Only coupons that last for ever count for monthly
 * recurring revenue; percentages go first, then amounts, each in the order of the discounts. SQL knows the same
 * rule for times that nobody saw: fact.after_discounts in sql/migrations/0011_mrr.sql.
 */
import { type Fields, InvalidField, isObject } from '../../kit/fields.ts';
import { below, isNothing, refIfAny } from '../api/coerce.ts';
import { inMajor, isMetered, numberIn, perMonth } from './monthly.ts';
import { dividedBy, isAbove, minus, ONE, plus, type Rational, times, ZERO } from './rational.ts';

/** Why nobody can say what something is worth. */
export type Cause = 'price_unknown' | 'coupon_unknown' | 'tax_unknown';
/** What an item is worth a month, or why that is unknown. */
export type Worth = Rational | Cause;

/** An item's own discounts, or those of all items of a subscription together. */
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

/** An amount is off each invoice, so it counts as often a month as the first item that it is for is billed. */
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

/** Major units; none in a currency that the coupon is not for. */
function amountIn(coupon: Fields, currency: string): Rational {
  const isOwn = String(coupon.currency).toUpperCase() === currency;
  const { amount_off: amount } = isOwn
    ? coupon
    : below(below(coupon, 'currency_options'), currency.toLowerCase());
  return isNothing(amount) ? ZERO : inMajor(numberIn(amount, 'amount_off'), currency);
}

/** The coupons among discounts that last for ever. Of one that is gone nobody can say what it was. */
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
