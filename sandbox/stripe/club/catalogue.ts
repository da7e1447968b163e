/** What the made-up Giftware Club sells: plans in two currencies, and coupons of every kind. */
import type { StripeObject } from '../objects.ts';

export const CLUB_CREATED = Date.parse('2010-11-01T00:00:00Z') / 1000;
const PRODUCT = 'prod_club';

/** `unit` is in minor units; a metered plan is billed for what was used. */
export type Plan = {
  id: string;
  currency: 'gbp' | 'usd';
  unit: number;
  interval: 'week' | 'month' | 'year';
  metered: boolean;
};
/** `percent` or `amount` off, in minor units of `currency`. */
export type Coupon = {
  id: string;
  percent?: number;
  amount?: number;
  currency?: 'gbp';
  duration: 'once' | 'repeating' | 'forever';
  months?: number;
};

const plan = (name: string, currency: Plan['currency'], unit: number, interval: Plan['interval']): Plan => {
  return { id: `price_${name}`, currency, unit, interval, metered: false };
};

export const PLANS = {
  small: plan('small', 'gbp', 1_200, 'month'),
  big: plan('big', 'gbp', 3_000, 'month'),
  weekly: plan('weekly', 'gbp', 350, 'week'),
  yearly: plan('yearly', 'gbp', 12_000, 'year'),
  dollars: plan('dollars', 'usd', 1_500, 'month'),
  dollarsYearly: plan('dollarsyearly', 'usd', 15_000, 'year'),
  extras: { ...plan('extras', 'gbp', 50, 'month'), metered: true },
} as const satisfies Record<string, Plan>;

export const COUPONS = {
  welcome: { id: 'WELCOME', percent: 50, duration: 'once' },
  launch: { id: 'LAUNCH', amount: 500, currency: 'gbp', duration: 'once' },
  spring: { id: 'SPRING', percent: 20, duration: 'repeating', months: 3 },
  friends: { id: 'FRIENDS', percent: 10, duration: 'forever' },
  loyal: { id: 'LOYAL', amount: 200, currency: 'gbp', duration: 'forever' },
} as const satisfies Record<string, Coupon>;

export function catalogueDrafts(): Record<
  'products' | 'prices' | 'coupons' | 'promotion_codes',
  StripeObject[]
> {
  const created = CLUB_CREATED;
  return {
    products: [{ id: PRODUCT, name: 'Giftware Club', created }],
    prices: Object.values(PLANS).map(({ id, currency, unit, interval, metered }) => ({
      id,
      currency,
      created,
      product: PRODUCT,
      unit_amount: unit,
      nickname: id.replace('price_', ''),
      recurring: { interval, interval_count: 1, usage_type: metered ? 'metered' : 'licensed' },
    })),
    coupons: Object.values<Coupon>(COUPONS).map(({ id, percent, amount, currency, duration, months }) => ({
      id,
      created,
      name: id,
      duration,
      duration_in_months: months ?? null,
      percent_off: percent ?? null,
      amount_off: amount ?? null,
      currency: currency ?? null,
    })),
    promotion_codes: [COUPONS.welcome, COUPONS.friends].map(({ id }) => ({
      id: `promo_${id.toLowerCase()}`,
      created,
      code: id,
      promotion: { type: 'coupon', coupon: id },
    })),
  };
}

/** Where an invoice line says what was sold. */
export function pricingOf({ id, unit }: Plan): StripeObject {
  return {
    type: 'price_details',
    price_details: { price: id, product: PRODUCT },
    unit_amount_decimal: String(unit),
  };
}
