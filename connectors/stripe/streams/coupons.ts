/** Coupons. The number of redemptions changes without an event, and is as of the last reconciliation. */
import { columnsOf } from '../../kit/columns.ts';
import { integerOrNull } from '../../kit/fields.ts';
import { currencyIfAny, flag, instant, moneyIfAny, numberIfAny, text, textIfAny } from '../api/columns.ts';
import { stripeStream } from '../stream.ts';

export const couponsStream = stripeStream({
  name: 'coupons',
  object: 'coupon',
  personal: null,
  scopes: ['rak_coupon_read', 'rak_event_read'],
  canVanish: true,
  listsAllWeekly: true,
  expand: ['applies_to', 'currency_options'],
  events: ['coupon.created', 'coupon.updated', 'coupon.deleted'],
  columns: {
    name: textIfAny('name'),
    percent_off: numberIfAny('percent_off'),
    amount_off: moneyIfAny('amount_off'),
    currency: currencyIfAny('currency'),
    duration: text('duration'),
    duration_in_months: columnsOf('integer', integerOrNull)('duration_in_months'),
    valid: flag('valid'),
    created_at: instant('created'),
  },
});
