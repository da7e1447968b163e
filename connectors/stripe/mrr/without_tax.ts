/** Removes included tax from an amount: monthly recurring revenue excludes tax. */
import { type Fields, isObject } from '../../kit/fields.ts';
import { below, isNothing, refIfAny } from '../api/coerce.ts';
import { numberIn } from './monthly.ts';
import { ONE, plus, type Rational, ZERO } from './rational.ts';

const HUNDRED: Rational = { over: 100n, under: 1n };

/**
 * Manually set rates say themselves whether they are included. What Stripe computes depends on the location of the
 * buyer, so only a bill shows it (`lines`); a trial has none. Undefined if it is unknown.
 */
export function shareWithoutTax(
  subscription: Fields,
  item: Fields,
  price: Fields,
  lines: readonly Fields[],
): Rational | undefined {
  const rates = [item.tax_rates, subscription.default_tax_rates].map(objectsOf).find((own) => own.length > 0);
  if (rates !== undefined) return shareOfRates(rates);
  if (!isTaxComputed(subscription)) return ONE;
  return shareOfLines(item, lines) ?? (price.tax_behavior === 'exclusive' ? ONE : undefined);
}

/** Whether a bill is needed: Stripe computes the tax, and the price may include it. */
export function isTaxComputed(subscription: Fields): boolean {
  return below(subscription, 'automatic_tax').enabled === true;
}

/**
 * Whether a line lists all of its tax. An empty list may mean that Stripe has not computed it yet, or could not,
 * because it does not know the location of the buyer.
 * https://docs.stripe.com/api/invoices/object#invoice_object-automatic_tax
 */
export function isTaxKnown(invoice: Fields, line: Fields): boolean {
  const { enabled, status } = below(invoice, 'automatic_tax');
  return enabled !== true || status === 'complete' || objectsOf(line.taxes).length > 0;
}

function shareOfRates(rates: readonly Fields[]): Rational | undefined {
  const included = rates.filter(({ inclusive }) => inclusive === true);
  if (included.some((rate) => rate.rate_type === 'flat_amount' || isNothing(rate.percentage)))
    return undefined;
  const percent = included
    .map((rate) => numberIn(rate.percentage, 'tax_rates.percentage'))
    .reduce(plus, ZERO);
  const whole = plus(HUNDRED, percent);
  return percent.over === 0n ? ONE : { over: 100n * whole.under, under: whole.over };
}

/** Uses the largest line of the item, in which rounding matters least. */
function shareOfLines(item: Fields, lines: readonly Fields[]): Rational | undefined {
  const own = lines
    .filter(
      (line) =>
        refIfAny(below(below(line, 'parent'), 'subscription_item_details'), 'subscription_item') === item.id,
    )
    .map((line) => {
      const paid = cents(line) - sumOf(line.discount_amounts);
      const included = objectsOf(line.taxes).filter((tax) => tax.tax_behavior === 'inclusive');
      return { over: paid - sumOf(included), under: paid };
    })
    .filter(({ under }) => under > 0n)
    .sort((one, other) => (one.under > other.under ? -1 : 1));
  return own[0];
}

function sumOf(list: unknown): bigint {
  return objectsOf(list).reduce((sum, part) => sum + cents(part), 0n);
}

function cents({ amount }: Fields): bigint {
  return typeof amount === 'number' && Number.isSafeInteger(amount) ? BigInt(amount) : 0n;
}

function objectsOf(list: unknown): Fields[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}
