/** Fills in what a scenario leaves out of an order, so that a few fields make a whole one. */
import { sign } from '../../decimal.ts';
import type { Draft, Place } from '../../ndjson.ts';
import { get, getList } from '../../plain.ts';
import { addBags, type Bag, bagIn, minusBag } from '../bags.ts';
import { deriveAgreements, derivedId, nothingOf } from '../derive_agreements.ts';
import { type ShopSettings, splitGid } from '../shop.ts';
import { completeLines } from './lines.ts';
import { completeRefund } from './refund.ts';

export function completeOrder(order: Draft, shop: ShopSettings, place: Place): Draft {
  fillHead(order, shop, place);
  completeLines(order, nothingOf(order));
  order.refunds = getList(order, 'refunds').map((refund, index) => {
    return completeRefund(refund as Draft, order, index, place.below(`refunds.${index}`));
  });
  countPieces(order);
  fillTransactions(order, place);
  fillAddresses(order);
  fillVisits(order);
  order.updatedAt ??= lastChange(order);
  if (order.agreements === undefined) order.agreements = deriveAgreements(order);
  else completeAgreements(order, place);
  fillTotals(order);
  return order;
}

function fillHead(order: Draft, shop: ShopSettings, place: Place): void {
  const key = splitGid(String(order.id))?.key ?? '';
  order.createdAt ??= order.processedAt ?? place.fail('an order needs "createdAt" or "processedAt"');
  order.processedAt ??= order.createdAt;
  order.name ??= `#${key}`;
  order.number ??= Number(key) % 2_147_483_647;
  order.currencyCode ??= shop.currency;
  order.presentmentCurrencyCode ??= order.currencyCode;
  order.taxesIncluded ??= shop.taxesIncluded;
  order.test ??= false;
  order.cancelledAt ??= null;
  order.sourceName ??= 'web';
  order.tags ??= [];
  order.discountCodes ??= [];
  order.displayFulfillmentStatus ??= 'UNFULFILLED';
  order.returnStatus ??= 'NO_RETURN';
  order.customer ??= null;
  order.confirmed ??= true;
}

/** Units that are left of each line, where the scenario does not say. */
function countPieces(order: Draft): void {
  const refunded = new Map<unknown, number>();
  for (const refund of getList(order, 'refunds')) {
    for (const row of getList(refund, 'refundLineItems')) {
      const { lineItem, quantity } = row as { lineItem: Draft; quantity: number };
      refunded.set(lineItem.id, (refunded.get(lineItem.id) ?? 0) + quantity);
    }
  }
  for (const line of getList(order, 'lineItems') as Draft[]) {
    line.currentQuantity ??= Number(line.quantity) - (refunded.get(line.id) ?? 0);
    line.refundableQuantity ??= Math.max(0, Number(line.currentQuantity));
  }
}

/** Transactions of the order and of its refunds; Shopify lists the latter in both places. */
function fillTransactions(order: Draft, place: Place): void {
  const own = getList(order, 'transactions') as Draft[];
  own.forEach((transaction, index) => {
    const defaults = { scope: String(order.id), index, kind: 'SALE', at: order.processedAt };
    fillTransaction(transaction, order, defaults, place.below(`transactions.${index}`));
  });
  const known = new Set(own.map(({ id }) => id));
  const refunds = getList(order, 'refunds').flatMap((refund) => {
    return getList(refund, 'transactions').map((transaction, index) => {
      const draft = transaction as Draft;
      const defaults = {
        scope: String(get(refund, 'id')),
        index,
        kind: 'REFUND',
        at: get(refund, 'processedAt'),
      };
      fillTransaction(draft, order, defaults, place.below(`refunds.transactions.${index}`));
      return draft;
    });
  });
  order.transactions = [...own, ...refunds.filter(({ id }) => !known.has(id))];
}

type TransactionDefaults = { scope: string; index: number; kind: string; at: unknown };

function fillTransaction(
  transaction: Draft,
  order: Draft,
  defaults: TransactionDefaults,
  place: Place,
): void {
  transaction.id ??= derivedId('OrderTransaction', defaults.scope, 'transaction', defaults.index);
  transaction.kind ??= defaults.kind;
  transaction.status ??= 'SUCCESS';
  transaction.gateway ??= 'sandbox';
  transaction.test ??= order.test;
  transaction.processedAt ??= transaction.createdAt ?? defaults.at;
  transaction.createdAt ??= transaction.processedAt;
  transaction.amountSet ??= place.fail('a transaction needs "amountSet"');
  transaction.order ??= { id: order.id };
}

function fillAddresses(order: Draft): void {
  for (const field of ['shippingAddress', 'billingAddress']) {
    const address = order[field] as Draft | null | undefined;
    if (address) address.id ??= derivedId('MailingAddress', order.id, field);
    else order[field] = null;
  }
}

function fillVisits(order: Draft): void {
  const journey = order.customerJourneySummary as Draft | null | undefined;
  if (!journey) {
    order.customerJourneySummary = null;
    return;
  }
  journey.ready ??= true;
  for (const field of ['firstVisit', 'lastVisit']) {
    const visit = journey[field] as Draft | null | undefined;
    if (!visit) continue;
    visit.id ??= derivedId('CustomerVisit', order.id, field);
    visit.occurredAt ??= order.createdAt;
    visit.source ??= 'direct';
  }
}

function lastChange(order: Draft): unknown {
  const refunds = getList(order, 'refunds').flatMap((refund) => [
    get(refund, 'createdAt'),
    get(refund, 'processedAt'),
  ]);
  const times = [order.createdAt, order.cancelledAt, ...refunds].filter((time) => typeof time === 'string');
  return times.sort().at(-1);
}

function completeAgreements(order: Draft, place: Place): void {
  const nothing = nothingOf(order);
  (getList(order, 'agreements') as Draft[]).forEach((agreement, index) => {
    const at = place.below(`agreements.${index}`);
    agreement.id ??= derivedId('SalesAgreement', order.id, 'agreement', index);
    agreement.reason ??= at.fail('an agreement needs "reason"');
    agreement.happenedAt ??=
      agreement.reason === 'ORDER' ? order.processedAt : at.fail('an agreement needs "happenedAt"');
    (getList(agreement, 'sales') as Draft[]).forEach((sale, row) => {
      sale.id ??= derivedId('Sale', agreement.id, row);
      sale.lineType ??= 'PRODUCT';
      // What goes out in a return is an exchange.
      const isExchange = agreement.reason === 'RETURN' && Number(sale.quantity ?? 0) > 0;
      const isReturn = agreement.reason === 'REFUND' || (agreement.reason === 'RETURN' && !isExchange);
      sale.actionType ??= isReturn ? 'RETURN' : 'ORDER';
      sale.totalAmount ??= at.below(`sales.${row}`).fail('a sale needs "totalAmount"');
      sale.totalTaxAmount ??= nothing;
      sale.totalDiscountAmountBeforeTaxes ??= nothing;
      sale.totalDiscountAmountAfterTaxes ??= sale.totalDiscountAmountBeforeTaxes;
      sale.taxes ??= [];
      sale.quantity ??= null;
    });
  });
}

/** Totals follow from the ledger and the transactions, where they are not given. */
function fillTotals(order: Draft): void {
  const nothing = nothingOf(order);
  const [first, ...later] = getList(order, 'agreements').map((agreement) => getList(agreement, 'sales'));
  const placed = first ?? [];
  const all = [...placed, ...later.flat()];
  const add = (sales: object[], field: string, ...types: string[]) => {
    const fitting = sales.filter(
      (sale) => types.length === 0 || types.includes(String(get(sale, 'lineType'))),
    );
    return addBags(nothing, ...fitting.map((sale) => bagIn(sale, field, nothing)));
  };
  const goods = ['PRODUCT', 'GIFT_CARD'];
  const included = order.taxesIncluded === true;
  const goodsNet = (sales: object[]) => {
    const total = add(sales, 'totalAmount', ...goods);
    return included ? total : addBags(total, minusBag(add(sales, 'totalTaxAmount', ...goods)));
  };
  order.originalTotalPriceSet ??= add(placed, 'totalAmount');
  order.totalPriceSet ??= add(placed, 'totalAmount');
  order.subtotalPriceSet ??= goodsNet(placed);
  order.totalTaxSet ??= add(placed, 'totalTaxAmount');
  order.totalDiscountsSet ??= add(placed, 'totalDiscountAmountBeforeTaxes');
  order.totalShippingPriceSet ??= add(placed, 'totalAmount', 'SHIPPING');
  order.currentTotalPriceSet ??= add(all, 'totalAmount');
  order.currentSubtotalPriceSet ??= goodsNet(all);
  order.currentTotalTaxSet ??= add(all, 'totalTaxAmount');
  order.currentTotalDiscountsSet ??= add(all, 'totalDiscountAmountBeforeTaxes');
  order.currentShippingPriceSet ??= add(all, 'totalAmount', 'SHIPPING');
  fillMoneyMoved(order, nothing);
  order.displayFinancialStatus ??= financialStatus(order, later.length > 0);
}

function fillMoneyMoved(order: Draft, nothing: Bag): void {
  const moved = (...kinds: string[]) => {
    const fitting = (getList(order, 'transactions') as Draft[]).filter(({ kind, status }) => {
      return kinds.includes(String(kind)) && status === 'SUCCESS';
    });
    return addBags(nothing, ...fitting.map((transaction) => bagIn(transaction, 'amountSet', nothing)));
  };
  order.totalReceivedSet ??= moved('SALE', 'CAPTURE');
  order.totalRefundedSet ??= moved('REFUND');
  order.netPaymentSet ??= addBags(order.totalReceivedSet as Bag, minusBag(order.totalRefundedSet as Bag));
}

function financialStatus(order: Draft, hasChanges: boolean): string {
  if (!hasChanges) return 'PAID';
  return sign((order.currentTotalPriceSet as Bag).shopMoney.amount) > 0 ? 'PARTIALLY_REFUNDED' : 'REFUNDED';
}
