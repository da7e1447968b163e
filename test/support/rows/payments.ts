/**
 * Objects of Stripe as rows, loaded by the real loader, for tests of figures. What a test does not name
 * is filled in. Amounts are decimal text in major units.
 */
import { balanceTransactions } from '#connectors/stripe/streams/balance_transactions.ts';
import { charges } from '#connectors/stripe/streams/charges.ts';
import { paymentIntents } from '#connectors/stripe/streams/payment_intents.ts';
import { refunds } from '#connectors/stripe/streams/refunds.ts';
import type { Tx } from '#sql/db/pool.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Deletion, Item, Row, Table } from '#sql/load/table.ts';
import type { Place } from './raw_orders.ts';

const NOON = '2024-05-01T12:00:00Z';

/** Everything of Stripe that a day of cash is made of. */
export const moneyTables: readonly Table[] = [balanceTransactions, charges];

type Given = { id: string; at?: string; version?: string; currency?: string; amount?: string };

export type Booking = Given & {
  category?: string;
  fee?: string;
  applicationFee?: string;
  net?: string;
  balance?: string;
  source?: string;
};

/** A balance transaction; `net` is amount - fee unless given. */
export function aBooking({
  category = 'charge',
  fee = '0',
  applicationFee = '0',
  net,
  balance = 'payments',
  source,
  ...given
}: Booking): Item {
  const amount = given.amount ?? '10';
  return itemOf(balanceTransactions, given, {
    type: category,
    reporting_category: category,
    balance_type: balance,
    status: 'available',
    source_id: source ?? null,
    amount,
    fee,
    application_fee: applicationFee,
    net: net ?? difference(amount, fee),
    exchange_rate: null,
    available_on: new Date(given.at ?? NOON),
  });
}

export type Charge = Given & { status?: string; captured?: string; reference?: string; intent?: string };

/** A charge; `captured` is what was captured of it, all of it unless given or not succeeded. */
export function aCharge({ status = 'succeeded', captured, reference, intent, ...given }: Charge): Item {
  const amount = given.amount ?? '10';
  const amountCaptured = captured ?? (status === 'succeeded' ? amount : '0');
  return itemOf(charges, given, {
    status,
    paid: status === 'succeeded',
    captured: amountCaptured !== '0',
    disputed: false,
    amount,
    amount_captured: amountCaptured,
    amount_refunded: '0',
    customer_id: null,
    payment_intent_id: intent ?? null,
    balance_transaction_id: null,
    failure_code: status === 'failed' ? 'card_declined' : null,
    order_reference: reference ?? null,
  });
}

export function aRefund({
  charge,
  status = 'succeeded',
  booking,
  ...given
}: Given & { charge: string; status?: string; booking?: string }): Item {
  return itemOf(refunds, given, {
    status,
    amount: given.amount ?? '10',
    charge_id: charge,
    payment_intent_id: null,
    balance_transaction_id: booking ?? null,
    failure_balance_transaction_id: null,
    reason: null,
    failure_reason: null,
  });
}

export function anIntent({ reference, ...given }: Given & { reference?: string }): Item {
  const amount = given.amount ?? '10';
  return itemOf(paymentIntents, given, {
    status: 'succeeded',
    amount,
    amount_received: amount,
    customer_id: null,
    latest_charge_id: null,
    order_reference: reference ?? null,
  });
}

function itemOf(table: Table, { id, at = NOON, version = at, currency = 'GBP' }: Given, row: Row): Item {
  const whole = { id, currency, created_at: new Date(at), payload: {}, ...row };
  return { id, changedAt: new Date(version), rows: { [table.name]: [whole] } };
}

/** Of amounts with at most six decimals, exactly. */
export function difference(left: string, right: string): string {
  const units = (text: string) =>
    BigInt(text.replace('.', '') + '0'.repeat(6 - (text.split('.')[1]?.length ?? 0)));
  const result = units(left) - units(right);
  const digits = (result < 0n ? -result : result).toString().padStart(7, '0');
  return `${result < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** Loads items of any of these tables, each by its own stream's tables. */
export async function loadMoney(
  tx: Tx,
  place: Place,
  items: readonly Item[],
  deletions: readonly Deletion[] = [],
) {
  for (const table of [paymentIntents, charges, refunds, balanceTransactions]) {
    const own = items.filter(({ rows }) => rows[table.name]);
    const gone = moneyTables.includes(table) ? deletions : [];
    if (own.length + gone.length === 0) continue;
    await loadItems(tx, { ...place, tables: tablesOf(table), now: new Date(NOON) }, own, gone);
  }
}

const single = new Map<Table, readonly Table[]>();

// The loader makes its statements once for each array.
function tablesOf(table: Table): readonly Table[] {
  const tables = single.get(table) ?? [table];
  single.set(table, tables);
  return tables;
}
