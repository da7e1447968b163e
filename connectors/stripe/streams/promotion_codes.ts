/** Promotion codes: codes that buyers type to get a coupon. */
import { flag, instant, refIfAny, text, within } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

export const promotionCodesStream = stripeStream({
  name: 'promotion_codes',
  object: 'promotion_code',
  personal: {},
  leftOut: new Set(['customer']), // whom it is for
  scopes: ['rak_promotion_code_read', 'rak_event_read'],
  listsAllWeekly: true,
  events: ['promotion_code.created', 'promotion_code.updated'],
  columns: {
    code: text('code'),
    coupon_id: within('promotion', refIfAny('coupon')),
    active: flag('active'),
    created_at: instant('created'),
  },
});
