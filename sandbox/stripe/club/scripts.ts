/** The made-up lives of subscriptions: one of every kind, three times over the year, and a few that have just begun. */
import { COUPONS, type Coupon, PLANS, type Plan } from './catalogue.ts';

/** What its owner, or the bank, does so many days after the start. */
export type Step = { day: number } & (
  | { do: 'switch'; to: Plan; bill: 'now' | 'later' }
  | { do: 'quantity'; to: number }
  | { do: 'cancel'; when: 'now' | 'period_end' }
  | { do: 'keep' }
  | { do: 'pause' }
  | { do: 'resume' }
);

export type Script = {
  name: string;
  /** A customer who comes back has two scripts. */
  customer: string;
  start: number;
  plans: readonly Plan[];
  quantity: number;
  trialDays: number;
  coupon: Coupon | undefined;
  steps: readonly Step[];
  /** Which payments fail (0 the first), and whether a later try succeeds. */
  fails: { payment: number; recovers: boolean } | undefined;
};

type Sketch = {
  plan: Plan;
  more?: Plan[];
  quantity?: number;
  trialDays?: number;
  coupon?: Coupon;
  steps?: Step[];
  fails?: { payment: number; recovers: boolean };
  /** Days until the same customer begins anew. */
  returnsOn?: number;
};

const { small, big, weekly, yearly, dollars, dollarsYearly, extras } = PLANS;

const SKETCHES: Readonly<Record<string, Sketch>> = {
  steady: { plan: small },
  trial: { plan: small, trialDays: 14 },
  trialLeft: { plan: small, trialDays: 14, steps: [{ day: 5, do: 'cancel', when: 'period_end' }] },
  upgrade: { plan: small, steps: [{ day: 50, do: 'switch', to: big, bill: 'now' }] },
  downgrade: { plan: big, steps: [{ day: 78, do: 'switch', to: small, bill: 'later' }] },
  moreAndLess: {
    plan: small,
    quantity: 2,
    steps: [
      { day: 40, do: 'quantity', to: 5 },
      { day: 147, do: 'quantity', to: 1 },
    ],
  },
  onceOff: { plan: small, coupon: COUPONS.welcome },
  onceAmount: { plan: big, coupon: COUPONS.launch },
  threeMonthsOff: { plan: small, coupon: COUPONS.spring },
  alwaysOff: { plan: big, coupon: COUPONS.friends },
  alwaysAmount: { plan: small, quantity: 3, coupon: COUPONS.loyal },
  leftAndBack: { plan: small, steps: [{ day: 70, do: 'cancel', when: 'period_end' }], returnsOn: 160 },
  leftAtOnce: { plan: big, steps: [{ day: 75, do: 'cancel', when: 'now' }] },
  lateOnce: { plan: small, fails: { payment: 2, recovers: true } },
  neverPaid: { plan: small, fails: { payment: 3, recovers: false } },
  paused: {
    plan: small,
    steps: [
      { day: 62, do: 'pause' },
      { day: 128, do: 'resume' },
    ],
  },
  weekly: { plan: weekly, steps: [{ day: 110, do: 'cancel', when: 'period_end' }] },
  yearly: { plan: yearly },
  dollars: { plan: dollars, steps: [{ day: 45, do: 'quantity', to: 2 }] },
  dollarsYearly: { plan: dollarsYearly, coupon: COUPONS.friends },
  metered: { plan: small, more: [extras] },
  toYearly: { plan: small, steps: [{ day: 65, do: 'switch', to: yearly, bill: 'now' }] },
  changedMind: {
    plan: big,
    steps: [
      { day: 33, do: 'cancel', when: 'period_end' },
      { day: 40, do: 'keep' },
    ],
  },
  neverBegan: { plan: small, fails: { payment: 0, recovers: false } },
};

const DAY_SECONDS = 86_400;
const FIRST_DAY = Date.parse('2010-12-06T00:00:00Z') / 1000;
const WAVES = 4;
const WAVE_DAYS = 122;
const STEP_DAYS = 2;

export function scripts(): Script[] {
  return Object.entries(SKETCHES).flatMap(([name, sketch], index) =>
    Array.from({ length: WAVES }, (_, wave) => wave).flatMap((wave) => livesOf(name, sketch, index, wave)),
  );
}

function livesOf(name: string, sketch: Sketch, index: number, wave: number): Script[] {
  const own = `${name}${wave + 1}`;
  // Any second of the day, so that some lives turn near midnight.
  const second = (index * 7_919 + wave * 31_337) % DAY_SECONDS;
  const start = FIRST_DAY + (index * STEP_DAYS + wave * WAVE_DAYS) * DAY_SECONDS + second;
  const { plan, more = [], quantity = 1, trialDays = 0, coupon, steps = [], fails, returnsOn } = sketch;
  const plans = [plan, ...more];
  const first = { name: own, customer: own, start, plans, quantity, trialDays, coupon, steps, fails };
  if (returnsOn === undefined) return [first];
  const again = { ...first, name: `${own}again`, start: start + returnsOn * DAY_SECONDS, steps: [] };
  return [first, again];
}
