import type { Place } from '../../ndjson.ts';
import { isPlain } from '../../plain.ts';
import { valueAt } from '../api/filters.ts';
import type { StripeObject } from '../objects.ts';
import { addInterval } from '../periods.ts';
import type { Completion, Given } from './given.ts';
import { completePrice } from './price.ts';

export function completeSubscription({ object, place, context }: Given): StripeObject {
  const { id, created } = object;
  const given = isPlain(object.items) ? valueAt(object.items as StripeObject, 'data') : object.items;
  if (!Array.isArray(given) || given.length === 0) place.fail('"items" is not a list of items');
  const items = (given as StripeObject[]).map((item, index) =>
    completeItem(item, `si_${String(id)}_${index + 1}`, object, place.below(`items.${index}`), context),
  );
  return {
    status: object.status ?? 'active',
    currency: object.currency ?? valueAt(items[0] ?? {}, 'price.currency'),
    start_date: object.start_date ?? created,
    billing_cycle_anchor: object.billing_cycle_anchor ?? created,
    collection_method: object.collection_method ?? 'charge_automatically',
    billing_mode: object.billing_mode ?? { type: 'classic', flexible: null },
    cancellation_details: object.cancellation_details ?? {},
    items: {
      object: 'list',
      data: items,
      has_more: false,
      url: `/v1/subscription_items?subscription=${String(id)}`,
    },
  };
}

function completeItem(
  item: StripeObject,
  id: string,
  subscription: StripeObject,
  place: Place,
  context: Completion,
): StripeObject {
  const price = priceOf(item, place, context);
  const start = item.current_period_start ?? subscription.billing_cycle_anchor ?? subscription.created;
  const metered = valueAt(price, 'recurring.usage_type') === 'metered';
  return {
    id,
    created: subscription.created,
    subscription: subscription.id,
    ...(metered ? {} : { quantity: 1 }),
    ...item,
    object: 'subscription_item',
    price,
    plan: planOf(price),
    current_period_start: start,
    current_period_end: item.current_period_end ?? periodEnd(Number(start), price),
  };
}

/** The whole price: the API puts it into each item, a scenario may give only its id. */
function priceOf({ price }: StripeObject, place: Place, { drafts, livemode }: Completion): StripeObject {
  if (price === undefined) place.fail('"price" is missing');
  const id = isPlain(price) ? valueAt(price as StripeObject, 'id') : price;
  const known = drafts.find('prices', id)?.object;
  if (!known && !isPlain(price)) place.fail(`price "${String(id)}" is not in prices.ndjson`);
  const whole: StripeObject = { livemode, created: 0, ...known, ...(isPlain(price) ? price : {}) };
  return { ...whole, ...completePrice(whole), object: 'price' };
}

function planOf(price: StripeObject): StripeObject {
  const recurring = (isPlain(price.recurring) ? price.recurring : {}) as StripeObject;
  const { id, active, billing_scheme, created, currency, livemode, nickname, product } = price;
  return {
    ...{ id, active, billing_scheme, created, currency, livemode, nickname: nickname ?? null, product },
    object: 'plan',
    amount: price.unit_amount ?? null,
    amount_decimal: price.unit_amount_decimal,
    interval: recurring.interval ?? 'month',
    interval_count: recurring.interval_count ?? 1,
    usage_type: recurring.usage_type ?? 'licensed',
    meter: recurring.meter ?? null,
    tiers_mode: price.tiers_mode ?? null,
  };
}

function periodEnd(start: number, price: StripeObject): number {
  const interval = valueAt(price, 'recurring.interval');
  const count = valueAt(price, 'recurring.interval_count');
  return addInterval(start, String(interval ?? 'month'), Number(count ?? 1));
}
