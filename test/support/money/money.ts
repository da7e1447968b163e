/** The money of an account by hand: objects of Stripe, and what their bookings must come to. */
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from '../db/db.ts';
import { NOW } from '../providers/stripe.ts';
import { runTask } from '../run.ts';

/** Minor units, as Stripe writes them; `at` in UTC without its zone, such as `2026-10-25T00:30:00`. */
export type Booking = {
  id: string;
  at: string;
  category: string;
  type?: string;
  currency?: string;
  amount: number;
  fee?: number;
  source?: string | null;
  [more: string]: unknown;
};

export const second = (at: string): number => Date.parse(`${at}Z`) / 1000;

const TYPES: Readonly<Record<string, string>> = {
  charge_failure: 'payment_failure_refund',
  dispute: 'adjustment',
  dispute_reversal: 'adjustment',
  fee: 'stripe_fee',
  network_cost: 'network_cost',
  other_adjustment: 'adjustment',
  partial_capture_reversal: 'refund',
  payout_reversal: 'payout_failure',
  platform_earning: 'application_fee',
  risk_reserved_funds: 'reserve_transaction',
  tax: 'tax_fee',
};

/** A line of balance_transactions.ndjson. */
export function booked({ at, category, type, currency = 'gbp', source = null, ...more }: Booking): object {
  const created = second(at);
  return {
    type: type ?? TYPES[category] ?? category,
    reporting_category: category,
    currency,
    source,
    created,
    ...more,
  };
}

export type PaymentRow = Record<string, string | number>;

/** Stripe's own list: of the króna and the shilling it gives hundredths although nobody has any. */
const PLACES: Readonly<Record<string, number>> = { JPY: 0, KWD: 3 };

export function major(minor: bigint, currency: string): string {
  const places = PLACES[currency] ?? 2;
  const digits = (minor < 0n ? -minor : minor).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const part = digits.slice(digits.length - places).replace(/0+$/, '');
  return `${minor < 0n ? '-' : ''}${whole}${part && `.${part}`}`;
}

export function dayIn(zone: string, at: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' }).format(new Date(`${at}Z`));
}

const MOVES = ['payout', 'payout_reversal', 'topup', 'topup_reversal', 'transfer', 'transfer_reversal'];

/** A figure of a day, as a sum over its bookings. Counts take what is counted only. */
const SUMS: Readonly<Record<string, (of: { category: string; amount: bigint; fee: bigint }) => bigint>> = {
  charges: ({ category }) => BigInt(category === 'charge'),
  charge_amount: ({ category, amount }) =>
    ['charge', 'charge_failure', 'partial_capture_reversal'].includes(category) ? amount : 0n,
  refunds: ({ category }) => BigInt(category === 'refund'),
  refund_amount: ({ category, amount }) => (['refund', 'refund_failure'].includes(category) ? -amount : 0n),
  disputes: ({ category }) => BigInt(category === 'dispute'),
  dispute_amount: ({ category, amount }) =>
    ['dispute', 'dispute_reversal'].includes(category) ? -amount : 0n,
  fees: ({ category, amount, fee }) =>
    fee - (['fee', 'tax', 'network_cost'].includes(category) ? amount : 0n),
  net: ({ category, amount, fee }) => (MOVES.includes(category) ? 0n : amount - fee),
  payouts: ({ category }) => BigInt(category === 'payout'),
  payout_amount: ({ category, amount }) => (['payout', 'payout_reversal'].includes(category) ? -amount : 0n),
};
const COUNTS = ['charges', 'refunds', 'disputes', 'payouts'];
export const PAYMENT_COLUMNS = [...Object.keys(SUMS), 'failed_charges', 'closing_balance'];

/** Attempts that failed, by when they were made and the currency that the buyer saw. */
export type Failed = { at: string; currency?: string };

/** What bi.daily_payments must say of these bookings to a brand of this zone: added up by hand, one by one. */
export function dailyPayments(
  zone: string,
  bookings: readonly Booking[],
  failed: readonly Failed[],
): PaymentRow[] {
  const rows = new Map<string, { sums: Map<string, bigint>; change: bigint }>();
  const rowOf = (at: string, currency: string) => {
    const key = `${dayIn(zone, at)} ${currency.toUpperCase()}`;
    const row = rows.get(key) ?? { sums: new Map(), change: 0n };
    rows.set(key, row);
    return row;
  };
  const add = (sums: Map<string, bigint>, column: string, what: bigint) =>
    sums.set(column, (sums.get(column) ?? 0n) + what);
  for (const { at, category, currency = 'gbp', amount, fee = 0 } of bookings) {
    const row = rowOf(at, currency);
    row.change += BigInt(amount) - BigInt(fee);
    for (const [column, sum] of Object.entries(SUMS))
      add(row.sums, column, sum({ category, amount: BigInt(amount), fee: BigInt(fee) }));
  }
  for (const { at, currency = 'gbp' } of failed) add(rowOf(at, currency).sums, 'failed_charges', 1n);
  const balances = new Map<string, bigint>();
  return [...rows]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, { sums, change }]) => {
      const [day = '', currency = ''] = key.split(' ');
      const closing = (balances.get(currency) ?? 0n) + change;
      balances.set(currency, closing);
      const figures = PAYMENT_COLUMNS.map((column) => {
        if (column === 'closing_balance') return [column, major(closing, currency)];
        const sum = sums.get(column) ?? 0n;
        return [column, [...COUNTS, 'failed_charges'].includes(column) ? Number(sum) : major(sum, currency)];
      });
      return { day, currency, ...Object.fromEntries(figures) };
    });
}

/** Rolls up what is dirty of all retailers of a brand. */
export async function rollUp(db: TestDb, brandId: string, now = NOW): Promise<void> {
  const retailers = await db.column('select id from app.retailers where brand_id = $1 order by id', [
    brandId,
  ]);
  for (const retailerId of retailers)
    await runTask(rollup, { brandId, retailerId: String(retailerId), now }, db);
}

/** The rows of bi.daily_payments of a brand; amounts without zeros at their end. */
export function paymentRows(db: TestDb, brandId: string): Promise<PaymentRow[]> {
  const columns = PAYMENT_COLUMNS.map((column) =>
    [...COUNTS, 'failed_charges'].includes(column)
      ? `${column}::int as ${column}`
      : `trim_scale(${column})::text as ${column}`,
  );
  return db.rows(
    `select to_char(day, 'YYYY-MM-DD') as day, currency, ${columns.join(', ')}
     from bi.daily_payments where brand_id = $1 order by day, currency`,
    [brandId],
  );
}
