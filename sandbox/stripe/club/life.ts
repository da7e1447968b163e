/** One made-up subscription, lived through step by step: its states, invoices and payments. */

import type { StripeObject } from '../objects.ts';
import { addInterval } from '../periods.ts';
import type { Coupon, Plan } from './catalogue.ts';
import { type Discount, type Drafted, Invoice, type Line, type Period } from './invoices.ts';
import { creditAndCharge, cycleLines, type Item, trialLines } from './lines.ts';
import type { Script, Step } from './scripts.ts';
import { type Ending, subscriptionDraft } from './subscription.ts';

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
const INCOMPLETE_SECONDS = 23 * HOUR_SECONDS;
const RETRY_DAYS = 3;
const GIVE_UP_DAYS = 14;

type Status = 'incomplete' | 'incomplete_expired' | 'trialing' | 'active' | 'past_due' | 'canceled';
/** What a subscription was from an instant on, in the words of the figures, not of the API. */
export type State = {
  at: number;
  status: Status;
  paused: boolean;
  items: readonly Item[];
  coupon: Coupon | undefined;
};

export class Life {
  readonly id: string;
  readonly customer: string;
  readonly states: State[] = [];
  readonly versions: StripeObject[] = [];
  readonly discounts: StripeObject[] = [];
  readonly #script: Script;
  readonly #drafts: Drafted;
  readonly #now: number;
  readonly #agenda: { at: number; act: () => void }[] = [];
  #status: Status = 'active';
  #items: Item[];
  #period: Period = { start: 0, end: 0 };
  #anchor: number;
  #coupon: Coupon | undefined;
  #couponEnd: number | undefined;
  #paused = false;
  #ending: Ending | undefined;
  #ended: number | undefined;
  #pending: Line[] = [];
  #invoices = 0;
  #payments = 0;
  #latest: string | undefined;

  constructor(script: Script, drafts: Drafted, now: number) {
    this.id = `sub_${script.name}`;
    this.customer = `cus_${script.customer}`;
    this.#script = script;
    this.#drafts = drafts;
    this.#now = now;
    this.#anchor = script.start;
    this.#coupon = script.coupon;
    this.#items = script.plans.map((plan, index) => ({
      id: `si_${script.name}${index + 1}`,
      plan,
      quantity: plan.metered ? 0 : script.quantity,
    }));
    this.#plan(script.start, () => this.#begin());
    for (const step of script.steps) {
      this.#plan(script.start + step.day * DAY_SECONDS, () => this.#take(step));
    }
  }

  /** Lives until now; what comes at one instant is done in the order in which it was planned. */
  run(): this {
    for (;;) {
      this.#agenda.sort((left, right) => left.at - right.at);
      const next = this.#agenda.shift();
      if (!next || next.at > this.#now) return this;
      next.act();
    }
  }

  get #main(): Plan {
    const [first] = this.#items;
    if (!first) throw new Error(`${this.id} has no items.`);
    return first.plan;
  }

  #plan(at: number, act: () => void): void {
    this.#agenda.push({ at, act });
  }

  #begin(): void {
    const { start, trialDays, coupon } = this.#script;
    if (coupon) this.#redeem(start, coupon);
    if (trialDays > 0) {
      this.#status = 'trialing';
      this.#period = { start, end: start + trialDays * DAY_SECONDS };
      this.#anchor = this.#period.end;
      this.#bill(start, 'subscription_create', trialLines(this.#items, this.#period)).charge(start, true);
    } else {
      this.#period = this.#periodFrom(start);
      const invoice = this.#bill(start, 'subscription_create', this.#linesOfPeriod(undefined));
      const succeeds = this.#succeeds();
      invoice.charge(start, succeeds);
      if (!succeeds) {
        this.#neverBegin(start, invoice);
        return;
      }
    }
    this.#note(start);
    this.#planRenewal();
  }

  #neverBegin(start: number, invoice: Invoice): void {
    this.#status = 'incomplete';
    this.#note(start);
    this.#plan(start + INCOMPLETE_SECONDS, () => {
      invoice.note(start + INCOMPLETE_SECONDS, 'void');
      this.#end(start + INCOMPLETE_SECONDS, 'incomplete_expired');
    });
  }

  #planRenewal(): void {
    const { end } = this.#period;
    this.#plan(end, () => {
      if (this.#ended === undefined && this.#period.end === end) this.#renew(end);
    });
  }

  #renew(at: number): void {
    if (this.#ending?.at === at) {
      this.#end(at, 'canceled');
      return;
    }
    const before = this.#status === 'trialing' ? undefined : this.#period;
    if (this.#status === 'trialing') this.#status = 'active';
    this.#dropCoupon(at);
    this.#period = this.#periodFrom(at);
    const invoice = this.#bill(at, 'subscription_cycle', [...this.#pending, ...this.#linesOfPeriod(before)]);
    this.#pending = [];
    invoice.note(at, 'draft');
    this.#note(at);
    this.#planRenewal();
    this.#plan(at + HOUR_SECONDS, () => this.#collect(at + HOUR_SECONDS, invoice));
  }

  #collect(at: number, invoice: Invoice): void {
    if (this.#paused) {
      invoice.note(at, 'void');
      return;
    }
    const succeeds = this.#succeeds();
    invoice.charge(at, succeeds);
    if (succeeds) return;
    this.#status = 'past_due';
    this.#note(at);
    const retry = at + RETRY_DAYS * DAY_SECONDS;
    const recovers = this.#script.fails?.recovers === true;
    this.#plan(retry, () => {
      invoice.charge(retry, recovers);
      if (recovers) this.#status = 'active';
      this.#note(retry);
    });
    if (recovers) return;
    const end = at + GIVE_UP_DAYS * DAY_SECONDS;
    this.#plan(end, () => {
      invoice.note(end, 'uncollectible');
      this.#end(end, 'canceled');
    });
  }

  #take(step: Step): void {
    const at = this.#script.start + step.day * DAY_SECONDS;
    if (this.#ended !== undefined) return;
    if (step.do === 'switch' && step.to.interval !== this.#main.interval) this.#startAnew(at, step.to);
    else if (step.do === 'switch') this.#change(at, { plan: step.to }, step.bill);
    else if (step.do === 'quantity') this.#change(at, { quantity: step.to }, 'later');
    else if (step.do === 'cancel' && step.when === 'period_end') {
      this.#ending = { asked: at, at: this.#period.end };
    } else if (step.do === 'cancel') {
      this.#end(at, 'canceled');
      return;
    }
    if (step.do === 'keep') this.#ending = undefined;
    if (step.do === 'pause' || step.do === 'resume') this.#paused = step.do === 'pause';
    this.#note(at);
  }

  /** A plan with another interval begins a period of its own. */
  #startAnew(at: number, to: Plan): void {
    const [item] = this.#items;
    if (!item) return;
    const [credit] = creditAndCharge(item, item, this.#period, at);
    this.#items = [{ ...item, plan: to }];
    this.#anchor = at;
    this.#period = this.#periodFrom(at);
    const lines = [...(credit ? [credit] : []), ...this.#linesOfPeriod(undefined)];
    this.#bill(at, 'subscription_update', lines).charge(at, true);
    this.#planRenewal();
  }

  #change(at: number, change: Partial<Pick<Item, 'plan' | 'quantity'>>, bill: 'now' | 'later'): void {
    const [item, ...others] = this.#items;
    if (!item) return;
    const changed = { ...item, ...change };
    const lines = creditAndCharge(item, changed, this.#period, at);
    this.#items = [changed, ...others];
    if (bill === 'later') this.#pending.push(...lines);
    else this.#bill(at, 'subscription_update', lines).charge(at, true);
  }

  #end(at: number, status: 'canceled' | 'incomplete_expired'): void {
    this.#status = status;
    this.#ended = at;
    this.#ending ??= { asked: at, at: undefined };
    this.#note(at);
  }

  #redeem(at: number, coupon: Coupon): void {
    this.#couponEnd = coupon.months === undefined ? undefined : addInterval(at, 'month', coupon.months);
    this.discounts.push({
      id: `di_${this.#script.name}`,
      source: { type: 'coupon', coupon: coupon.id },
      ...{ start: at, end: this.#couponEnd ?? null, subscription: this.id, customer: this.customer },
    });
  }

  /** A coupon for once is used up by the first bill, one for some months by its end. */
  #dropCoupon(at: number): void {
    const isOver = this.#couponEnd !== undefined && this.#couponEnd <= at;
    if (this.#coupon?.duration === 'once' || isOver) this.#coupon = undefined;
  }

  #periodFrom(start: number): Period {
    const { interval } = this.#main;
    let end = start;
    // Counted from the anchor, so that a month with 30 days does not move the day of a later one.
    for (let count = 1; end <= start; count++) end = addInterval(this.#anchor, interval, count);
    return { start, end };
  }

  #linesOfPeriod(before: Period | undefined): Line[] {
    return cycleLines(this.#items, this.#period, before);
  }

  #bill(
    at: number,
    reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update',
    lines: Line[],
  ): Invoice {
    const id = `in_${this.#script.name}_${++this.#invoices}`;
    this.#latest = id;
    const { currency } = this.#main;
    const owner = { subscription: this.id, customer: this.customer, currency };
    const bill = { id, at, reason, ...owner, lines, discount: this.#discount(), period: this.#period };
    return new Invoice(bill, this.#drafts);
  }

  #discount(): Discount | undefined {
    if (!this.#coupon) return undefined;
    const { percent = 0, amount = 0 } = this.#coupon;
    return { id: `di_${this.#script.name}`, percent, amount };
  }

  #succeeds(): boolean {
    return this.#script.fails?.payment !== this.#payments++;
  }

  #note(at: number): void {
    this.states.push({
      ...{ at, status: this.#status, paused: this.#paused && this.#ended === undefined },
      ...{ items: this.#items, coupon: this.#coupon },
    });
    this.versions.push(
      subscriptionDraft({
        ...{ at, id: this.id, customer: this.customer, script: this.#script, status: this.#status },
        ...{ items: this.#items, period: this.#period, anchor: this.#anchor, latest: this.#latest },
        ...{ hasCoupon: this.#coupon !== undefined, paused: this.#paused },
        ...{ ending: this.#ending, ended: this.#ended },
      }),
    );
  }
}
