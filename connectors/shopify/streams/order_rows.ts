/** How an order of Shopify becomes rows. Definitions: docs/data-dictionary.md. */
import { quote, shown, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import type { Item, Row } from '#sql/load/table.ts';
import {
  amount,
  currency,
  each,
  type Fields,
  flag,
  InvalidField,
  instant,
  instantOrNull,
  integer,
  integerOrNull,
  object,
  objectOrNull,
  payloadOf,
  restOf,
  text,
  textOrNull,
  texts,
  under,
} from '../../kit/fields.ts';
import { idOf, idWithinOrNull } from '../api/gid.ts';
import { agreements, orderLines, orders, refunds, sales, transactions } from './order_tables.ts';

/** Stored as rows of their own, so not in the payload of the order. */
const PARTS = new Set(['lineItems', 'agreements', 'refunds', 'transactions']);
/** What a bulk line says of its place in the file. */
const PLACE = new Set(['__parentId']);

const LINE_COLUMNS = new Set([
  ...[
    'id',
    'title',
    'variantTitle',
    'sku',
    'quantity',
    'currentQuantity',
    'isGiftCard',
    'originalUnitPriceSet',
  ],
  ...['product', 'variant'],
]);
const AGREEMENT_COLUMNS = new Set(['id', 'happenedAt', 'reason', 'refund', 'sales']);
const SALE_COLUMNS = new Set([
  ...[
    'id',
    'actionType',
    'lineType',
    'quantity',
    'totalAmount',
    'totalTaxAmount',
    'totalDiscountAmountBeforeTaxes',
  ],
  'lineItem',
]);
const REFUND_COLUMNS = new Set(['id', 'createdAt', 'processedAt', 'totalRefundedSet']);
const TRANSACTION_COLUMNS = new Set([
  ...['id', 'kind', 'status', 'test', 'gateway', 'processedAt', 'parentTransaction', 'amountSet'],
]);

/** Left out where it says nothing that the columns do not. */
const CREATION = new Set(['createdAt']);
const NOTHING = new Set<string>();

/** What every part of an order needs to know of it. */
type Order = { id: string; currency: string; processedAt: Date };
type Ledger = { agreements: Row[]; sales: Row[]; hasProduct: boolean };

export function orderItem(node: Fields): Item {
  const order = {
    id: numberOf(node),
    currency: currency(node, 'currencyCode'),
    processedAt: instant(node, 'processedAt'),
  };
  const refundRows = each(node, 'refunds', (refund) => refundRow(order, refund));
  const ledger = ledgerOf(order, node, refundRows);
  return {
    id: order.id,
    changedAt: instant(node, 'updatedAt'),
    rows: {
      [orders.name]: [orderRow(order, node, ledger)],
      [orderLines.name]: each(node, 'lineItems', (line) => lineRow(order, line)),
      [agreements.name]: ledger.agreements,
      [sales.name]: ledger.sales,
      [refunds.name]: refundRows,
      [transactions.name]: each(node, 'transactions', (transaction) => transactionRow(order, transaction)),
    },
  };
}

/** The first order of a customer is found by comparing ids as numbers, so an order has no other. */
function numberOf(node: Fields): string {
  const id = idOf(node);
  if (!/^\d{1,30}$/.test(id)) throw new InvalidField('id', `${shown(id)} is no number`);
  return id;
}

function orderRow(order: Order, node: Fields, ledger: Ledger): Row {
  const test = flag(node, 'test');
  return {
    id: order.id,
    name: text(node, 'name'),
    processed_at: order.processedAt,
    created_at: instant(node, 'createdAt'),
    cancelled_at: instantOrNull(node, 'cancelledAt'),
    test,
    counted: !test && ledger.hasProduct,
    currency: order.currency,
    presentment_currency: currency(node, 'presentmentCurrencyCode'),
    taxes_included: flag(node, 'taxesIncluded'),
    customer_id: idWithinOrNull(node, 'customer'),
    country: countryOf(node, 'shippingAddress') ?? countryOf(node, 'billingAddress') ?? 'ZZ',
    source_name: textOrNull(node, 'sourceName'),
    financial_status: textOrNull(node, 'displayFinancialStatus'),
    discount_codes: texts(node, 'discountCodes'),
    total_price: money(order, node, 'totalPriceSet'),
    current_total_price: money(order, node, 'currentTotalPriceSet'),
    total_refunded: money(order, node, 'totalRefundedSet'),
    payload: payloadOf(node, PARTS),
  };
}

function countryOf(node: Fields, key: string): string | undefined {
  const address = objectOrNull(node, key);
  return (address && under(key, () => textOrNull(address, 'countryCodeV2'))) || undefined;
}

function lineRow(order: Order, line: Fields): Row {
  return {
    id: idOf(line),
    order_id: order.id,
    product_id: idWithinOrNull(line, 'product'),
    variant_id: idWithinOrNull(line, 'variant'),
    sku: textOrNull(line, 'sku'),
    title: text(line, 'title'),
    variant_title: textOrNull(line, 'variantTitle'),
    quantity: integer(line, 'quantity'),
    current_quantity: integer(line, 'currentQuantity'),
    is_gift_card: flag(line, 'isGiftCard'),
    currency: order.currency,
    unit_price: money(order, line, 'originalUnitPriceSet'),
    payload: restOf(line, LINE_COLUMNS, PLACE),
  };
}

/** Shopify's own sales ledger. `hasProduct`: the placing of the order sold at least one product. */
function ledgerOf(order: Order, node: Fields, refundRows: readonly Row[]): Ledger {
  const ledger: Ledger = { agreements: [], sales: [], hasProduct: false };
  each(node, 'agreements', (agreement) => {
    const agreementRow = rowOfAgreement(order, agreement);
    const { id, reason } = agreementRow;
    const booked = bookedAt(order, agreementRow, refundRows);
    ledger.agreements.push(agreementRow);
    each(agreement, 'sales', (sale) => {
      const row = saleRow(order, sale, { agreement_id: id, reason, booked_at: booked });
      ledger.sales.push(row);
      if (reason === 'ORDER' && row.line_type === 'PRODUCT' && Number(row.quantity) > 0)
        ledger.hasProduct = true;
    });
  });
  return ledger;
}

function rowOfAgreement(order: Order, agreement: Fields): Row {
  return {
    id: idOf(agreement),
    order_id: order.id,
    happened_at: instant(agreement, 'happenedAt'),
    reason: text(agreement, 'reason'),
    refund_id: agreement.refund === undefined ? null : idWithinOrNull(agreement, 'refund'),
    payload: restOf(agreement, AGREEMENT_COLUMNS, PLACE),
  };
}

/**
 * The instant whose day a sale counts for. An order counts when it was processed, which for an
 * imported one is long before the ledger came to know of it; so does an imported refund.
 */
function bookedAt(order: Order, agreement: Row, refundRows: readonly Row[]): Date {
  if (agreement.reason === 'ORDER') return order.processedAt;
  const happenedAt = agreement.happened_at as Date;
  const refund = refundRows.find(({ id }) => id === agreement.refund_id);
  const processedAt = refund?.processed_at;
  return processedAt instanceof Date && processedAt < happenedAt ? processedAt : happenedAt;
}

function saleRow(order: Order, sale: Fields, of: Row): Row {
  return {
    id: idOf(sale),
    order_id: order.id,
    ...of,
    action_type: text(sale, 'actionType'),
    line_type: text(sale, 'lineType'),
    line_id: sale.lineItem === undefined ? null : idWithinOrNull(sale, 'lineItem'),
    quantity: integerOrNull(sale, 'quantity'),
    currency: order.currency,
    total_amount: money(order, sale, 'totalAmount'),
    tax_amount: money(order, sale, 'totalTaxAmount'),
    discount_amount: money(order, sale, 'totalDiscountAmountBeforeTaxes'),
    payload: restOf(sale, SALE_COLUMNS, PLACE),
  };
}

function refundRow(order: Order, refund: Fields): Row {
  return {
    id: idOf(refund),
    order_id: order.id,
    created_at: instantOrNull(refund, 'createdAt'),
    processed_at: instantOrNull(refund, 'processedAt'),
    currency: order.currency,
    total_refunded: money(order, refund, 'totalRefundedSet'),
    payload: restOf(refund, REFUND_COLUMNS),
  };
}

/** One that the gateway has yet to process has no `processedAt`: its money counts when it was made. */
function transactionRow(order: Order, transaction: Fields): Row {
  const createdAt = instantOrNull(transaction, 'createdAt');
  const processedAt = instantOrNull(transaction, 'processedAt') ?? createdAt;
  const isCreationStored = createdAt?.getTime() === processedAt?.getTime();
  return {
    id: idOf(transaction),
    order_id: order.id,
    parent_id: idWithinOrNull(transaction, 'parentTransaction'),
    kind: text(transaction, 'kind'),
    status: text(transaction, 'status'),
    test: flag(transaction, 'test'),
    gateway: textOrNull(transaction, 'gateway'),
    processed_at: processedAt,
    currency: order.currency,
    amount: money(order, transaction, 'amountSet'),
    payload: restOf(transaction, TRANSACTION_COLUMNS, isCreationStored ? CREATION : NOTHING),
  };
}

/** Shop money of a bag. It is in the currency that the order had in the shop, else the figure means nothing. */
function money({ currency }: Order, parent: Fields, key: string): string {
  const shopMoney = parent[key] as { shopMoney?: Fields } | null | undefined;
  const inner = shopMoney?.shopMoney;
  if (inner === undefined || inner === null)
    return under(key, () => amount(object(object(parent, key), 'shopMoney'), 'amount'));
  if (inner.currencyCode !== currency) {
    throw new InvalidField(
      key,
      `in ${quote(inner.currencyCode, VALUE_CHARS_MAX)} though the order is in ${currency}`,
    );
  }
  return under(key, () => amount(inner, 'amount'));
}
