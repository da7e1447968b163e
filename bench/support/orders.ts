/** Orders as Shopify gives them, parts included: lines, ledger and the payment. */
import type { Json } from '../../sql/load/table.ts';
import { type Random, seeded } from './random.ts';

export const LINES = 5;
/** Of an order, in all its tables: itself, its lines, their sales, an agreement and a transaction. */
export const ROWS_PER_ORDER = 2 * LINES + 3;

const BEGIN = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

/** Pages of orders as text. `version` 1 changes the name of every tenth order after version 0. */
export function orderPages(count: number, perPage: number, version = 0): string[] {
  const random = seeded(3);
  const all = Array.from({ length: count }, (_, index) => order(random, index + 1, version));
  return Array.from({ length: Math.ceil(count / perPage) }, (_, page) =>
    JSON.stringify(all.slice(page * perPage, (page + 1) * perPage)),
  );
}

function order(random: Random, id: number, version: number): Json {
  const isChanged = version > 0 && id % 10 === 0;
  const at = (minutes: number) => new Date(BEGIN + (id * 15 + minutes) * MINUTE_MS).toISOString();
  const lines = Array.from({ length: LINES }, (_, index) => line(random, id * 10 + index));
  const total = money(lines.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0));
  return {
    id: `gid://shopify/Order/${id}`,
    name: `#${id}${isChanged ? ' changed' : ''}`,
    createdAt: at(0),
    processedAt: at(0),
    updatedAt: at(isChanged ? 2 : 1),
    cancelledAt: null,
    test: false,
    currencyCode: 'GBP',
    presentmentCurrencyCode: 'GBP',
    taxesIncluded: false,
    customer: { id: `gid://shopify/Customer/${random.whole(count(id))}` },
    shippingAddress: { countryCodeV2: 'GB', city: random.token(8), zip: random.token(6) },
    billingAddress: { countryCodeV2: 'GB' },
    sourceName: 'web',
    displayFinancialStatus: 'PAID',
    discountCodes: [],
    tags: [random.token(6), random.token(9)],
    note: random.token(40),
    totalPriceSet: total,
    currentTotalPriceSet: total,
    totalRefundedSet: money(0),
    lineItems: lines.map(({ node }) => node),
    agreements: [
      {
        id: `gid://shopify/OrderAgreement/${id}`,
        happenedAt: at(0),
        reason: 'ORDER',
        sales: lines.map(({ sale }) => sale),
      },
    ],
    refunds: [],
    transactions: [
      {
        id: `gid://shopify/OrderTransaction/${id}`,
        kind: 'SALE',
        status: 'SUCCESS',
        test: false,
        gateway: 'shopify_payments',
        createdAt: at(0),
        processedAt: at(0),
        parentTransaction: null,
        amountSet: total,
      },
    ],
  };
}

// Most customers come again, some are new with every order.
const count = (id: number) => 500 + id;

function line(random: Random, id: number) {
  const quantity = 1 + random.whole(5);
  const cents = 100 + random.whole(5_000);
  const variant = random.whole(4_000);
  const lineItem = `gid://shopify/LineItem/${id}`;
  const node = {
    id: lineItem,
    title: `Product ${variant}`,
    variantTitle: null,
    sku: `S${variant}`,
    quantity,
    currentQuantity: quantity,
    isGiftCard: false,
    originalUnitPriceSet: money(cents),
    product: { id: `gid://shopify/Product/${variant}` },
    variant: { id: `gid://shopify/ProductVariant/${variant}` },
  };
  const sale = {
    id: `gid://shopify/ProductSale/${id}`,
    actionType: 'ORDER',
    lineType: 'PRODUCT',
    quantity,
    totalAmount: money(quantity * cents),
    totalTaxAmount: money(0),
    totalDiscountAmountBeforeTaxes: money(0),
    lineItem: { id: lineItem },
  };
  return { quantity, cents, node, sale };
}

function money(cents: number): Json {
  return { shopMoney: { amount: (cents / 100).toFixed(2), currencyCode: 'GBP' } };
}
