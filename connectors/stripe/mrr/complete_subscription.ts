/**
 * Requests what a list omits of a subscription: all its items, prices with tiers and in its own currency, the scope of
 * its coupons, the discount of its customer, and the bill that shows what tax its prices include. Stripe expands four
 * levels, which does not reach the coupons of a list: prices and coupons are requested one by one, each once per run.
 */
import { ScopeMissing } from '../../kit/errors.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import type { Stripe } from '../api/client.ts';
import { below, isNothing, refIfAny } from '../api/coerce.ts';
import { drained, getObject } from '../api/list.ts';
import { pathTo } from '../sync/collection.ts';
import { isTaxComputed, isTaxKnown } from './without_tax.ts';

/** The limit of cached prices and coupons; beyond it all are requested again. */
const REMEMBERED_MAX = 10_000;
const OF_COUPON = ['applies_to', 'currency_options'];
/** In other states a subscription is worth nothing, with or without tax. */
const COUNTED = new Set(['active', 'past_due']);

/** A price has its amount in its first currency, and those of others in `currency_options`. */
export function priceIn(price: Fields, currency: string): Fields | undefined {
  if (isNothing(price.currency) || String(price.currency).toUpperCase() === currency) return price;
  const option = below(price, 'currency_options')[currency.toLowerCase()];
  const none = { tiers: null, unit_amount: null, unit_amount_decimal: null };
  return isObject(option) ? { ...price, ...none, ...option } : undefined;
}

/** A subscription without discounts of its own has the discount of its customer. */
export function discountsOf({ discounts, customer }: Fields): unknown {
  const inherited = isObject(customer) ? customer.discount : undefined;
  const own = Array.isArray(discounts) ? discounts : [];
  return own.length === 0 && isObject(inherited) ? [inherited] : own;
}

export async function completeSubscription(stripe: Stripe, subscription: Fields): Promise<Fields> {
  const of = [['subscription', String(subscription.id)]] as const;
  const items: Fields[] = [];
  for (const item of await drained(stripe, subscription.items, '/v1/subscription_items', of))
    items.push(await wholeItem(stripe, item, subscription));
  const owner = pathTo('subscriptions', subscription.id);
  return {
    ...subscription,
    items,
    discounts: await withCoupons(stripe, owner, 'discounts', subscription.discounts),
    customer: await customerOf(stripe, subscription),
    billed: mayHoldTax(subscription, items) ? await linesOf(stripe, subscription.latest_invoice) : [],
  };
}

function mayHoldTax(subscription: Fields, items: readonly Fields[]): boolean {
  if (!isTaxComputed(subscription) || !COUNTED.has(String(subscription.status))) return false;
  return items.some((item) => below(item, 'price').tax_behavior !== 'exclusive');
}

async function wholeItem(stripe: Stripe, item: Fields, { currency }: Fields): Promise<Fields> {
  const price = await wholePrice(stripe, below(item, 'price'), String(currency));
  const owner = pathTo('subscription_items', item.id);
  return { ...item, price, discounts: await withCoupons(stripe, owner, 'discounts', item.discounts) };
}

async function wholePrice(stripe: Stripe, price: Fields, currency: string): Promise<Fields> {
  const isTiered = price.billing_scheme === 'tiered';
  const isForeign = price.currency !== currency;
  if (!isForeign && (!isTiered || Array.isArray(price.tiers))) return price;
  const wanted = [
    ...(isTiered ? ['tiers'] : []),
    ...(isForeign ? ['currency_options'] : []),
    ...(isTiered && isForeign ? [`currency_options.${currency}.tiers`] : []),
  ];
  return (await remembered(stripe, pathTo('prices', price.id), wanted)) ?? price;
}

/** Discounts with complete coupons; a deleted coupon is known from objects that still contain it. */
async function withCoupons(
  stripe: Stripe,
  owner: string,
  field: string,
  discounts: unknown,
): Promise<unknown> {
  if (!Array.isArray(discounts)) return discounts;
  const whole: unknown[] = [];
  for (const discount of discounts) {
    const source = below(isObject(discount) ? discount : {}, 'source');
    const { coupon } = source;
    const isKnown = isObject(coupon) ? coupon.duration !== 'forever' : coupon === null;
    const id = refIfAny(source, 'coupon');
    const got =
      isKnown || id === null ? undefined : await remembered(stripe, pathTo('coupons', id), OF_COUPON);
    if (!isKnown && got === undefined) return couponsFrom(stripe, owner, field, discounts);
    whole.push(got ? { ...discount, source: { ...source, coupon: got } } : discount);
  }
  return whole;
}

async function couponsFrom(
  stripe: Stripe,
  owner: string,
  field: string,
  known: readonly unknown[],
): Promise<readonly unknown[]> {
  const wanted = OF_COUPON.map((part) => `${field}.source.coupon.${part}`);
  const found = (await getObject(stripe, owner, wanted))?.object[field];
  return Array.isArray(found) ? found : isObject(found) ? [found] : known;
}

/** Only the id of the customer, and its discount if the subscription has none. */
async function customerOf(stripe: Stripe, { customer, discounts }: Fields): Promise<unknown> {
  if (!isObject(customer)) return customer;
  const { id, discount } = customer;
  const isOverruled = Array.isArray(discounts) && discounts.length > 0;
  if (isOverruled || !isObject(discount)) return id;
  const whole = await withCoupons(stripe, pathTo('customers', customer.id), 'discount', [discount]);
  return { id, discount: Array.isArray(whole) ? whole[0] : discount };
}

/** Lines of the last bill with their tax; none if the key may not read bills. */
async function linesOf(stripe: Stripe, invoice: unknown): Promise<readonly Fields[]> {
  const id = refIfAny({ invoice }, 'invoice');
  if (id === null) return [];
  try {
    const bill = (await getObject(stripe, pathTo('invoices', id), []))?.object ?? {};
    const lines = await drained(stripe, bill.lines, `${pathTo('invoices', id)}/lines`);
    return lines.filter((line) => isTaxKnown(bill, line));
  } catch (error) {
    if (error instanceof ScopeMissing) return [];
    throw error;
  }
}

const requested = new WeakMap<Stripe, Map<string, Fields | undefined>>();

async function remembered(
  stripe: Stripe,
  path: string,
  expand: readonly string[],
): Promise<Fields | undefined> {
  const known = requested.get(stripe) ?? new Map<string, Fields | undefined>();
  requested.set(stripe, known);
  const key = `${path} ${expand}`;
  if (!known.has(key)) {
    if (known.size >= REMEMBERED_MAX) known.clear();
    const object = (await getObject(stripe, path, expand))?.object;
    known.set(key, object?.deleted === true ? undefined : object);
  }
  return known.get(key);
}
