/** Prices, with their tiers. The amount of one never changes: a new amount is a new price. */

import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import {
  below,
  currencyOf,
  fineMoneyOrNull,
  instantAt,
  moneyOrNull,
  ref,
  refTold,
  textIfAny,
} from '../api/coerce.ts';
import { statesOfPrices } from '../invalidations.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const prices = table({
  name: 'raw.stripe_prices',
  key: ['id'],
  observed: true,
  columns: {
    id: 'text',
    product_id: 'text',
    active: 'boolean',
    type: 'text',
    currency: 'text',
    unit_amount: 'numeric',
    billing_scheme: 'text',
    usage_type: 'text',
    billing_interval: 'text',
    interval_count: 'integer',
    nickname: 'text',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const TYPES = ['created', 'updated', 'deleted'];

const collection: Collection = {
  name: 'prices',
  object: 'price',
  target: { tables: [prices], dependents: [statesOfPrices] },
  expand: ['tiers', 'currency_options'],
  canVanish: true,
  events: [...TYPES.map((type) => `price.${type}`), ...TYPES.map((type) => `plan.${type}`)],
  // A plan is the old form of a price, with the same id.
  toldBy: (other) => (other.object === 'plan' ? { id: refTold(other, 'id') } : undefined),
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const recurring = below(object, 'recurring');
  const count = recurring.interval_count;
  const row = {
    id,
    product_id: ref(object, 'product'),
    active: flag(object, 'active'),
    type: text(object, 'type'),
    currency,
    unit_amount:
      fineMoneyOrNull(object, 'unit_amount_decimal', currency) ??
      moneyOrNull(object, 'unit_amount', currency),
    billing_scheme: textIfAny(object, 'billing_scheme'),
    usage_type: textIfAny(recurring, 'usage_type'),
    billing_interval: textIfAny(recurring, 'interval'),
    interval_count: typeof count === 'number' ? count : null,
    nickname: textIfAny(object, 'nickname'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, NOTHING),
  };
  return { id, changedAt: sentAt, rows: { [prices.name]: [row] } };
}

const NOTHING: ReadonlySet<string> = new Set();

export const pricesStream = defineStream({
  name: 'stripe.prices',
  provider: 'stripe',
  scopes: ['rak_plan_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
