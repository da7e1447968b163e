/** Promotion codes: what buyers type to get a coupon. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import { below, instantAt, refIfAny } from '../api/coerce.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const promotionCodes = table({
  name: 'raw.stripe_promotion_codes',
  key: ['id'],
  observed: true,
  columns: {
    id: 'text',
    code: 'text',
    coupon_id: 'text',
    active: 'boolean',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const collection: Collection = {
  name: 'promotion_codes',
  object: 'promotion_code',
  target: { tables: [promotionCodes] },
  listsAllWeekly: true,
  events: ['promotion_code.created', 'promotion_code.updated'],
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const row = {
    id,
    code: text(object, 'code'),
    coupon_id: refIfAny(below(object, 'promotion'), 'coupon'),
    active: flag(object, 'active'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, NOTHING),
  };
  return { id, changedAt: sentAt, rows: { [promotionCodes.name]: [row] } };
}

const NOTHING: ReadonlySet<string> = new Set();

export const promotionCodesStream = defineStream({
  name: 'stripe.promotion_codes',
  provider: 'stripe',
  scopes: ['rak_promotion_code_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
