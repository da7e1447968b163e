import type { StripeObject } from '../objects.ts';
import type { Period } from './invoices.ts';
import type { Item } from './lines.ts';
import type { Script } from './scripts.ts';

const DAY_SECONDS = 86_400;

/** When its end was asked for, and when it comes, if that is still ahead. */
export type Ending = { asked: number; at: number | undefined };

type Facts = {
  at: number;
  id: string;
  customer: string;
  script: Script;
  status: string;
  items: readonly Item[];
  period: Period;
  anchor: number;
  latest: string | undefined;
  hasCoupon: boolean;
  paused: boolean;
  ending: Ending | undefined;
  ended: number | undefined;
};

/** One state of a made-up subscription as a draft of Stripe's object. */
export function subscriptionDraft(facts: Facts): StripeObject {
  const { at, id, customer, script, status, items, period, anchor, latest, ending, ended } = facts;
  const { start, trialDays, name } = script;
  const isTrial = trialDays > 0;
  return {
    id,
    _at: at,
    created: start,
    start_date: start,
    customer,
    status,
    currency: items[0]?.plan.currency,
    billing_cycle_anchor: anchor,
    cancel_at_period_end: ending?.at !== undefined && ended === undefined,
    cancel_at: ending?.at ?? null,
    canceled_at: ending?.asked ?? null,
    ended_at: ended ?? null,
    discounts: facts.hasCoupon ? [`di_${name}`] : [],
    latest_invoice: latest ?? null,
    pause_collection: facts.paused ? { behavior: 'void', resumes_at: null } : null,
    trial_start: isTrial ? start : null,
    trial_end: isTrial ? start + trialDays * DAY_SECONDS : null,
    items: items.map((item) => ({
      ...{
        id: item.id,
        price: item.plan.id,
        current_period_start: period.start,
        current_period_end: period.end,
      },
      ...(item.plan.metered ? {} : { quantity: item.quantity }),
    })),
  };
}
