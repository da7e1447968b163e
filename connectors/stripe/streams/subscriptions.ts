/** Subscriptions with all their items, and every observed version of them. */
import type { Item } from '#sql/load/table.ts';
import { column, recordTable, rest } from '../../kit/columns.ts';
import { type Fields, text as idOf, isObject } from '../../kit/fields.ts';
import { refTold } from '../api/coerce.ts';
import {
  currency,
  flag,
  instant,
  instantIfAny,
  numberIfAny,
  ref,
  refIfAny,
  text,
  within,
} from '../api/columns.ts';
import { completeSubscription } from '../mrr/complete_subscription.ts';
import { collectionStream } from '../stream.ts';
import type { Collection, Reported, Seen } from '../sync/collection.ts';
import { isPaused, subscriptionVersions } from './subscription_versions.ts';

const LEFT_OUT = new Set(['billed', 'items', 'invoice_settings', 'payment_settings']);

export const subscriptions = recordTable({
  name: 'raw.stripe_subscriptions',
  key: ['id'],
  observed: true,
  personal: {
    of: [{ column: 'customer_id', as: 'customer' }],
    keeps: ['collection_method', 'automatic_tax.enabled', 'discounts', 'customer.discount'],
  },
  columns: {
    id: text('id', { marks: 'subscriptions' }), // its states are made anew, and mark the days that come out different
    status: text('status'),
    currency: currency('currency'),
    customer_id: ref('customer'),
    created_at: instant('created'),
    start_date: instant('start_date'),
    trial_start: instantIfAny('trial_start'),
    trial_end: instantIfAny('trial_end'),
    cancel_at_period_end: flag('cancel_at_period_end'),
    cancel_at: instantIfAny('cancel_at'),
    canceled_at: instantIfAny('canceled_at'),
    ended_at: instantIfAny('ended_at'),
    is_paused: column('boolean', isPaused),
    payload: rest(LEFT_OUT),
  },
});

export const subscriptionItems = recordTable<Fields>({
  name: 'raw.stripe_subscription_items',
  key: ['id'],
  rootColumn: 'subscription_id',
  personal: { keeps: ['created', 'discounts', 'price'] },
  columns: {
    id: text('id'),
    subscription_id: column('text', (_, subscription: Fields) => idOf(subscription, 'id')),
    price_id: within('price', text('id')),
    product_id: within('price', refIfAny('product')),
    quantity: numberIfAny('quantity'),
    current_period_start: instantIfAny('current_period_start'),
    current_period_end: instantIfAny('current_period_end'),
    payload: rest(new Set(['plan'])), // the price has the same content
  },
});

const TYPES = [
  'created', 'updated', 'deleted', 'paused', 'resumed', 'pending_update_applied', 'pending_update_expired',
  'trial_will_end',
]; // biome-ignore format: a list of names

const collection: Collection = {
  name: 'subscriptions',
  object: 'subscription',
  target: { tables: [subscriptions, subscriptionItems, subscriptionVersions] },
  params: [['status', 'all']], // else ended ones are omitted
  expand: ['discounts.source.coupon', 'customer'],
  leftOut: new Set(['customer', ...LEFT_OUT]), // personal data: `wholeSubscription` keeps the id only
  isDated: true,
  events: [
    ...TYPES.map((type) => `customer.subscription.${type}`),
    ...['created', 'updated', 'deleted'].map((type) => `customer.discount.${type}`),
    'customer.updated',
  ],
  reportedBy: discounted,
  ownedBy: 'customer',
  complete: completeSubscription,
  toItem: subscriptionItem,
};

/** A discount of a customer applies to those of its subscriptions that have none of their own. */
function discounted(other: Fields, before: Fields): Reported | undefined {
  if (other.object === 'customer') return 'discount' in before ? { owner: refTold(other, 'id') } : undefined;
  const id = refTold(other, 'subscription');
  return id === null ? { owner: refTold(other, 'customer') } : { id };
}

function subscriptionItem(object: Fields, seen: Seen): Item {
  const row = subscriptions.rowOf(object);
  const items = Array.isArray(object.items) ? object.items.filter(isObject) : [];
  return {
    id: String(row.id),
    changedAt: seen.sentAt,
    rows: {
      [subscriptions.name]: [row],
      [subscriptionItems.name]: items.map((item) => subscriptionItems.rowOf(item, object)),
      [subscriptionVersions.name]: [subscriptionVersions.rowOf(object, { items, seen })],
    },
  };
}

export const subscriptionsStream = collectionStream(collection, {
  scopes: [
    'rak_subscription_read',
    'rak_customer_read',
    'rak_coupon_read',
    'rak_plan_read',
    'rak_event_read',
  ],
  scopesOptional: ['rak_invoice_read'],
  feeds: ['mrr'],
  hasStates: true,
});
