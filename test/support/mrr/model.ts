/**
 * A second opinion on MRR, as plain as can be: it looks at every subscription at the end of every day. From
 * the stored versions alone; before the first of them a subscription was what it was then (without bills
 * nothing says anything else), unless it had not begun.
 */
import { dayBounds } from '../../../sandbox/zone.ts';

export type Version = {
  retailer: string;
  connection: string;
  id: string;
  customer: string;
  created_ms: number;
  valid_from_ms: number;
  status: string;
  currency: string;
  paused: boolean;
  items: Part[];
};

/** What nobody can tell has a cause instead of an amount. */
export type Part = { price: string; monthly: string | null; metered: boolean; cause?: string };

export type ModelRow = {
  currency: string;
  active: number;
  trialing: number;
  paused: number | null;
  reconstructed: boolean;
  mrr: bigint | null; // of the smallest unit of the currency
  cause: string | null; // the first by name, of what is and of what was the day before
  moves: Record<'new' | 'expansion' | 'reactivated' | 'contraction' | 'churned', bigint>; // exact, without a cause
  churned: number;
};

const SCALE = 10n ** 18n;
const PLACES: Readonly<Record<string, number>> = { GBP: 2, JPY: 0, KWD: 3 };
const COUNTED = ['active', 'past_due', 'trialing'];

/** What is held of a subscription in a plan, at one instant. */
type Held = Version & { plan: string; worth: bigint; cause: string | null; isSeen: boolean };
type At = Map<string, Held>;

export function exact(amount: string): bigint {
  const [whole = '0', places = ''] = amount.split('.');
  return BigInt(whole) * SCALE + BigInt(places.padEnd(18, '0'));
}

export function unitsOf(amount: bigint, currency: string): bigint {
  const unit = SCALE / 10n ** BigInt(PLACES[currency] ?? 2);
  const noise = 10n ** 6n; // what the last places of fractions leave
  const clean = ((amount + noise / 2n) / noise) * noise;
  return (2n * clean + unit) / (2n * unit);
}

/** Rows by "retailer day currency plan". */
export function mrrModel(versions: readonly Version[], zone: string, days: readonly string[], now: number) {
  const rows = new Map<string, ModelRow>();
  const everPaid = new Set<string>();
  let before: At = new Map();
  for (const day of days) {
    const { start, end } = dayBounds(day, zone);
    if (start > now) break;
    const held = heldAt(versions, Math.min(end - 1, now));
    addLevels(rows, day, held);
    addMoves(rows, day, before, held, everPaid);
    for (const one of held.values()) if (isWorthSomething(one)) everPaid.add(payer(one));
    before = held;
  }
  for (const [key, row] of rows) {
    // Of a plan that nobody has any more all that moved is what it was worth the day before.
    const left = unitsOf(row.moves.contraction + row.moves.churned, row.currency);
    if (row.active + row.trialing + row.churned === 0 && left === 0n && row.cause === null) rows.delete(key);
  }
  return rows;
}

function heldAt(versions: readonly Version[], at: number): At {
  const held: At = new Map();
  const bySubscription = Map.groupBy(versions, ({ connection, id }) => `${connection} ${id}`);
  for (const [subscription, all] of bySubscription) {
    const sorted = all.toSorted((one, other) => one.valid_from_ms - other.valid_from_ms);
    const current = sorted.findLast((version) => version.valid_from_ms <= at);
    const state = current ?? unseen(sorted[0], at);
    if (!state || !COUNTED.includes(state.status)) continue;
    for (const { price, monthly, cause } of state.items) {
      const isTrial = state.status === 'trialing';
      const worth = isTrial ? 0n : exact(monthly ?? '0');
      const key = `${subscription} ${price}`;
      const one = held.get(key) ?? {
        ...state,
        plan: price,
        worth: 0n,
        cause: null,
        isSeen: current !== undefined,
      };
      held.set(key, { ...one, worth: one.worth + worth, cause: isTrial ? null : firstOf(one.cause, cause) });
    }
  }
  return held;
}

function firstOf(...causes: (string | null | undefined)[]): string | null {
  return causes.filter((cause) => typeof cause === 'string').toSorted()[0] ?? null;
}

function isWorthSomething({ worth, cause }: Held): boolean {
  return worth > 0n || cause !== null;
}

function unseen(first: Version | undefined, at: number): Version | undefined {
  if (!first || first.created_ms > at || first.status.startsWith('incomplete')) return undefined;
  return { ...first, status: 'active' };
}

function addLevels(rows: Map<string, ModelRow>, day: string, held: At): void {
  const worth = new Map<string, bigint>();
  for (const one of held.values()) {
    const row = rowOf(rows, day, one);
    if (one.status === 'trialing') row.trialing++;
    else row.active++;
    if (!one.isSeen) row.reconstructed = true;
    if (row.paused !== null && one.paused && one.status !== 'trialing') row.paused++;
    if (!one.isSeen) row.paused = null;
    const key = keyOf(day, one);
    worth.set(key, (worth.get(key) ?? 0n) + one.worth);
    row.cause = firstOf(row.cause, one.cause);
    row.mrr = row.cause === null ? unitsOf(worth.get(key) ?? 0n, one.currency) : null;
  }
}

function addMoves(
  rows: Map<string, ModelRow>,
  day: string,
  before: At,
  now: At,
  everPaid: Set<string>,
): void {
  const all = [...before.values(), ...now.values()];
  const customers = new Set(all.map(payer));
  const sum = (held: At, wanted: (one: Held) => boolean) =>
    [...held.values()].filter(wanted).reduce((total, { worth }) => total + worth, 0n);
  for (const customer of customers) {
    const hasAny = (held: At) =>
      [...held.values()].some((one) => payer(one) === customer && isWorthSomething(one));
    const [had, has] = [hasAny(before), hasAny(now)];
    const plans = new Map(all.filter((one) => payer(one) === customer).map((one) => [keyOf(day, one), one]));
    for (const one of plans.values()) {
      const inPlan = (other: Held) => payer(other) === customer && other.plan === one.plan;
      const change = sum(now, inPlan) - sum(before, inPlan);
      if (change === 0n) continue;
      const rise = had ? 'expansion' : everPaid.has(customer) ? 'reactivated' : 'new';
      const fall = has ? 'contraction' : 'churned';
      rowOf(rows, day, one).moves[change > 0n ? rise : fall] += change > 0n ? change : -change;
    }
  }
  for (const [key, one] of before) {
    const isOver = ![...now.values()].some(
      (other) => other.connection === one.connection && other.id === one.id && other.status !== 'trialing',
    );
    const stays = now.get(key);
    if (one.status !== 'trialing' && isOver) rowOf(rows, day, one).churned++;
    // What it was worth the day before, and so what moved.
    if (one.cause !== null) {
      const row = rowOf(rows, day, one);
      if (row.mrr !== null) row.cause = firstOf(row.cause, one.cause);
    }
    // A state that ended without having been seen.
    if (!one.isSeen && !stays) rowOf(rows, day, one).reconstructed = true;
  }
}

function rowOf(rows: Map<string, ModelRow>, day: string, one: Held): ModelRow {
  const key = keyOf(day, one);
  const moves = { new: 0n, expansion: 0n, reactivated: 0n, contraction: 0n, churned: 0n };
  const row = rows.get(key) ?? {
    ...{
      currency: one.currency,
      active: 0,
      trialing: 0,
      paused: 0,
      reconstructed: false,
      mrr: 0n,
      cause: null,
      moves,
      churned: 0,
    },
  };
  rows.set(key, row);
  return row;
}

function keyOf(day: string, { retailer, currency, plan }: Held): string {
  return `${retailer} ${day} ${currency} ${plan}`;
}

/** Movements are told by customer, whose ids are of one account, and currency. */
function payer({ connection, customer, currency }: Held): string {
  return `${connection} ${customer} ${currency}`;
}
