/** The money of the built-in orders: charges, refunds, what the balance did, and weekly payouts. */
import type { Order } from '../../builtin/ledger.ts';
import type { InvoiceLines } from '../../builtin/online_retail.ts';
import { worth } from '../../builtin/refunds.ts';

const DAY_SECONDS = 86_400;
const WEEK_SECONDS = 7 * DAY_SECONDS;
const AVAILABLE_AFTER_DAYS = 3;
const MONDAY = 4 * DAY_SECONDS; // the first Monday after 1970-01-01, which was a Thursday

/** Amounts are in pence. `order` is the Shopify order's number, as text. */
export type Charge = {
  id: string;
  order: string;
  created: number;
  amount: number;
  customer: string;
  refunds: Refund[];
};
export type Refund = { id: string; created: number; amount: number; charge: Charge };
export type Payout = { id: string; created: number; amount: number };
export type Transaction = {
  id: string;
  type: 'charge' | 'refund' | 'payout';
  source: string;
  created: number;
  availableOn: number;
  amount: number;
  fee: number;
  payout: string | undefined;
};
export type Money = {
  charges: Charge[];
  refunds: Refund[];
  payouts: Payout[];
  transactions: Transaction[];
};

export function moneyOf(orders: readonly Order[], lines: InvoiceLines): Money {
  const charges = orders.flatMap((order) => chargeOf(order, lines));
  const refunds = charges.flatMap((charge) => charge.refunds);
  const moved = [...charges.map(ofCharge), ...refunds.map(ofRefund)];
  moved.sort((left, right) => left.created - right.created);
  const payouts = payOut(moved);
  const transactions = [...moved, ...payouts.map(ofPayout)];
  return { charges, refunds, payouts, transactions };
}

/** An order's total, rounded to the penny; the data have up to three places. */
function chargeOf(order: Order, lines: InvoiceLines): Charge[] {
  const total = order.lines.reduce((sum, line) => {
    return sum + Math.max(0, lines.quantity[line] ?? 0) * (lines.price[line] ?? 0);
  }, 0);
  const amount = toPence(total);
  if (amount === 0) return [];
  const created = order.at / 1000;
  const customer = lines.customers.name(order.customer);
  const charge: Charge = {
    id: `ch_${order.invoice}`,
    order: order.invoice,
    created,
    amount,
    customer,
    refunds: [],
  };
  let left = amount;
  for (const refund of [...order.refunds].sort((one, other) => one.at - other.at)) {
    // A cancellation may be dearer than what was paid: more than that never went back.
    const given = Math.min(left, toPence(worth(refund)));
    if (given <= 0) continue;
    left -= given;
    charge.refunds.push({ id: `re_${refund.number}`, created: refund.at / 1000, amount: given, charge });
  }
  return [charge];
}

/** Thousandths of a pound to pence, half a penny up. */
function toPence(thousandths: number): number {
  return Math.floor((thousandths + 5) / 10);
}

/** 1.5 % of the amount, half a penny up, and 20 pence. Refunds cost nothing and give no fee back. */
export function feeOf(amount: number): number {
  return Math.floor((amount * 15 + 500) / 1000) + 20;
}

function ofCharge({ id, order, created, amount }: Charge): Transaction {
  const txn = `txn_${order}`;
  return {
    id: txn,
    type: 'charge',
    source: id,
    ...at(created),
    amount,
    fee: feeOf(amount),
    payout: undefined,
  };
}

function ofRefund({ id, created, amount }: Refund): Transaction {
  return {
    id: `txn_${id}`,
    type: 'refund',
    source: id,
    ...at(created),
    amount: -amount,
    fee: 0,
    payout: undefined,
  };
}

function ofPayout({ id, created, amount }: Payout): Transaction {
  const txn = `txn_${id}`;
  return {
    id: txn,
    type: 'payout',
    source: id,
    created,
    availableOn: created,
    amount: -amount,
    fee: 0,
    payout: id,
  };
}

function at(created: number): { created: number; availableOn: number } {
  const midnight = created - (created % DAY_SECONDS);
  return { created, availableOn: midnight + AVAILABLE_AFTER_DAYS * DAY_SECONDS };
}

/**
 * Every Monday at 00:00 UTC all that is available goes to the bank. A week that would pay nothing or
 * less is carried into the next one. What each payout holds is noted on its transactions.
 */
export function payOut(moved: Transaction[], prefix = ''): Payout[] {
  const payouts: Payout[] = [];
  const waiting = [...moved].sort((left, right) => left.availableOn - right.availableOn);
  const last = moved.at(-1)?.created ?? 0;
  let monday = firstMondayAfter(moved[0]?.created ?? 0);
  for (let open: Transaction[] = []; monday <= last; monday += WEEK_SECONDS) {
    while ((waiting[0]?.availableOn ?? Number.POSITIVE_INFINITY) <= monday) {
      const next = waiting.shift();
      if (next) open.push(next);
    }
    const amount = open.reduce((sum, transaction) => sum + transaction.amount - transaction.fee, 0);
    if (amount <= 0) continue;
    const id = `po_${prefix}${new Date(monday * 1000).toISOString().slice(0, 10).replaceAll('-', '')}`;
    for (const transaction of open) transaction.payout = id;
    payouts.push({ id, created: monday, amount });
    open = [];
  }
  return payouts;
}

function firstMondayAfter(second: number): number {
  return MONDAY + Math.ceil((second - MONDAY) / WEEK_SECONDS) * WEEK_SECONDS;
}
