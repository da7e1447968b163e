/** Shopify's sales ledger of an order that a scenario gives without one, from its present state. */
import { createHash } from 'node:crypto';
import type { Draft } from '../ndjson.ts';
import { getList, type Plain } from '../plain.ts';
import { addBags, type Bag, bagIn, minusBag, timesBag, zero } from './bags.ts';
import { gid } from './shop.ts';

type Amounts = { total: Bag; tax: Bag; discount: Bag };

/**
 * One agreement for the order at `processedAt` and one per refund. Ids come from the ids of what the
 * rows stand for, so that they stay when the order changes.
 */
export function deriveAgreements(order: Draft): Draft[] {
  const nothing = nothingOf(order);
  const included = order.taxesIncluded === true;
  return [
    orderAgreement(order, nothing, included),
    ...getList(order, 'refunds').map((refund) => {
      return refundAgreement(order, refund as Draft, nothing, included);
    }),
  ];
}

export function nothingOf(order: Draft): Bag {
  return zero(String(order.currencyCode), String(order.presentmentCurrencyCode));
}

function orderAgreement(order: Draft, nothing: Bag, included: boolean): Draft {
  const id = derivedId('SalesAgreement', order.id, 'order');
  const lines = getList(order, 'lineItems').map((line) => {
    const price = timesBag(bagIn(line, 'originalUnitPriceSet', nothing), Number((line as Draft).quantity));
    return lineSale(
      id,
      line as Draft,
      'ORDER',
      Number((line as Draft).quantity),
      charged(line, price, nothing, included),
    );
  });
  const shipping = getList(order, 'shippingLines').map((line) => {
    const amounts = charged(line, bagIn(line, 'originalPriceSet', nothing), nothing, included);
    return shippingSale(id, line as Draft, 'ORDER', amounts);
  });
  return {
    __typename: 'OrderAgreement',
    id,
    reason: 'ORDER',
    happenedAt: order.processedAt,
    order: { id: order.id },
    sales: [...lines, ...shipping],
  };
}

/** Price less discount, with the tax on top unless it is inside. */
export function charged(line: Plain, price: Bag, nothing: Bag, included: boolean): Amounts {
  const tax = addBags(nothing, ...getList(line, 'taxLines').map((one) => bagIn(one, 'priceSet', nothing)));
  const allocations = getList(line, 'discountAllocations');
  const discount = addBags(nothing, ...allocations.map((one) => bagIn(one, 'allocatedAmountSet', nothing)));
  const net = addBags(price, minusBag(discount));
  return { total: included ? net : addBags(net, tax), tax, discount };
}

function refundAgreement(order: Draft, refund: Draft, nothing: Bag, included: boolean): Draft {
  const id = derivedId('SalesAgreement', order.id, refund.id);
  const lineItems = new Map(getList(order, 'lineItems').map((line) => [(line as Draft).id, line as Draft]));
  const taken = (net: Bag, tax: Bag): Amounts => {
    return { total: minusBag(included ? net : addBags(net, tax)), tax: minusBag(tax), discount: nothing };
  };
  const lines = getList(refund, 'refundLineItems').map((row) => {
    const { lineItem, quantity } = row as { lineItem: Draft; quantity: number };
    const line = lineItems.get(lineItem.id) ?? lineItem;
    const amounts = taken(bagIn(row, 'subtotalSet', nothing), bagIn(row, 'totalTaxSet', nothing));
    return lineSale(`${id} ${(row as Draft).id}`, line, 'RETURN', -quantity, amounts);
  });
  const shipping = getList(refund, 'refundShippingLines').map((row) => {
    const amounts = taken(bagIn(row, 'subtotalAmountSet', nothing), bagIn(row, 'taxAmountSet', nothing));
    return shippingSale(
      `${id} ${(row as Draft).id}`,
      (row as { shippingLine: Draft }).shippingLine,
      'RETURN',
      amounts,
    );
  });
  const adjustments = getList(refund, 'orderAdjustments').map((row) => {
    const amounts = {
      total: bagIn(row, 'amountSet', nothing),
      tax: bagIn(row, 'taxAmountSet', nothing),
      discount: nothing,
    };
    const sale = saleOf(derivedId('Sale', id, (row as Draft).id), 'RETURN', 'ADJUSTMENT', null, amounts);
    return { __typename: 'AdjustmentSale', ...sale };
  });
  return {
    __typename: 'RefundAgreement',
    id,
    reason: 'REFUND',
    happenedAt: refund.processedAt,
    refund: { id: refund.id },
    sales: [...lines, ...shipping, ...adjustments],
  };
}

function lineSale(scope: string, line: Draft, action: string, quantity: number, amounts: Amounts): Draft {
  const isGiftCard = line.isGiftCard === true;
  const sale = saleOf(
    derivedId('Sale', scope, line.id),
    action,
    isGiftCard ? 'GIFT_CARD' : 'PRODUCT',
    quantity,
    amounts,
  );
  return { __typename: isGiftCard ? 'GiftCardSale' : 'ProductSale', ...sale, lineItem: { id: line.id } };
}

function shippingSale(scope: string, line: Draft, action: string, amounts: Amounts): Draft {
  const sale = saleOf(derivedId('Sale', scope, line.id), action, 'SHIPPING', null, amounts);
  return { __typename: 'ShippingLineSale', ...sale, shippingLine: line };
}

function saleOf(
  id: string,
  actionType: string,
  lineType: string,
  quantity: number | null,
  amounts: Amounts,
): Draft {
  return {
    id,
    actionType,
    lineType,
    quantity,
    taxes: [],
    totalAmount: amounts.total,
    totalTaxAmount: amounts.tax,
    totalDiscountAmountBeforeTaxes: amounts.discount,
    totalDiscountAmountAfterTaxes: amounts.discount,
  };
}

/** An id that depends on nothing but what it stands for. 48 bits stay exact in every language. */
export function derivedId(type: string, ...parts: unknown[]): string {
  const digest = createHash('sha256').update(parts.join('|')).digest();
  return gid(type, String(digest.readUIntBE(0, 6)));
}
