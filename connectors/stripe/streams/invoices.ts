/** Invoices with all their lines. The period of a line is the one of the service, that of an invoice is not. */

import { type Item, table } from '#sql/load/table.ts';
import { each, type Fields, object as objectAt, payloadOf, text, under } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import {
  below,
  currencyOf,
  fineMoneyOrNull,
  instantAt,
  instantAtOrNull,
  money,
  numberIfAny,
  refIfAny,
  refTold,
  textIfAny,
} from '../api/coerce.ts';
import { drained } from '../api/list.ts';
import { statesOfBills, statesOfLines } from '../invalidations.ts';
import { isTaxKnown } from '../mrr/without_tax.ts';
import { type Collection, pathTo, type Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';

export const invoices = table({
  name: 'raw.stripe_invoices',
  key: ['id'],
  observed: true,
  columns: {
    id: 'text',
    number: 'text',
    status: 'text',
    billing_reason: 'text',
    currency: 'text',
    customer_id: 'text',
    subscription_id: 'text',
    subtotal: 'numeric',
    total: 'numeric',
    amount_due: 'numeric',
    amount_paid: 'numeric',
    amount_remaining: 'numeric',
    period_start: 'timestamptz',
    period_end: 'timestamptz',
    finalized_at: 'timestamptz',
    paid_at: 'timestamptz',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

export const invoiceLines = table({
  name: 'raw.stripe_invoice_lines',
  key: ['id'],
  rootColumn: 'invoice_id',
  columns: {
    id: 'text',
    invoice_id: 'text',
    subscription_id: 'text',
    subscription_item_id: 'text',
    price_id: 'text',
    product_id: 'text',
    currency: 'text',
    amount: 'numeric',
    quantity: 'numeric',
    unit_amount: 'numeric',
    is_proration: 'boolean',
    is_tax_known: 'boolean',
    period_start: 'timestamptz',
    period_end: 'timestamptz',
    payload: 'jsonb',
  },
});

// Who the buyer is, what lets others pay or read the invoice, and the lines, which are rows of their own.
const LEFT_OUT = new Set([
  'confirmation_secret', 'customer_address', 'customer_email', 'customer_name', 'customer_phone',
  'customer_shipping', 'customer_tax_ids', 'hosted_invoice_url', 'invoice_pdf', 'last_finalization_error',
  'lines', 'payments', 'shipping_details', 'webhooks_delivered_at',
]); // biome-ignore format: a list of names

// All but `invoice.upcoming`, which is about an invoice that does not exist yet and has no id.
const TYPES = [
  'created', 'updated', 'finalized', 'finalization_failed', 'paid', 'payment_succeeded', 'payment_failed',
  'payment_action_required', 'sent', 'voided', 'marked_uncollectible', 'overdue', 'overpaid', 'deleted',
]; // biome-ignore format: a list of names

const collection: Collection = {
  name: 'invoices',
  object: 'invoice',
  leftOut: LEFT_OUT,
  target: { tables: [invoices, invoiceLines], dependents: [statesOfBills, statesOfLines] },
  canVanish: true,
  events: [...TYPES.map((type) => `invoice.${type}`), 'invoice_payment.paid'],
  toldBy: (other) => ({ id: refTold(other, 'invoice') }),
  async complete(stripe, invoice) {
    const path = `${pathTo('invoices', invoice.id)}/lines`;
    return { ...invoice, lines: { data: await drained(stripe, invoice.lines, path) } };
  },
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const transitions = below(object, 'status_transitions');
  const row = {
    id,
    number: textIfAny(object, 'number'),
    status: textIfAny(object, 'status'),
    billing_reason: textIfAny(object, 'billing_reason'),
    currency,
    customer_id: refIfAny(object, 'customer'),
    subscription_id: refIfAny(below(below(object, 'parent'), 'subscription_details'), 'subscription'),
    subtotal: money(object, 'subtotal', currency),
    total: money(object, 'total', currency),
    amount_due: money(object, 'amount_due', currency),
    amount_paid: money(object, 'amount_paid', currency),
    amount_remaining: money(object, 'amount_remaining', currency),
    period_start: instantAtOrNull(object, 'period_start'),
    period_end: instantAtOrNull(object, 'period_end'),
    finalized_at: instantAtOrNull(transitions, 'finalized_at'),
    paid_at: instantAtOrNull(transitions, 'paid_at'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, LEFT_OUT),
  };
  const lines = under('lines', () =>
    each(objectAt(object, 'lines'), 'data', (line) => lineRow(line, object)),
  );
  return { id, changedAt: sentAt, rows: { [invoices.name]: [row], [invoiceLines.name]: lines } };
}

function lineRow(line: Fields, invoice: Fields) {
  const currency = currencyOf(line);
  const parent = below(line, 'parent');
  const ofItem = below(parent, 'subscription_item_details');
  const ofInvoiceItem = below(parent, 'invoice_item_details');
  const pricing = below(line, 'pricing');
  const price = below(pricing, 'price_details');
  const period = objectAt(line, 'period');
  return {
    id: text(line, 'id'),
    invoice_id: text(invoice, 'id'),
    subscription_id: refIfAny(ofItem, 'subscription') ?? refIfAny(ofInvoiceItem, 'subscription'),
    subscription_item_id: refIfAny(ofItem, 'subscription_item'),
    price_id: refIfAny(price, 'price'),
    product_id: refIfAny(price, 'product'),
    currency,
    amount: money(line, 'amount', currency),
    quantity: textIfAny(line, 'quantity_decimal') ?? numberIfAny(line, 'quantity'),
    unit_amount: fineMoneyOrNull(pricing, 'unit_amount_decimal', currency),
    is_proration: ofItem.proration === true || ofInvoiceItem.proration === true,
    is_tax_known: isTaxKnown(invoice, line),
    period_start: under('period', () => instantAt(period, 'start')),
    period_end: under('period', () => instantAt(period, 'end')),
    payload: payloadOf(line, NOTHING),
  };
}

const NOTHING: ReadonlySet<string> = new Set();

export const invoicesStream = defineStream({
  name: 'stripe.invoices',
  provider: 'stripe',
  scopes: ['rak_invoice_read', 'rak_event_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection),
});
