/** Invoice lines: what a period costs, and what a change in the middle of one gives back and costs. */
import type { Plan } from './catalogue.ts';
import type { Line, Period } from './invoices.ts';

export type Item = { id: string; plan: Plan; quantity: number };

/** Plans are paid in advance; what was used of a metered one in the period before, afterwards. */
export function cycleLines(items: readonly Item[], period: Period, before: Period | undefined): Line[] {
  return items.flatMap((item) => {
    if (!item.plan.metered)
      return [lineOf(item, item.quantity, period, `${item.quantity} × ${item.plan.id}`)];
    return before ? [lineOf(item, usedIn(before), before, `Usage of ${item.plan.id}`)] : [];
  });
}

/** A trial is billed with nothing. */
export function trialLines(items: readonly Item[], period: Period): Line[] {
  return cycleLines(items, period, undefined).map((line) => ({
    ...line,
    amount: 0,
    description: `Trial period for ${line.plan.id}`,
  }));
}

/** The unused rest of the period at the old price goes back, the same rest is paid at the new one. */
export function creditAndCharge(before: Item, after: Item, period: Period, at: number): [Line, Line] {
  const rest = { start: at, end: period.end };
  const share = ({ plan, quantity }: Item) => {
    return Math.round((plan.unit * quantity * (period.end - at)) / (period.end - period.start));
  };
  const line = (item: Item, amount: number, description: string): Line => {
    return { ...lineOf(item, item.quantity, rest, description), amount, proration: true };
  };
  return [
    line(before, -share(before), `Unused time on ${before.plan.id}`),
    line(after, share(after), `Remaining time on ${after.plan.id}`),
  ];
}

function lineOf({ id, plan }: Item, quantity: number, period: Period, description: string): Line {
  return { plan, item: id, quantity, amount: plan.unit * quantity, period, proration: false, description };
}

/** Made-up use: between 0 and 22 pieces. */
function usedIn({ start }: Period): number {
  return Math.floor(start / 3_600) % 23;
}
