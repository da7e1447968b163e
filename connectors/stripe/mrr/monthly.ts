/**
 * The monthly value of an item of a subscription, by Stripe's definition of monthly recurring revenue:
 * its price times its quantity, a year as 12 months, a week as 12/52 of one and a day as 12/365; metered
 * prices count as zero. Taxes are excluded. https://docs.stripe.com/billing/subscriptions/analytics
 */
import { type Fields, InvalidField, isObject } from '../../kit/fields.ts';
import { below, isNothing, placesOf } from '../api/coerce.ts';
import {
  dividedBy,
  isAbove,
  minus,
  plus,
  type Rational,
  rationalOf,
  times,
  whole,
  ZERO,
} from './rational.ts';

/** Intervals per month. */
const PER_MONTH: Readonly<Record<string, Rational>> = {
  day: { over: 365n, under: 12n },
  week: { over: 52n, under: 12n },
  month: { over: 1n, under: 1n },
  year: { over: 1n, under: 12n },
};

export function isMetered(price: Fields): boolean {
  return below(price, 'recurring').usage_type === 'metered';
}

/** In major units. Tiers are required if the price has any. */
export function monthlyOf(price: Fields, quantity: unknown, currency: string): Rational {
  if (isMetered(price)) return ZERO;
  const minor = times(
    billed(price, numberIn(quantity ?? 1, 'quantity')),
    perMonth(below(price, 'recurring')),
  );
  return inMajor(minor, currency);
}

export function inMajor(minor: Rational, currency: string): Rational {
  return { over: minor.over, under: minor.under * 10n ** BigInt(placesOf(currency)) };
}

/** How often per month a price is billed. */
export function perMonth(recurring: Fields): Rational {
  const unit = PER_MONTH[String(recurring.interval)];
  if (unit === undefined) throw new InvalidField('price.recurring.interval', 'not day, week, month or year');
  return dividedBy(unit, divisorIn(recurring.interval_count ?? 1, 'price.recurring.interval_count'));
}

/** The price of one interval, in minor units. */
function billed(price: Fields, quantity: Rational): Rational {
  const packs = packsOf(price, quantity);
  if (price.billing_scheme !== 'tiered') return times(unitOf(price, 'unit_amount'), packs);
  const tiers = Array.isArray(price.tiers) ? price.tiers.filter(isObject) : [];
  if (tiers.length === 0) throw new InvalidField('price.tiers', 'missing: a tiered price has tiers');
  return price.tiers_mode === 'volume' ? volume(tiers, packs) : graduated(tiers, packs);
}

/** `transform_quantity` divides the quantity into packages. */
function packsOf(price: Fields, quantity: Rational): Rational {
  const transform = price.transform_quantity;
  if (!isObject(transform)) return quantity;
  const packs = dividedBy(quantity, divisorIn(transform.divide_by, 'price.transform_quantity.divide_by'));
  return whole(packs, transform.round === 'up' ? 'up' : 'down');
}

/** The complete quantity at the price of its tier. */
function volume(tiers: readonly Fields[], quantity: Rational): Rational {
  const tier = tiers.find(
    ({ up_to: upTo }) => isNothing(upTo) || !isAbove(quantity, numberIn(upTo, 'up_to')),
  );
  if (tier === undefined) throw new InvalidField('price.tiers', 'no tier for the quantity');
  return plus(times(unitOf(tier, 'unit_amount'), quantity), unitOf(tier, 'flat_amount'));
}

/** Each part of the quantity at the price of its own tier. */
function graduated(tiers: readonly Fields[], quantity: Rational): Rational {
  let sum = ZERO;
  let reached = ZERO;
  for (const tier of tiers) {
    if (!isAbove(quantity, reached) && reached !== ZERO) break;
    const end = isNothing(tier.up_to) ? quantity : numberIn(tier.up_to, 'up_to');
    const top = isAbove(end, quantity) ? quantity : end;
    const within = minus(top, reached);
    sum = plus(sum, plus(times(unitOf(tier, 'unit_amount'), within), unitOf(tier, 'flat_amount')));
    reached = top;
    if (!isAbove(quantity, end)) break;
  }
  return sum;
}

/** `unit_amount_decimal` if present, because it is more precise than `unit_amount`. */
function unitOf(holder: Fields, key: string): Rational {
  const value = holder[`${key}_decimal`] ?? holder[key];
  return isNothing(value) ? ZERO : numberIn(value, key);
}

export function numberIn(value: unknown, key: string): Rational {
  const fraction = typeof value === 'number' || typeof value === 'string' ? rationalOf(value) : undefined;
  if (fraction === undefined) throw new InvalidField(key, 'not a decimal number');
  return fraction;
}

function divisorIn(value: unknown, key: string): Rational {
  const fraction = numberIn(value, key);
  if (fraction.over <= 0n) throw new InvalidField(key, 'not above zero');
  return fraction;
}
