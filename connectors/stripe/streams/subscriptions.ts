/** Subscriptions with all their items, and every version of them that we see. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, isObject, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import {
  below,
  currencyOf,
  instantAt,
  instantAtOrNull,
  numberIfAny,
  ref,
  refIfAny,
  refTold,
} from '../api/coerce.ts';
import { completeSubscription } from '../mrr/complete_subscription.ts';
import type { Collection, Seen, Told } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';
import { isPaused, subscriptionVersions, versionRow } from './subscription_versions.ts';

export const subscriptions = table({
  name: 'raw.stripe_subscriptions',
  key: ['id'],
  observed: true,
  days: { created_at: 'subscriptions' }, // the rollup of that day makes its states, and marks the days that come out different
  columns: {
    id: 'text',
    status: 'text',
    currency: 'text',
    customer_id: 'text',
    created_at: 'timestamptz',
    start_date: 'timestamptz',
    trial_start: 'timestamptz',
    trial_end: 'timestamptz',
    cancel_at_period_end: 'boolean',
    cancel_at: 'timestamptz',
    canceled_at: 'timestamptz',
    ended_at: 'timestamptz',
    is_paused: 'boolean',
    payload: 'jsonb',
  },
});

export const subscriptionItems = table({
  name: 'raw.stripe_subscription_items',
  key: ['id'],
  rootColumn: 'subscription_id',
  columns: {
    id: 'text',
    subscription_id: 'text',
    price_id: 'text',
    product_id: 'text',
    quantity: 'numeric',
    current_period_start: 'timestamptz',
    current_period_end: 'timestamptz',
    payload: 'jsonb',
  },
});

const LEFT_OUT = new Set(['billed', 'items', 'invoice_settings', 'payment_settings']);

const TYPES = [
  'created', 'updated', 'deleted', 'paused', 'resumed', 'pending_update_applied', 'pending_update_expired',
  'trial_will_end',
]; // biome-ignore format: a list of names

const collection: Collection = {
  name: 'subscriptions',
  object: 'subscription',
  target: { tables: [subscriptions, subscriptionItems, subscriptionVersions] },
  params: [['status', 'all']], // else those that are over are left out
  expand: ['discounts.source.coupon', 'customer'],
  leftOut: new Set(['customer', ...LEFT_OUT]), // who the buyer is: `wholeSubscription` keeps the id only
  isDated: true,
  events: [
    ...TYPES.map((type) => `customer.subscription.${type}`),
    ...['created', 'updated', 'deleted'].map((type) => `customer.discount.${type}`),
    'customer.updated',
  ],
  toldBy: discounted,
  ownedBy: 'customer',
  complete: completeSubscription,
  toItem,
};

/** A discount of a customer holds for those subscriptions of the customer that have none of their own. */
function discounted(other: Fields, before: Fields): Told | undefined {
  if (other.object === 'customer') return 'discount' in before ? { owner: refTold(other, 'id') } : undefined;
  const id = refTold(other, 'subscription');
  return id === null ? { owner: refTold(other, 'customer') } : { id };
}

function toItem(object: Fields, seen: Seen): Item {
  const id = text(object, 'id');
  const items = Array.isArray(object.items) ? object.items.filter(isObject) : [];
  const row = {
    id,
    status: text(object, 'status'),
    currency: currencyOf(object),
    customer_id: ref(object, 'customer'),
    created_at: instantAt(object, 'created'),
    start_date: instantAt(object, 'start_date'),
    trial_start: instantAtOrNull(object, 'trial_start'),
    trial_end: instantAtOrNull(object, 'trial_end'),
    cancel_at_period_end: flag(object, 'cancel_at_period_end'),
    cancel_at: instantAtOrNull(object, 'cancel_at'),
    canceled_at: instantAtOrNull(object, 'canceled_at'),
    ended_at: instantAtOrNull(object, 'ended_at'),
    is_paused: isPaused(object),
    payload: payloadOf(object, LEFT_OUT),
  };
  return {
    id,
    changedAt: seen.sentAt,
    rows: {
      [subscriptions.name]: [row],
      [subscriptionItems.name]: items.map((item) => itemRow(item, id)),
      [subscriptionVersions.name]: [versionRow(object, items, seen)],
    },
  };
}

function itemRow(item: Fields, subscriptionId: string) {
  const price = below(item, 'price');
  return {
    id: text(item, 'id'),
    subscription_id: subscriptionId,
    price_id: text(price, 'id'),
    product_id: refIfAny(price, 'product'),
    quantity: numberIfAny(item, 'quantity'),
    current_period_start: instantAtOrNull(item, 'current_period_start'),
    current_period_end: instantAtOrNull(item, 'current_period_end'),
    payload: payloadOf(item, ITEM_LEFT_OUT),
  };
}

const ITEM_LEFT_OUT = new Set(['plan']); // the price says the same

export const subscriptionsStream = defineStream({
  name: 'stripe.subscriptions',
  provider: 'stripe',
  scopes: [
    'rak_subscription_read',
    'rak_customer_read',
    'rak_coupon_read',
    'rak_plan_read',
    'rak_event_read',
  ],
  scopesOptional: ['rak_invoice_read'],
  ...collection.target,
  hasStates: true,
  pages: (context) => collectionPages(context, collection),
});
