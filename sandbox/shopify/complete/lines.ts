import type { Draft } from '../../ndjson.ts';
import { getList } from '../../plain.ts';
import { addBags, type Bag, bagIn, minusBag, timesBag } from '../bags.ts';
import { derivedId } from '../derive_agreements.ts';

/** Line items and shipping lines of an order, with all that follows from price, quantity and discounts. */
export function completeLines(order: Draft, nothing: Bag): void {
  (getList(order, 'lineItems') as Draft[]).forEach((line, index) => {
    line.id ??= derivedId('LineItem', order.id, 'line', index);
    line.quantity ??= 1;
    line.title ??= String(line.name ?? line.sku ?? 'Item');
    line.name ??= line.title;
    line.sku ??= null;
    line.isGiftCard ??= false;
    line.requiresShipping ??= true;
    line.taxable ??= true;
    line.product ??= null;
    line.variant ??= null;
    fillTaxesAndDiscounts(line);
    fillLineMoney(line, nothing);
  });
  (getList(order, 'shippingLines') as Draft[]).forEach((line, index) => {
    line.id ??= derivedId('ShippingLine', order.id, 'shipping', index);
    line.title ??= 'Shipping';
    line.isRemoved ??= false;
    line.custom ??= false;
    fillTaxesAndDiscounts(line);
    line.originalPriceSet ??= line.discountedPriceSet ?? nothing;
    line.discountedPriceSet ??= addBags(line.originalPriceSet as Bag, minusBag(discountOf(line, nothing)));
    line.currentDiscountedPriceSet ??= line.discountedPriceSet;
  });
}

function fillTaxesAndDiscounts(line: Draft): void {
  line.discountAllocations ??= [];
  line.taxLines ??= [];
  for (const tax of getList(line, 'taxLines') as Draft[]) tax.title ??= 'Tax';
  for (const allocation of getList(line, 'discountAllocations') as Draft[]) {
    allocation.discountApplication ??= {
      __typename: 'ManualDiscountApplication',
      index: 0,
      title: 'Discount',
      allocationMethod: 'ACROSS',
      targetSelection: 'ALL',
      targetType: 'LINE_ITEM',
      value: { __typename: 'PricingPercentageValue', percentage: 0 },
    };
  }
}

function fillLineMoney(line: Draft, nothing: Bag): void {
  const quantity = Number(line.quantity);
  line.originalUnitPriceSet ??= nothing;
  line.originalTotalSet ??= timesBag(line.originalUnitPriceSet as Bag, quantity);
  line.totalDiscountSet ??= discountOf(line, nothing);
  line.discountedTotalSet ??= addBags(line.originalTotalSet as Bag, minusBag(line.totalDiscountSet as Bag));
  line.discountedUnitPriceSet ??= line.originalUnitPriceSet;
}

export function discountOf(line: Draft, nothing: Bag): Bag {
  const allocations = getList(line, 'discountAllocations');
  return addBags(nothing, ...allocations.map((one) => bagIn(one, 'allocatedAmountSet', nothing)));
}
