/** Coupons. How often one was redeemed changes without an event, and is as of the last reconciliation. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, integerOrNull, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { currencyIfAny, instantAt, moneyOrNull, numberIfAny, textIfAny } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const coupons = table({
  name: 'raw.stripe_coupons',
  key: ['id'],
  observed: true,
  columns: {
    id: 'text',
    name: 'text',
    percent_off: 'numeric',
    amount_off: 'numeric',
    currency: 'text',
    duration: 'text',
    duration_in_months: 'integer',
    valid: 'boolean',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const collection: Collection = {
  name: 'coupons',
  object: 'coupon',
  target: { tables: [coupons] },
  canVanish: true,
  listsAllWeekly: true,
  expand: ['applies_to', 'currency_options'],
  events: ['coupon.created', 'coupon.updated', 'coupon.deleted'],
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyIfAny(object);
  const row = {
    id,
    name: textIfAny(object, 'name'),
    percent_off: numberIfAny(object, 'percent_off'),
    amount_off: currency === null ? null : moneyOrNull(object, 'amount_off', currency),
    currency,
    duration: text(object, 'duration'),
    duration_in_months: integerOrNull(object, 'duration_in_months'),
    valid: flag(object, 'valid'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, NOTHING),
  };
  return { id, changedAt: sentAt, rows: { [coupons.name]: [row] } };
}

const NOTHING: ReadonlySet<string> = new Set();

export const couponsStream = defineStream({
  name: 'stripe.coupons',
  provider: 'stripe',
  scopes: ['rak_coupon_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
