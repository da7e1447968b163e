import { sign } from '../../decimal.ts';
import type { Draft, Place } from '../../ndjson.ts';
import { getList } from '../../plain.ts';
import { addBags, type Bag, bagIn, minusBag, timesBag } from '../bags.ts';
import { derivedId, nothingOf } from '../derive_agreements.ts';
import { discountOf } from './lines.ts';

/** Fills in a refund; what cannot follow exactly from the order's line has to be given. */
export function completeRefund(refund: Draft, order: Draft, index: number, place: Place): Draft {
  const nothing = nothingOf(order);
  refund.id ??= derivedId('Refund', order.id, 'refund', index);
  refund.processedAt ??= refund.createdAt ?? place.fail('a refund needs "createdAt" or "processedAt"');
  refund.createdAt ??= refund.processedAt;
  refund.updatedAt ??= refund.createdAt;
  refund.note ??= null;
  refund.order ??= { id: order.id };
  refund.refundLineItems = getList(refund, 'refundLineItems').map((row, at) => {
    return completeRow(row as Draft, order, refund, at, place.below(`refundLineItems.${at}`));
  });
  (getList(refund, 'refundShippingLines') as Draft[]).forEach((row, at) => {
    row.id ??= derivedId('RefundShippingLine', refund.id, at);
    row.subtotalAmountSet ??= place.below(`refundShippingLines.${at}`).fail('give "subtotalAmountSet"');
    row.taxAmountSet ??= nothing;
    row.shippingLine ??= getList(order, 'shippingLines')[0] ?? { title: 'Shipping' };
  });
  (getList(refund, 'orderAdjustments') as Draft[]).forEach((row, at) => {
    row.id ??= derivedId('OrderAdjustment', refund.id, at);
    row.amountSet ??= place
      .below(`orderAdjustments.${at}`)
      .fail('give "amountSet", negative when it goes back to the buyer');
    row.taxAmountSet ??= nothing;
    row.reason ??= 'REFUND_DISCREPANCY';
  });
  refund.totalRefundedSet ??= moneyBack(refund, nothing);
  return refund;
}

function completeRow(row: Draft, order: Draft, refund: Draft, index: number, place: Place): Draft {
  const id = (row.lineItem as Draft | undefined)?.id ?? place.fail('give "lineItem": {"id": …}');
  const line = (getList(order, 'lineItems') as Draft[]).find((one) => one.id === id);
  if (!line) place.fail(`the order has no line item ${id}`);
  row.id ??= derivedId('RefundLineItem', refund.id, index);
  row.quantity ??= line?.quantity;
  row.restockType ??= 'RETURN';
  row.restocked ??= row.restockType !== 'NO_RESTOCK';
  row.priceSet ??= line?.originalUnitPriceSet;
  if (line) fillWorth(row, line, nothingOf(order), place);
  row.lineItem = { id };
  return row;
}

/** What a share of a line is worth; a part of a discounted or taxed line is for the scenario to say. */
function fillWorth(row: Draft, line: Draft, nothing: Bag, place: Place): void {
  const quantity = Number(row.quantity);
  const isWhole = quantity === Number(line.quantity);
  const discount = discountOf(line, nothing);
  const tax = addBags(nothing, ...getList(line, 'taxLines').map((one) => bagIn(one, 'priceSet', nothing)));
  if (row.subtotalSet === undefined) {
    const price = timesBag(line.originalUnitPriceSet as Bag, quantity);
    if (isWhole || isNothing(discount)) row.subtotalSet = addBags(price, minusBag(discount));
    else place.fail('give "subtotalSet": a part of a discounted line is refunded');
  }
  if (row.totalTaxSet === undefined) {
    if (isWhole || isNothing(tax)) row.totalTaxSet = tax;
    else place.fail('give "totalTaxSet": a part of a taxed line is refunded');
  }
}

function isNothing(bag: Bag): boolean {
  return sign(bag.shopMoney.amount) === 0;
}

function moneyBack(refund: Draft, nothing: Bag): Bag {
  const paid = (getList(refund, 'transactions') as Draft[]).filter(({ kind, status }) => {
    return (kind ?? 'REFUND') === 'REFUND' && (status ?? 'SUCCESS') === 'SUCCESS';
  });
  return addBags(nothing, ...paid.map((transaction) => bagIn(transaction, 'amountSet', nothing)));
}
