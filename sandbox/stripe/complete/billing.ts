import { isPlain } from '../../plain.ts';
import type { StripeObject } from '../objects.ts';
import type { Given } from './given.ts';
import { completeInvoice } from './invoice.ts';
import { completePrice } from './price.ts';
import { completeSubscription } from './subscription.ts';

/** Fields of what is sold, to whom, and how it recurs; undefined for other kinds. */
export function completeBilling(kind: string, given: Given): StripeObject | undefined {
  return COMPLETIONS[kind]?.(given);
}

const COMPLETIONS: Readonly<Record<string, (given: Given) => StripeObject>> = {
  products: ({ object }) => ({
    active: object.active ?? true,
    name: object.name ?? String(object.id),
    type: object.type ?? 'service',
    updated: object.updated ?? object.created,
  }),
  prices: ({ object }) => completePrice(object),
  coupons: ({ object }) => ({ valid: object.valid ?? true, duration: object.duration ?? 'once' }),
  promotion_codes: ({ object }) => ({ active: object.active ?? true }),
  discounts: () => ({}),
  subscriptions: completeSubscription,
  invoices: completeInvoice,
  invoice_payments: ({ object, context }) => ({
    currency: object.currency ?? context.currency,
    is_default: object.is_default ?? true,
    status: object.status ?? 'paid',
    amount_requested: object.amount_requested ?? object.amount_paid ?? 0,
    payment: object.payment ?? { type: 'payment_intent' },
  }),
  credit_notes: ({ object }) => ({
    status: object.status ?? 'issued',
    subtotal: object.subtotal ?? object.amount,
    total: object.total ?? object.amount,
    type: object.type ?? 'post_payment',
    lines: creditNoteLines(object),
  }),
  events: ({ object }) => ({ api_version: object.api_version ?? '2026-10-28.endive' }),
};

function creditNoteLines({ id, livemode, lines = [] }: StripeObject): unknown {
  const given = isPlain(lines) ? (lines as StripeObject).data : lines;
  if (!Array.isArray(given)) return lines; // refused with its place by the schema
  return given.map((line: unknown, index) =>
    isPlain(line)
      ? { id: `cnli_${String(id)}_${index + 1}`, livemode, ...line, object: 'credit_note_line_item' }
      : line,
  );
}
