/**
 * Payments as Stripe lists them, about 3 kB of JSON each, and a table for them. The connector comes
 * with a later release; the table stands for it: columns that a rollup needs, and the whole object.
 */
import type { Db } from '../../sql/db/pool.ts';
import { type Item, type Json, table } from '../../sql/load/table.ts';
import { seeded } from './random.ts';

export type Charge = {
  id: string;
  created: number;
  amount: number;
  currency: string;
  status: string;
  customer: string;
};

export const charges = table({
  name: 'raw.bench_charges',
  personal: null,
  key: ['id'],
  columns: {
    id: 'text',
    created_at: 'timestamptz',
    amount: 'numeric',
    currency: 'text',
    status: 'text',
    customer_id: 'text',
    payload: 'jsonb',
  },
  marks: { created_at: 'payments' },
  digested: true,
  observed: true, // a charge has no version of its own
});

/** As migrations make the tables of `raw`. */
export async function makeChargesTable(db: Db, name: string): Promise<void> {
  await db.query(`
    create table ${name} (
      brand_id uuid not null,
      connection_id uuid not null,
      id text not null,
      created_at timestamptz not null,
      amount numeric not null,
      currency text not null,
      status text not null,
      customer_id text,
      payload jsonb,
      changed_at timestamptz not null,
      seen_at timestamptz not null,
      deleted_at timestamptz,
      digest uuid,
      primary key (brand_id, connection_id, id)
    )`);
}

/** A page as the connector hands it to the loader. */
export function chargeItems(page: string, changedAt: Date): Item[] {
  const { data } = JSON.parse(page) as { data: (Charge & Json)[] };
  return data.map((charge) => ({
    id: charge.id,
    changedAt,
    rows: {
      [charges.name]: [
        {
          id: charge.id,
          created_at: new Date(charge.created * 1000),
          amount: inMajorUnits(charge.amount),
          currency: charge.currency.toUpperCase(),
          status: charge.status,
          customer_id: charge.customer,
          payload: charge,
        },
      ],
    },
  }));
}

/** Cents to decimal text. */
export function inMajorUnits(cents: number): string {
  return `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
}

/** Bodies of a list, `perPage` charges each. */
export function chargePages(count: number, perPage: number): string[] {
  const random = seeded(1);
  const all = Array.from({ length: count }, (_, index) => charge(random, index));
  return Array.from({ length: Math.ceil(count / perPage) }, (_, page) =>
    JSON.stringify({
      object: 'list',
      url: '/v1/charges',
      has_more: (page + 1) * perPage < count,
      data: all.slice(page * perPage, (page + 1) * perPage),
    }),
  );
}

const NEWEST = Date.UTC(2026, 9, 1) / 1000;
const SECONDS_APART = 90;

function charge(random: ReturnType<typeof seeded>, index: number): Charge & Json {
  const id = `ch_3${random.token(23)}`;
  const amount = 100 + random.whole(50_000);
  const created = NEWEST - index * SECONDS_APART;
  const customer = `cus_${random.token(14)}`;
  const name = `${random.token(6)} ${random.token(9)}`;
  return {
    id,
    object: 'charge',
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: `txn_3${random.token(23)}`,
    billing_details: {
      address: {
        city: random.token(8),
        country: random.pick(['GB', 'DE', 'FR', 'IE', 'US']),
        line1: `${random.whole(300)} ${random.token(12)} Street`,
        line2: null,
        postal_code: random.token(6).toUpperCase(),
        state: null,
      },
      email: `${random.token(10)}@example.com`,
      name,
      phone: `+44${random.whole(1e9)}`,
      tax_id: null,
    },
    calculated_statement_descriptor: 'GIFTWARE LONDON',
    captured: true,
    created,
    currency: 'gbp',
    customer,
    description: `Order ${random.token(10)} of ${name}`,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: {
      order_id: String(random.whole(1e12)),
      cart: random.token(32),
      campaign: random.token(16),
      session: random.token(64),
      note: random.token(120),
    },
    on_behalf_of: null,
    order: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: 'approved_by_network',
      reason: null,
      risk_level: 'normal',
      risk_score: random.whole(99),
      seller_message: 'Payment complete.',
      type: 'authorized',
    },
    paid: true,
    payment_intent: `pi_3${random.token(23)}`,
    payment_method: `pm_1${random.token(23)}`,
    payment_method_details: {
      card: {
        amount_authorized: amount,
        authorization_code: random.token(6),
        brand: random.pick(['visa', 'mastercard', 'amex']),
        checks: { address_line1_check: 'pass', address_postal_code_check: 'pass', cvc_check: 'pass' },
        country: 'GB',
        exp_month: 1 + random.whole(12),
        exp_year: 2027 + random.whole(5),
        extended_authorization: { status: 'disabled' },
        fingerprint: random.token(16),
        funding: random.pick(['credit', 'debit']),
        incremental_authorization: { status: 'unavailable' },
        installments: null,
        last4: String(1000 + random.whole(9000)),
        mandate: null,
        multicapture: { status: 'unavailable' },
        network: 'visa',
        network_token: { used: false },
        network_transaction_id: String(random.whole(1e15)),
        overcapture: { maximum_amount_capturable: amount, status: 'unavailable' },
        regulated_status: 'unregulated',
        three_d_secure: null,
        wallet: null,
      },
      type: 'card',
    },
    radar_options: {},
    receipt_email: null,
    receipt_number: null,
    receipt_url: `https://pay.stripe.com/receipts/payment/${random.token(120)}`,
    refunded: false,
    review: null,
    shipping: {
      address: {
        city: random.token(8),
        country: 'GB',
        line1: `${random.whole(300)} ${random.token(12)} Street`,
        line2: null,
        postal_code: random.token(6).toUpperCase(),
        state: null,
      },
      carrier: null,
      name,
      phone: null,
      tracking_number: null,
    },
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'succeeded',
    transfer_data: null,
    transfer_group: `group_pi_3${random.token(23)}`,
  };
}
