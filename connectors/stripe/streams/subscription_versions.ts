/**
 * Every observed state of a subscription. Stripe keeps no history, so a row never changes: it is valid from
 * `valid_from` until the next row of its subscription.
 */
import { column, noPayload, recordTable } from '../../kit/columns.ts';
import { type Fields, isObject, text as textOf } from '../../kit/fields.ts';
import { below, currencyOf, instantAtOrNull, isNothing, refIfAny } from '../api/coerce.ts';
import { currency, instantIfAny, ref, text } from '../api/columns.ts';
import { discountsOf, priceIn } from '../mrr/complete_subscription.ts';
import { afterDiscounts, type Worth } from '../mrr/discounts.ts';
import { isMetered, monthlyOf } from '../mrr/monthly.ts';
import { decimalOf, ONE, type Rational, times, ZERO } from '../mrr/rational.ts';
import { shareWithoutTax } from '../mrr/without_tax.ts';
import type { Seen } from '../sync/collection.ts';
import { dateOf, secondOf } from '../sync/sync_state.ts';

type Look = { items: readonly Fields[]; seen: Seen };

export const subscriptionVersions = recordTable<Look>({
  name: 'raw.stripe_subscription_versions',
  key: ['id', 'valid_from'],
  rootColumn: 'id',
  personal: { of: [{ column: 'customer_id', as: 'customer' }] },
  keeps: 'history',
  uncompared: ['unseen_from'],
  columns: {
    id: text('id'),
    valid_from: column('timestamptz', validFrom),
    unseen_from: column('timestamptz', unseenFrom),
    status: text('status'),
    currency: currency('currency'),
    customer_id: ref('customer'),
    is_paused: column('boolean', isPaused),
    ended_at: instantIfAny('ended_at'),
    items: column('jsonb', worthOf),
    payload: noPayload,
  },
});

/** Stripe dates changes in whole seconds: a change later in the second of our reading must not be dated before it. */
function validFrom(subscription: Fields, { seen }: Look): Date {
  return instantAtOrNull(subscription, 'ended_at') ?? seen.changedAt ?? dateOf(secondOf(seen.sentAt));
}

function unseenFrom(subscription: Fields, look: Look): Date | null {
  const { unseenFrom } = look.seen;
  return unseenFrom && unseenFrom < validFrom(subscription, look) ? unseenFrom : null;
}

/**
 * Decimal places of a monthly amount, which is a fraction if a year or a week is divided. Sums are rounded to 12 places
 * before they are rounded to money: three twelfths of 0.70 are then 0.175 and not slightly less, which would round
 * down.
 */
const MONTHLY_PLACES = 18;

/** Collection is paused; the status does not change. */
export function isPaused(subscription: Fields): boolean {
  return isObject(subscription.pause_collection);
}

/**
 * The items with their monthly value: `monthly` after coupons without an end and without tax, `undiscounted` before
 * both. An unknown value is null and has a cause.
 */
function worthOf(subscription: Fields, { items }: Look) {
  const currency = currencyOf(subscription);
  const prices = items.map((item) => {
    const price = below(item, 'price');
    return priceIn(price, currency) ?? price;
  });
  const full = items.map((item) => fullOf(item, currency));
  const own = items.flatMap((item, index) =>
    afterDiscounts(full.slice(index, index + 1), prices.slice(index, index + 1), item.discounts, currency),
  );
  const left = afterDiscounts(own, prices, discountsOf(subscription), currency);
  const billed = Array.isArray(subscription.billed) ? subscription.billed.filter(isObject) : [];
  return items
    .map((item, index) => {
      const price = prices[index] ?? {};
      const share = isMetered(price) ? ONE : shareWithoutTax(subscription, item, price, billed);
      const worth = withoutTax(left[index] ?? ZERO, share);
      return {
        item: textOf(item, 'id'),
        price: textOf(price, 'id'),
        product: refIfAny(price, 'product'),
        quantity: isNothing(item.quantity) ? null : String(item.quantity),
        monthly: decimalOrNull(worth),
        undiscounted: decimalOrNull(full[index] ?? ZERO),
        metered: isMetered(price),
        ...(typeof worth === 'string' && { cause: worth }),
        ...(share !== ONE && { share: share ? [String(share.over), String(share.under)] : null }),
      };
    })
    .sort((one, other) => (one.item < other.item ? -1 : 1)); // their order is arbitrary and may change
}

function fullOf(item: Fields, currency: string): Worth {
  const own = below(item, 'price');
  const price = priceIn(own, currency);
  // Stripe may omit the tiers of other currencies; those of the account's own must be there, or the record is invalid.
  if (
    price === undefined ||
    (price !== own && price.billing_scheme === 'tiered' && !Array.isArray(price.tiers))
  )
    return isMetered(own) ? ZERO : 'price_unknown';
  return monthlyOf(price, item.quantity, currency);
}

function withoutTax(worth: Worth, share: Rational | undefined): Worth {
  if (typeof worth === 'string') return worth;
  return share === undefined ? 'tax_unknown' : times(worth, share);
}

function decimalOrNull(worth: Worth): string | null {
  return typeof worth === 'string' ? null : decimalOf(worth, MONTHLY_PLACES);
}
