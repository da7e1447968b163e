/** Subscriptions of every kind over a month, and what each day changed in monthly recurring revenue, by hand. */

import type { Files } from '../providers/stripe.ts';
import { second } from './money.ts';

type Line = Record<string, unknown>;
type Item = { price: string; quantity?: number };
const DEFAULT_HOUR = 'T12:00:00';

/** `10-21` is noon in UTC of that day of 2026. */
export const noon = (at: string): number => second(`2026-${at.length > 5 ? at : `${at}${DEFAULT_HOUR}`}`);

const every = (interval: string, count = 1) => ({ recurring: { interval, interval_count: count } });
const price = (id: string, unit_amount: number, more: object, currency = 'gbp'): Line => {
  return { id, product: 'prod_1', currency, unit_amount, ...more };
};

export const PRICES = [
  price('month', 1_000, every('month')),
  price('big', 3_000, every('month')),
  price('year', 12_000, every('year')),
  price('week', 300, every('week')),
  price('day', 120, every('day')),
  price('quarter', 3_000, every('month', 3)),
  price('odd', 10_000, every('year')),
  price('free', 0, every('month')),
  price('use', 50, { recurring: { interval: 'month', usage_type: 'metered' } }),
  price('yen', 1_000, every('month'), 'jpy'),
  price('dinar', 3_125, every('month'), 'kwd'),
];

export const COUPONS = [
  { id: 'QUARTER', percent_off: 25, duration: 'forever' },
  { id: 'TWO', amount_off: 200, currency: 'gbp', duration: 'forever' },
  { id: 'HALFONCE', percent_off: 50, duration: 'once' },
  { id: 'MONTHS', percent_off: 50, duration: 'repeating', duration_in_months: 3 },
];

/** A subscription with its states: each changes what it names of the one before. */
function life(id: string, created: string, items: readonly Item[], ...states: [at: string, Line][]): Line[] {
  const itemLines = (of: readonly Item[]) => of.map((one, index) => ({ id: `si_${id}_${index}`, ...one }));
  let last: Line = {
    id: `sub_${id}`,
    customer: `cus_${id}`,
    created: noon(created),
    items: itemLines(items),
  };
  const begin: [string, Line] = [created, {}];
  const [first, ...rest] = states[0]?.[0] === created ? states : [begin, ...states];
  last = { ...last, ...first?.[1] };
  const lines = [last];
  for (const [at, { swap, ...more }] of rest) {
    last = {
      ...last,
      ...more,
      ...(Array.isArray(swap) && { items: itemLines(swap as Item[]) }),
      _at: noon(at),
    };
    lines.push(last);
  }
  return lines;
}

const over = (at: string): [string, Line] => [
  at,
  { status: 'canceled', canceled_at: noon(at), ended_at: noon(at) },
];
const trial = (from: string, to: string): [string, Line] => [
  from,
  { status: 'trialing', trial_start: noon(from), trial_end: noon(to) },
];
const coupon = (id: string) => ({
  discounts: [{ id: `di_${id}`, source: { type: 'coupon', coupon: id }, start: noon('10-24') }],
});
const same = (customer: string) => ({ customer: `cus_${customer}` });
const month = [{ price: 'month' }];

/** What invoices tell of, so that it can be worked out afterwards too. */
export const TRACEABLE: Line[] = [
  ...life('plain', '10-21', month),
  ...life('kept', '10-21', month, trial('10-21', '10-28'), ['10-28', { status: 'active' }]),
  ...life('left', '10-21', month, trial('10-21', '10-28'), over('10-26')),
  ...life('up', '10-22', month, ['11-02', { swap: [{ price: 'big' }] }]),
  ...life('atend', '10-22', month, ['10-30', { cancel_at_period_end: true, canceled_at: noon('10-30') }], [
    '11-05', { status: 'canceled', ended_at: noon('11-05') },
  ]), // biome-ignore format: a life a line
  ...life('back', '10-22', [{ price: 'year' }], over('10-27')),
  ...life('again', '11-06', [{ price: 'year' }], ['11-06', same('back')]),
  ...life('week', '10-25', [{ price: 'week' }]),
  ...life('day', '10-25', [{ price: 'day' }]),
  ...life('quarter', '10-25', [{ price: 'quarter' }]),
  ...['one', 'two'].flatMap((id) => life(`odd${id}`, '10-25', [{ price: 'odd' }])),
  ...life('oddthree', '10-26', [{ price: 'odd' }]),
  ...life('yen', '10-25', [{ price: 'yen', quantity: 3 }]),
  ...life('dinar', '10-25', [{ price: 'dinar' }]),
  ...life('first', '10-25', month, ['10-25', same('both')], over('11-09')),
  ...life('second', '10-25', month, ['10-25', same('both')]),
  ...life('hours', '10-28T01:00:00', month, over('10-28T20:00:00')), // never there at the end of a day
  // The night in which summer time ends, and the last second of a month.
  ...life('edge', '10-24T23:30:00', month, over('10-31T23:59:59')),
];

/** What leaves no trace, and has to be seen when it happens. */
export const SEEN_ONLY: Line[] = [
  ...life('fewer', '10-22', [{ price: 'month', quantity: 3 }], ['11-03', { swap: [{ price: 'month' }] }]),
  ...life('late', '10-23', month, ['10-31', { status: 'past_due' }], ['11-04', { status: 'unpaid' }], [
    '11-09', { status: 'active' },
  ]),
  ...life('never', '10-23', month, ['10-23', { status: 'incomplete' }], ['10-24', { status: 'incomplete_expired' }]),
  ...life('rest', '10-23', month, ['10-29', { pause_collection: { behavior: 'void', resumes_at: null } }], [
    '11-07', { pause_collection: null },
  ]),
  ...life('use', '10-23', [{ price: 'use' }]),
  ...life('two', '10-24', [...month, { price: 'big' }], ['11-08', { swap: month }]),
  ...life('quarteroff', '10-24', month, ['10-24', coupon('QUARTER')], ['11-10', { discounts: [] }]),
  ...life('twooff', '10-24', [{ price: 'big' }], ['10-24', coupon('TWO')]),
  ...life('once', '10-24', month, ['10-24', coupon('HALFONCE')]),
  ...life('months', '10-24', month, ['10-24', coupon('MONTHS')]),
  ...life('free', '10-25', [{ price: 'free' }]),
  ...life('unpaidtrial', '10-25', month, trial('10-25', '11-01'), ['11-01', { status: 'paused' }]),
]; // biome-ignore format: a life a line

export const LIVES: Files = { prices: PRICES, coupons: COUPONS, subscriptions: [...TRACEABLE, ...SEEN_ONLY] };

/** A day on which something of a plan changed; what is not named did not. */
export type Change = {
  day: string;
  plan: string;
  currency?: string;
  active?: number;
  trialing?: number;
  paused?: number;
  new?: string;
  expansion?: string;
  contraction?: string;
  churned?: string;
  reactivated?: string;
  lost?: number;
};

export const TRACEABLE_CHANGES: readonly Change[] = [
  { day: '10-21', plan: 'month', active: 1, trialing: 2, new: '10' },
  { day: '10-22', plan: 'month', active: 2, new: '20' },
  { day: '10-22', plan: 'year', active: 1, new: '10' },
  { day: '10-25', plan: 'month', active: 3, new: '30' },
  { day: '10-25', plan: 'week', active: 1, new: '13' },
  { day: '10-25', plan: 'day', active: 1, new: '36.5' },
  { day: '10-25', plan: 'quarter', active: 1, new: '10' },
  { day: '10-25', plan: 'odd', active: 2, new: '16.67' }, // 16.666… in all
  { day: '10-25', plan: 'yen', currency: 'JPY', active: 1, new: '3000' },
  { day: '10-25', plan: 'dinar', currency: 'KWD', active: 1, new: '3.125' },
  { day: '10-26', plan: 'month', trialing: -1 },
  { day: '10-26', plan: 'odd', active: 1, new: '8.33' }, // 25 in all
  { day: '10-27', plan: 'year', active: -1, churned: '10', lost: 1 },
  { day: '10-28', plan: 'month', active: 1, trialing: -1, new: '10' },
  { day: '10-31', plan: 'month', active: -1, churned: '10', lost: 1 },
  { day: '11-02', plan: 'month', active: -1, contraction: '10' },
  { day: '11-02', plan: 'big', active: 1, expansion: '30' },
  { day: '11-05', plan: 'month', active: -1, churned: '10', lost: 1 },
  { day: '11-06', plan: 'year', active: 1, reactivated: '10' },
  { day: '11-09', plan: 'month', active: -1, contraction: '10', lost: 1 },
];

export const SEEN_ONLY_CHANGES: readonly Change[] = [
  { day: '10-22', plan: 'month', active: 1, new: '30' },
  { day: '10-23', plan: 'month', active: 2, new: '20' },
  { day: '10-23', plan: 'use', active: 1 },
  { day: '10-24', plan: 'month', active: 4, new: '37.5' },
  { day: '10-24', plan: 'big', active: 2, new: '58' },
  { day: '10-25', plan: 'month', trialing: 1 },
  { day: '10-25', plan: 'free', active: 1 },
  { day: '10-29', plan: 'month', paused: 1 },
  { day: '11-01', plan: 'month', trialing: -1 },
  { day: '11-03', plan: 'month', contraction: '20' },
  { day: '11-04', plan: 'month', active: -1, churned: '10', lost: 1 },
  { day: '11-07', plan: 'month', paused: -1 },
  { day: '11-08', plan: 'big', active: -1, contraction: '30' },
  { day: '11-09', plan: 'month', active: 1, reactivated: '10' },
  { day: '11-10', plan: 'month', expansion: '2.5' },
];
