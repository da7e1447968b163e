import { isPlain } from '../../plain.ts';
import { valueAt } from '../api/filters.ts';
import type { StripeObject } from '../objects.ts';
import type { Completion, Given } from './given.ts';
import { numberOr } from './money.ts';

/** Sums that are not given follow from the lines; how it was paid follows from its status. */
export function completeInvoice({ object, place, context }: Given): StripeObject {
  const given = isPlain(object.lines) ? valueAt(object.lines as StripeObject, 'data') : (object.lines ?? []);
  if (!Array.isArray(given)) place.fail('"lines" is not a list of lines');
  const lines = (given as StripeObject[]).map((line, index) =>
    completeLine(line, index + 1, object, context),
  );
  const subtotal = numberOr(object.subtotal, sumOf(lines, 'amount'));
  const total = numberOr(
    object.total,
    subtotal - discountOf(object, lines) + sumOf(listOf(object.total_taxes), 'amount'),
  );
  const due = numberOr(object.amount_due, total);
  const status = object.status ?? 'paid';
  const paid = numberOr(object.amount_paid, status === 'paid' ? due : 0);
  return {
    status,
    subtotal,
    total,
    subtotal_excluding_tax: object.subtotal_excluding_tax ?? subtotal,
    amount_due: due,
    amount_paid: paid,
    amount_remaining: object.amount_remaining ?? due - paid,
    attempted: object.attempted ?? status !== 'draft',
    attempt_count: object.attempt_count ?? (status === 'draft' ? 0 : 1),
    billing_reason: object.billing_reason ?? 'subscription_cycle',
    collection_method: object.collection_method ?? 'charge_automatically',
    period_start: object.period_start ?? object.created,
    period_end: object.period_end ?? object.created,
    status_transitions: object.status_transitions ?? transitions(String(status), object.created),
    issuer: object.issuer ?? { type: 'self' },
    lines: { object: 'list', data: lines, has_more: false, url: `/v1/invoices/${String(object.id)}/lines` },
  };
}

function completeLine(
  line: StripeObject,
  number: number,
  invoice: StripeObject,
  context: Completion,
): StripeObject {
  const subscription = valueAt(invoice, 'parent.subscription_details.subscription');
  const period = {
    start: invoice.period_start ?? invoice.created,
    end: invoice.period_end ?? invoice.created,
  };
  const quantity = line.quantity ?? 1;
  return {
    id: `il_${String(invoice.id)}_${number}`,
    currency: invoice.currency,
    livemode: invoice.livemode ?? context.livemode,
    invoice: invoice.id,
    period,
    quantity,
    quantity_decimal: quantity === null ? null : String(quantity),
    subtotal: line.amount,
    subscription: subscription ?? null,
    discountable: true,
    ...(subscription === undefined ? {} : { parent: parentOf(line, String(subscription), context) }),
    ...line,
    object: 'line_item',
  };
}

/** A line of a subscription's invoice belongs to the item with its price. */
function parentOf(line: StripeObject, subscription: string, { drafts }: Completion): StripeObject {
  const price = valueAt(line, 'pricing.price_details.price');
  const object = drafts.find('subscriptions', subscription)?.object;
  const items = listOf(isPlain(object?.items) ? valueAt(object, 'items.data') : object?.items);
  const index = items.findIndex((item) => item.price === price || valueAt(item, 'price.id') === price);
  const item = items[index]?.id ?? `si_${subscription}_${Math.max(0, index) + 1}`;
  return {
    type: 'subscription_item_details',
    invoice_item_details: null,
    subscription_item_details: {
      invoice_item: null,
      proration: false,
      proration_details: null,
      subscription,
      subscription_item: item,
    },
  };
}

function discountOf(invoice: StripeObject, lines: readonly StripeObject[]): number {
  const total = listOf(invoice.total_discount_amounts);
  if (total.length > 0) return sumOf(total, 'amount');
  return lines.reduce((sum, line) => sum + sumOf(listOf(line.discount_amounts), 'amount'), 0);
}

function transitions(status: string, created: unknown): StripeObject {
  return {
    finalized_at: status === 'draft' ? null : created,
    marked_uncollectible_at: status === 'uncollectible' ? created : null,
    paid_at: status === 'paid' ? created : null,
    voided_at: status === 'void' ? created : null,
  };
}

function sumOf(rows: readonly StripeObject[], field: string): number {
  return rows.reduce((sum, row) => sum + numberOr(row[field], 0), 0);
}

function listOf(value: unknown): StripeObject[] {
  return Array.isArray(value) ? value : [];
}
