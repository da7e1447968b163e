/** Prices, with their tiers. The amount of a price never changes: a new amount is a new price. */
import { column } from '../../kit/columns.ts';
import type { Fields } from '../../kit/fields.ts';
import { below, currencyOf, fineMoneyOrNull, moneyOrNull, refTold } from '../api/coerce.ts';
import { currency, flag, instant, ref, text, textIfAny, within } from '../api/columns.ts';
import { statesOfPrices } from '../invalidations.ts';
import { stripeStream } from '../stream.ts';

const TYPES = ['created', 'updated', 'deleted'];

export const pricesStream = stripeStream({
  name: 'prices',
  object: 'price',
  personal: null,
  scopes: ['rak_plan_read', 'rak_event_read'],
  dependents: [statesOfPrices],
  expand: ['tiers', 'currency_options'],
  canVanish: true,
  events: [...TYPES.map((type) => `price.${type}`), ...TYPES.map((type) => `plan.${type}`)],
  // A plan is the old form of a price, with the same id.
  reportedBy: (other) => (other.object === 'plan' ? { id: refTold(other, 'id') } : undefined),
  columns: {
    product_id: ref('product'),
    active: flag('active'),
    type: text('type'),
    currency: currency('currency'),
    unit_amount: column('numeric', unitAmount),
    billing_scheme: textIfAny('billing_scheme'),
    usage_type: within('recurring', textIfAny('usage_type')),
    billing_interval: within('recurring', textIfAny('interval')),
    interval_count: column('integer', intervalCount),
    nickname: textIfAny('nickname'),
    created_at: instant('created'),
  },
});

function unitAmount(price: Fields): string | null {
  const of = currencyOf(price);
  return fineMoneyOrNull(price, 'unit_amount_decimal', of) ?? moneyOrNull(price, 'unit_amount', of);
}

function intervalCount(price: Fields): number | null {
  const { interval_count: count } = below(price, 'recurring');
  return typeof count === 'number' ? count : null;
}
