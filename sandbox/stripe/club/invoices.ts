/** Invoices, charges and payments of the made-up subscriptions, as drafts of Stripe objects. */

import { feeOf } from '../giftware/money.ts';
import type { StripeObject } from '../objects.ts';
import { type Plan, pricingOf } from './catalogue.ts';

const DAY_SECONDS = 86_400;
const AVAILABLE_AFTER_DAYS = 3;

export type Period = { start: number; end: number };
export type Line = {
  plan: Plan;
  item: string;
  quantity: number;
  amount: number;
  period: Period;
  proration: boolean;
  description: string;
};
export type Discount = { id: string; percent: number; amount: number };
export type Bill = {
  id: string;
  at: number;
  reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update';
  subscription: string;
  customer: string;
  currency: string;
  lines: readonly Line[];
  discount: Discount | undefined;
  period: Period;
};
export type Drafted = Record<
  'invoices' | 'charges' | 'payment_intents' | 'invoice_payments' | 'balance_transactions',
  StripeObject[]
>;

export function noDrafts(): Drafted {
  return { invoices: [], charges: [], payment_intents: [], invoice_payments: [], balance_transactions: [] };
}

export class Invoice {
  readonly total: number;
  readonly #bill: Bill;
  readonly #drafts: Drafted;
  readonly #lines: StripeObject[];
  #attempts = 0;

  constructor(bill: Bill, drafts: Drafted) {
    this.#bill = bill;
    this.#drafts = drafts;
    const discounts = discountsOf(bill);
    this.#lines = bill.lines.map((line, index) => lineDraft(bill, line, index, discounts[index] ?? 0));
    this.total = bill.lines.reduce((sum, { amount }, index) => sum + amount - (discounts[index] ?? 0), 0);
    if (this.total < 0) throw new Error(`Invoice ${bill.id} would owe money to its customer.`);
  }

  get id(): string {
    return this.#bill.id;
  }

  /** A state of the invoice from an instant on. */
  note(at: number, status: 'draft' | 'open' | 'paid' | 'void' | 'uncollectible'): void {
    const { id, at: created, reason, subscription, customer, currency, period, discount } = this.#bill;
    const since = (wanted: string) => (status === wanted ? at : null);
    this.#drafts.invoices.push({
      id,
      _at: at,
      created,
      customer,
      currency,
      status,
      billing_reason: reason,
      attempt_count: this.#attempts,
      attempted: this.#attempts > 0,
      discounts: discount ? [discount.id] : [],
      number: id.replace('in_', '').toUpperCase(),
      period_start: period.start,
      period_end: period.end,
      parent: {
        type: 'subscription_details',
        quote_details: null,
        subscription_details: { metadata: {}, subscription },
      },
      status_transitions: {
        finalized_at: status === 'draft' ? null : at,
        marked_uncollectible_at: since('uncollectible'),
        paid_at: since('paid'),
        voided_at: since('void'),
      },
      lines: this.#lines,
    });
  }

  /** Takes the money, or fails to. Nothing is charged for a bill of nothing. */
  charge(at: number, succeeds: boolean): void {
    if (this.total === 0) {
      this.note(at, 'paid');
      return;
    }
    this.#attempts++;
    const { id, customer, currency } = this.#bill;
    const charge = `${id.replace('in_', 'ch_')}_${this.#attempts}`;
    const intent = id.replace('in_', 'pi_');
    const amount = this.total;
    this.#drafts.charges.push({
      ...{ id: charge, created: at, amount, currency, customer, payment_intent: intent },
      status: succeeds ? 'succeeded' : 'failed',
      description: 'Subscription payment',
      ...(succeeds ? {} : { failure_code: 'card_declined', failure_message: 'Your card was declined.' }),
    });
    this.#drafts.payment_intents.push({
      ...{ id: intent, _at: at, created: this.#bill.at, amount, currency, customer, latest_charge: charge },
      status: succeeds ? 'succeeded' : 'requires_payment_method',
    });
    if (succeeds) this.#receive(at, charge, intent);
    this.note(at, succeeds ? 'paid' : 'open');
  }

  #receive(at: number, charge: string, intent: string): void {
    const { id, currency } = this.#bill;
    const amount = this.total;
    this.#drafts.invoice_payments.push({
      ...{ id: id.replace('in_', 'inpay_'), invoice: id, created: at, currency },
      ...{ amount_requested: amount, amount_paid: amount },
      payment: { type: 'payment_intent', payment_intent: intent },
      status_transitions: { canceled_at: null, paid_at: at },
    });
    this.#drafts.balance_transactions.push({
      ...{ id: charge.replace('ch_', 'txn_'), source: charge, type: 'charge', created: at, currency },
      ...{ amount, fee: feeOf(amount) },
      available_on: at - (at % DAY_SECONDS) + AVAILABLE_AFTER_DAYS * DAY_SECONDS,
    });
  }
}

/** What each line has off: a percentage of it, or its share of an amount, the last one the rest. */
function discountsOf({ lines, discount }: Bill): number[] {
  if (!discount) return lines.map(() => 0);
  if (discount.percent > 0) return lines.map(({ amount }) => Math.round((amount * discount.percent) / 100));
  const whole = lines.map(({ amount, proration }) => (proration ? 0 : amount));
  const sum = whole.reduce((total, amount) => total + amount, 0);
  const off = Math.min(discount.amount, sum);
  const shares = whole.map((amount) => (sum === 0 ? 0 : Math.floor((off * amount) / sum)));
  const rest = off - shares.reduce((total, share) => total + share, 0);
  return shares.map((share, index) => (index === 0 ? share + rest : share));
}

function lineDraft(bill: Bill, line: Line, index: number, off: number): StripeObject {
  const { plan, item, quantity, amount, period, proration, description } = line;
  const given = bill.discount && off !== 0 ? [{ amount: off, discount: bill.discount.id }] : [];
  return {
    ...{ id: `${bill.id.replace('in_', 'il_')}_${index + 1}`, amount, description, period, quantity },
    discount_amounts: given,
    discounts: given.map(({ discount }) => discount),
    taxes: [],
    pricing: pricingOf(plan),
    parent: {
      type: 'subscription_item_details',
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: proration ? `${bill.id.replace('in_', 'ii_')}_${index + 1}` : null,
        proration,
        proration_details: proration ? { credited_items: null } : null,
        subscription: bill.subscription,
        subscription_item: item,
      },
    },
  };
}
