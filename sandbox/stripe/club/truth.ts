/**
 * The figures behind the made-up subscriptions, from their lives and not from what the API says of
 * them. Exact: monthly amounts are fractions of whole minor units, rounded once per row.
 */
import { dayBounds } from '../../zone.ts';
import type { Plan } from './catalogue.ts';
import { add, type Fraction, fraction, multiply, show, toPlaces, ZERO } from './fraction.ts';
import type { Life, State } from './life.ts';
import type { Item } from './lines.ts';

const PLACES = 2; // of both currencies
const PAYING = ['active', 'past_due'];

type Row = {
  active: number;
  trialing: number;
  paused: number;
  mrr: Fraction;
  currency: string;
  plan: string;
};

/** `now` in Unix seconds; a day is what holds when it ends in the zone, the last one what holds now. */
export function mrrTruth(lives: readonly Life[], zone: string, now: number): object {
  return {
    zone,
    now: new Date(now * 1000).toISOString(),
    days: daysOf(lives, zone, now),
    subscriptions: lives.map(({ id, customer, states }) => ({
      ...{ subscription: id, customer },
      states: states.map((state) => stateRow(state)),
    })),
  };
}

function stateRow(state: State): object {
  const { at, status, paused, items, coupon } = state;
  return {
    at: new Date(at * 1000).toISOString(),
    ...{ status, paused, coupon: coupon?.id ?? null },
    items: items.map((item) => ({
      ...{ plan: item.plan.id, currency: item.plan.currency.toUpperCase(), quantity: item.quantity },
      mrr_exact: show(inMajor(mrrOf(item, state))),
    })),
  };
}

function daysOf(lives: readonly Life[], zone: string, now: number): object[] {
  const first = Math.min(...lives.flatMap(({ states }) => states.map(({ at }) => at)));
  const rows: object[] = [];
  for (let day = dayIn(zone, first); day <= dayIn(zone, now); day = nextDay(day)) {
    const end = Math.min(dayBounds(day, zone).end / 1000 - 1, now);
    for (const row of rowsAt(lives, end)) rows.push({ day, ...row });
  }
  return rows;
}

function rowsAt(lives: readonly Life[], at: number): object[] {
  const rows = new Map<string, Row>();
  for (const { states } of lives) {
    const state = states.findLast((one) => one.at <= at);
    if (!state) continue;
    for (const item of state.items) addTo(rows, item, state);
  }
  const shown = [...rows.values()].filter(({ active, trialing }) => active + trialing > 0);
  return shown
    .sort((left, right) => (left.plan < right.plan ? -1 : 1))
    .map(({ mrr, currency, plan, active, trialing, paused }) => ({
      ...{ currency, plan, active_subscriptions: active, trialing, paused },
      mrr: toPlaces(inMajor(mrr), PLACES),
      mrr_exact: show(inMajor(mrr)),
    }));
}

function addTo(rows: Map<string, Row>, item: Item, state: State): void {
  const { id, currency } = item.plan;
  const row = rows.get(id) ?? {
    ...{ active: 0, trialing: 0, paused: 0, mrr: ZERO },
    ...{ currency: currency.toUpperCase(), plan: id },
  };
  rows.set(id, row);
  if (state.status === 'trialing') row.trialing++;
  if (!PAYING.includes(state.status)) return;
  row.active++;
  if (state.paused) row.paused++;
  row.mrr = add(row.mrr, mrrOf(item, state));
}

/** Minor units a month: no trials, nothing metered, and only discounts without end. */
function mrrOf(item: Item, { items, coupon, status }: State): Fraction {
  if (!PAYING.includes(status) || item.plan.metered) return ZERO;
  const full = multiply(fraction(priceOf(item)), perMonth(item.plan));
  if (coupon?.duration !== 'forever') return full;
  if (coupon.percent !== undefined) return multiply(full, fraction(100 - coupon.percent, 100));
  // An amount is shared over the items by their prices.
  const whole = items.reduce((sum, one) => sum + priceOf(one), 0);
  const left = Math.max(0, whole - (coupon.amount ?? 0));
  return whole === 0 ? ZERO : multiply(full, fraction(left, whole));
}

function priceOf({ plan, quantity }: Item): number {
  return plan.metered ? 0 : plan.unit * quantity;
}

function perMonth({ interval }: Plan): Fraction {
  if (interval === 'month') return fraction(1);
  return interval === 'year' ? fraction(1, 12) : fraction(52, 12);
}

function inMajor(minor: Fraction): Fraction {
  return multiply(minor, fraction(1, 10 ** PLACES));
}

function dayIn(zone: string, second: number): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone }).format(second * 1000);
}

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}
