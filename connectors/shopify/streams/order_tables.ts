/** The tables of an order. Every change of it touches its processing day and the days of its sales. */
import { quote, shown, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { column, columnsOf, others, recordTable, rest } from '../../kit/columns.ts';
import * as fields from '../../kit/fields.ts';
import { type Fields, InvalidField, isObject, under } from '../../kit/fields.ts';
import {
  currency,
  flag,
  id,
  idInIfAny,
  idInOrNull,
  instant,
  instantOrNull,
  integer,
  integerOrNull,
  text,
  textOrNull,
  texts,
} from '../api/columns.ts';
import { idOf } from '../api/gid.ts';

/** What every part of an order needs of it. */
export type Order = { id: string; currency: string; processedAt: Date };
/** `hasProduct`: the placing of the order sold at least one product. `person`: the digest of its e-mail address. */
export type PlacedOrder = Order & { hasProduct: boolean; person: string | null };
/** An agreement, for the sales in it. `restocked`: takes up to so many pieces of a line that its refund put back to stock. */
export type Entry = Order & {
  agreementId: string;
  reason: string;
  bookedAt: Date;
  restocked(lineId: string, piecesMax: number): number | null;
};

/** These are stored as rows of their own, or not at all, so the payload of the order omits them. */
const PARTS = new Set(['lineItems', 'agreements', 'refunds', 'transactions', 'email']);
/** Fields that a bulk line has for its place in the file. */
const PLACE = new Set(['__parentId']);
const AGREEMENT_PARTS = new Set(['sales', '__parentId']);
const REFUND_PARTS = new Set(['refundLineItems']);
const CREATION = new Set(['createdAt']);
const NOTHING = new Set<string>();

const orderId = column('text', (_, order: Order) => order.id);
const orderCurrency = column('text', (_, order: Order) => order.currency);

/** The shop money of a bag. It must be in the shop currency of the order, else the amount is meaningless. */
const money = columnsOf('numeric', (parent, key, { currency }: Order) => {
  const shopMoney = parent[key] as { shopMoney?: Fields } | null | undefined;
  const inner = shopMoney?.shopMoney;
  if (inner === undefined || inner === null)
    return under(key, () => fields.amount(fields.object(fields.object(parent, key), 'shopMoney'), 'amount'));
  if (inner.currencyCode !== currency) {
    throw new InvalidField(
      key,
      `in ${quote(inner.currencyCode, VALUE_CHARS_MAX)} but the order is in ${currency}`,
    );
  }
  return under(key, () => fields.amount(inner, 'amount'));
});

export const orders = recordTable<PlacedOrder>({
  name: 'raw.shopify_orders',
  key: ['id'],
  digested: true,
  personal: {
    of: [
      { column: 'customer_id', as: 'customer' },
      { column: 'person', as: 'email' }, // the same as of clicks, so that what they led to stays so
    ],
    keeps: ['totalPriceSet'],
  },
  columns: {
    id: column('text', numberOf),
    name: text('name', { indexed: true }),
    processed_at: instant('processedAt', { marks: 'sales' }),
    created_at: instant('createdAt'),
    cancelled_at: instantOrNull('cancelledAt'),
    test: flag('test'),
    counted: column(
      'boolean',
      (node, { hasProduct }: PlacedOrder) => !fields.flag(node, 'test') && hasProduct,
    ),
    currency: orderCurrency,
    presentment_currency: currency('presentmentCurrencyCode'),
    taxes_included: flag('taxesIncluded'),
    customer_id: idInOrNull('customer'),
    country: column('text', countryOf, { indexed: true }),
    source_name: textOrNull('sourceName'),
    financial_status: textOrNull('displayFinancialStatus'),
    discount_codes: texts('discountCodes'),
    utm_campaign: column('text', utmCampaignOf, { indexed: true }),
    visited_at: column('timestamptz', (node) =>
      inVisit(node, (visit) => fields.instantOrNull(visit, 'occurredAt')),
    ),
    person: column('text', (_, { person }: PlacedOrder) => person, { indexed: true }),
    total_price: money('totalPriceSet'),
    current_total_price: money('currentTotalPriceSet'),
    total_refunded: money('totalRefundedSet'),
    payload: rest(PARTS),
  },
});

/** The first order of a customer is found by comparing ids as numbers, so the id must be a number. */
export function numberOf(node: Fields): string {
  const number = idOf(node);
  if (!/^\d{1,30}$/.test(number)) throw new InvalidField('id', `${shown(number)} is not a number`);
  return number;
}

function countryOf(node: Fields): string {
  return countryIn(node, 'shippingAddress') ?? countryIn(node, 'billingAddress') ?? 'ZZ';
}

/** Of the last visit before the order; Shopify gives none for orders that no visit led to, or that are older. */
function inVisit<T>(node: Fields, read: (visit: Fields) => T): T | null {
  const { customerJourneySummary: journey } = node;
  const visit = isObject(journey) ? journey.lastVisit : null;
  return isObject(visit)
    ? under('customerJourneySummary', () => under('lastVisit', () => read(visit)))
    : null;
}

function utmCampaignOf(node: Fields): string | null {
  const utm = inVisit(node, (visit) => fields.objectOrNull(visit, 'utmParameters'));
  return (utm && fields.textOrNull(utm, 'campaign')?.trim()) || null;
}

function countryIn(node: Fields, key: string): string | undefined {
  const address = fields.objectOrNull(node, key);
  return (address && under(key, () => fields.textOrNull(address, 'countryCodeV2'))) || undefined;
}

export const orderLines = recordTable<Order>({
  name: 'raw.shopify_order_lines',
  key: ['id'],
  rootColumn: 'order_id',
  personal: {},
  remembers: ['product_id', 'variant_id'], // Shopify empties both when the product is deleted
  columns: {
    id,
    order_id: orderId,
    product_id: idInOrNull('product'),
    variant_id: idInOrNull('variant'),
    sku: textOrNull('sku'),
    title: text('title'),
    variant_title: textOrNull('variantTitle'),
    quantity: integer('quantity'),
    current_quantity: integer('currentQuantity'),
    is_gift_card: flag('isGiftCard'),
    currency: orderCurrency,
    unit_price: money('originalUnitPriceSet'),
    payload: others(() => PLACE),
  },
});

export const agreements = recordTable<Order>({
  name: 'raw.shopify_agreements',
  key: ['id'],
  rootColumn: 'order_id',
  personal: {},
  columns: {
    id,
    order_id: orderId,
    happened_at: instant('happenedAt'),
    reason: text('reason'),
    refund_id: idInIfAny('refund'),
    payload: others(() => AGREEMENT_PARTS),
  },
});

export const sales = recordTable<Entry>({
  name: 'raw.shopify_sales',
  key: ['id'],
  rootColumn: 'order_id',
  personal: {},
  remembers: ['restocked'], // a bulk result does not tell it
  columns: {
    id,
    order_id: orderId,
    agreement_id: column('text', (_, { agreementId }: Entry) => agreementId),
    reason: column('text', (_, { reason }: Entry) => reason),
    booked_at: column('timestamptz', (_, { bookedAt }: Entry) => bookedAt, { marks: 'sales' }),
    action_type: text('actionType'),
    line_type: text('lineType'),
    line_id: idInIfAny('lineItem'),
    quantity: integerOrNull('quantity'),
    restocked: column('integer', (sale, { restocked }: Entry) => restockedOf(sale, restocked)),
    currency: orderCurrency,
    total_amount: money('totalAmount'),
    tax_amount: money('totalTaxAmount'),
    discount_amount: money('totalDiscountAmountBeforeTaxes'),
    payload: others(() => PLACE),
  },
});

/** Pieces of goods that went back to stock; null if that is not told. */
function restockedOf(sale: Fields, restocked: Entry['restocked']): number | null {
  const pieces = -(fields.integerOrNull(sale, 'quantity') ?? 0);
  if (pieces <= 0 || fields.text(sale, 'lineType') !== 'PRODUCT' || !isObject(sale.lineItem)) return null;
  return restocked(idOf(sale.lineItem), pieces);
}

export const refunds = recordTable<Order>({
  name: 'raw.shopify_refunds',
  key: ['id'],
  rootColumn: 'order_id',
  personal: {},
  columns: {
    id,
    order_id: orderId,
    created_at: instantOrNull('createdAt'),
    processed_at: instantOrNull('processedAt'),
    currency: orderCurrency,
    total_refunded: money('totalRefundedSet'),
    payload: others(() => REFUND_PARTS),
  },
});

export const transactions = recordTable<Order>({
  name: 'raw.shopify_transactions',
  key: ['id'],
  rootColumn: 'order_id',
  personal: {},
  columns: {
    id,
    order_id: orderId,
    parent_id: idInOrNull('parentTransaction'),
    kind: text('kind'),
    status: text('status'),
    test: flag('test'),
    gateway: textOrNull('gateway'),
    processed_at: column('timestamptz', movedAt, { fields: ['processedAt'], marks: 'sales' }),
    currency: orderCurrency,
    amount: money('amountSet'),
    payload: others((transaction) => (isCreationStored(transaction) ? CREATION : NOTHING)),
  },
});

/** A transaction that the gateway has not processed yet has no `processedAt`: its money counts at its creation. */
function movedAt(transaction: Fields): Date | null {
  return fields.instantOrNull(transaction, 'processedAt') ?? fields.instantOrNull(transaction, 'createdAt');
}

/** `createdAt` is then redundant. */
function isCreationStored(transaction: Fields): boolean {
  return fields.instantOrNull(transaction, 'createdAt')?.getTime() === movedAt(transaction)?.getTime();
}

export const orderTables = [orders, orderLines, agreements, sales, refunds, transactions] as const;
