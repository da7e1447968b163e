/** Invoices with all their lines. The period of a line is that of the service; the period of an invoice is not. */
import type { Item } from '#sql/load/table.ts';
import { column, recordTable, rest } from '../../kit/columns.ts';
import { each, type Fields, object as objectAt, text as readId, under } from '../../kit/fields.ts';
import {
  below,
  currencyOf,
  fineMoneyOrNull,
  instantAt,
  numberIfAny as readNumber,
  refIfAny as readRef,
  textIfAny as readText,
  refTold,
} from '../api/coerce.ts';
import { currency, instant, instantIfAny, money, refIfAny, text, textIfAny, within } from '../api/columns.ts';
import { drained } from '../api/list.ts';
import { statesOfBills, statesOfLines } from '../invalidations.ts';
import { isTaxKnown } from '../mrr/without_tax.ts';
import { collectionStream } from '../stream.ts';
import { type Collection, pathTo, type Seen } from '../sync/collection.ts';

// Personal data, links that let others pay or read the invoice, and the lines, which are rows of their own.
const LEFT_OUT = new Set([
  'confirmation_secret', 'customer_address', 'customer_email', 'customer_name', 'customer_phone',
  'customer_shipping', 'customer_tax_ids', 'hosted_invoice_url', 'invoice_pdf', 'last_finalization_error',
  'lines', 'payments', 'shipping_details', 'webhooks_delivered_at',
]); // biome-ignore format: a list of names

export const invoices = recordTable({
  name: 'raw.stripe_invoices',
  key: ['id'],
  observed: true,
  personal: { of: [{ column: 'customer_id', as: 'customer' }] },
  columns: {
    id: text('id'),
    number: textIfAny('number'),
    status: textIfAny('status'),
    billing_reason: textIfAny('billing_reason'),
    currency: currency('currency'),
    customer_id: refIfAny('customer'),
    subscription_id: within('parent', within('subscription_details', refIfAny('subscription'))),
    subtotal: money('subtotal'),
    total: money('total'),
    amount_due: money('amount_due'),
    amount_paid: money('amount_paid'),
    amount_remaining: money('amount_remaining'),
    period_start: instantIfAny('period_start'),
    period_end: instantIfAny('period_end'),
    finalized_at: within('status_transitions', instantIfAny('finalized_at')),
    paid_at: within('status_transitions', instantIfAny('paid_at')),
    created_at: instant('created'),
    payload: rest(LEFT_OUT),
  },
});

const item = (line: Fields) => below(below(line, 'parent'), 'subscription_item_details');
const invoiceItemOf = (line: Fields) => below(below(line, 'parent'), 'invoice_item_details');
const price = (line: Fields) => below(below(line, 'pricing'), 'price_details');
const periodOf = (line: Fields, key: string) => {
  const period = objectAt(line, 'period');
  return under('period', () => instantAt(period, key));
};

export const invoiceLines = recordTable<Fields>({
  name: 'raw.stripe_invoice_lines',
  key: ['id'],
  rootColumn: 'invoice_id',
  personal: { keeps: ['amount', 'discount_amounts', 'taxes'] },
  columns: {
    id: text('id'),
    invoice_id: column('text', (_, invoice: Fields) => readId(invoice, 'id')),
    subscription_id: column(
      'text',
      (line) => readRef(item(line), 'subscription') ?? readRef(invoiceItemOf(line), 'subscription'),
    ),
    subscription_item_id: column('text', (line) => readRef(item(line), 'subscription_item')),
    price_id: column('text', (line) => readRef(price(line), 'price')),
    product_id: column('text', (line) => readRef(price(line), 'product')),
    currency: currency('currency'),
    amount: money('amount'),
    quantity: column('numeric', (line) => readText(line, 'quantity_decimal') ?? readNumber(line, 'quantity')),
    unit_amount: column('numeric', (line) =>
      fineMoneyOrNull(below(line, 'pricing'), 'unit_amount_decimal', currencyOf(line)),
    ),
    is_proration: column(
      'boolean',
      (line) => item(line).proration === true || invoiceItemOf(line).proration === true,
    ),
    is_tax_known: column('boolean', (line, invoice: Fields) => isTaxKnown(invoice, line)),
    period_start: column('timestamptz', (line) => periodOf(line, 'start')),
    period_end: column('timestamptz', (line) => periodOf(line, 'end')),
    payload: rest(),
  },
});

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
  reportedBy: (other) => ({ id: refTold(other, 'invoice') }),
  async complete(stripe, invoice) {
    const path = `${pathTo('invoices', invoice.id)}/lines`;
    return { ...invoice, lines: { data: await drained(stripe, invoice.lines, path) } };
  },
  toItem: invoiceItem,
};

function invoiceItem(object: Fields, { sentAt }: Seen): Item {
  const row = invoices.rowOf(object);
  const lines = under('lines', () =>
    each(objectAt(object, 'lines'), 'data', (line) => invoiceLines.rowOf(line, object)),
  );
  return {
    id: String(row.id),
    changedAt: sentAt,
    rows: { [invoices.name]: [row], [invoiceLines.name]: lines },
  };
}

export const invoicesStream = collectionStream(collection, {
  scopes: ['rak_invoice_read', 'rak_event_read'],
  feeds: ['mrr'],
});
