/**
 * Any number of balance transactions, each worked out from its place in the row when it is asked for,
 * so that a million of them cost no memory. Every tenth is a refund; there are no payouts.
 */
import type { Book, Source, StripeObject } from './objects.ts';
import { NOTHING } from './rows.ts';

const AVAILABLE_AFTER_SECONDS = 3 * 86_400;
const REFUND_EVERY = 10;

export type Synthetic = { count: number; currency: string; from: number; to: number };

export function syntheticBook(settings: Synthetic, livemode: boolean): Book {
  const transactions = syntheticTransactions(settings);
  return {
    livemode,
    source: (kind) => (kind === 'balance_transactions' ? transactions : NOTHING),
    balance: (now) => syntheticBalance(settings, now),
  };
}

function syntheticTransactions({ count, currency, from, to }: Synthetic): Source {
  const createdAt = (position: number) => from + Math.floor((position * (to - from)) / count);
  return {
    length: count,
    idAt: idOf,
    createdAt,
    objectAt: (position, now) => transaction(position, createdAt(position), currency, now),
    positionOf: (id) => positionOf(id, count),
    positionsWhere: (field) => (field === 'payout' ? [] : undefined),
  };
}

function idOf(position: number): string {
  return `txn_synthetic${String(position).padStart(9, '0')}`;
}

function positionOf(id: string, count: number): number | undefined {
  const position = Number(/^txn_synthetic(\d{9})$/.exec(id)?.[1] ?? count);
  return position < count ? position : undefined;
}

/** Amounts in minor units: whole numbers that look like chance and are the same on every run. */
function amountOf(position: number): { amount: number; fee: number } {
  const size = 100 + ((position * 7_919) % 90_001);
  if (position % REFUND_EVERY === REFUND_EVERY - 1) return { amount: -size, fee: 0 };
  return { amount: size, fee: Math.floor((size * 15 + 500) / 1000) + 20 };
}

function transaction(
  position: number,
  created: number,
  currency: string,
  now: number,
): StripeObject | undefined {
  if (created > now) return undefined;
  const { amount, fee } = amountOf(position);
  const type = amount < 0 ? 'refund' : 'charge';
  const number = String(position).padStart(9, '0');
  return {
    id: idOf(position),
    object: 'balance_transaction',
    amount,
    available_on: created + AVAILABLE_AFTER_SECONDS,
    balance_type: 'payments',
    created,
    currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0 ? [] : [{ amount: fee, application: null, currency, description: null, type: 'stripe_fee' }],
    net: amount - fee,
    reporting_category: type,
    source: type === 'refund' ? `re_synthetic${number}` : `ch_synthetic${number}`,
    status: created + AVAILABLE_AFTER_SECONDS <= now ? 'available' : 'pending',
    type,
  };
}

/** Sums the amounts without making the objects. */
function syntheticBalance({ count, currency, from, to }: Synthetic, now: number) {
  const money = { available: 0, pending: 0 };
  for (let position = 0; position < count; position++) {
    const created = from + Math.floor((position * (to - from)) / count);
    if (created > now) break;
    const { amount, fee } = amountOf(position);
    money[created + AVAILABLE_AFTER_SECONDS <= now ? 'available' : 'pending'] += amount - fee;
  }
  return new Map([['payments', new Map([[currency, money]])]]);
}
