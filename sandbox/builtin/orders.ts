/**
 * Orders of the built-in year as Shopify objects. They hold little and compute the rest when it is
 * read, because all of them with every field would fill gigabytes.
 */
import { gid } from '../shopify/shop.ts';
import { toStamp } from '../zone.ts';
import { COUNTRY_CODES } from './countries.ts';
import { lineItemId, soldQuantity } from './invoice_line.ts';
import type { Ledger, Order } from './ledger.ts';
import { type Bag, bag, ZERO } from './money.ts';
import type { InvoiceLines } from './online_retail.ts';
import { RefundView, transaction, worth } from './refunds.ts';
import { OrderAgreement, RefundAgreement } from './sales.ts';
import { journeyOf } from './visits.ts';

/** What all orders of a shop share; products and customers have other ids in each shop. */
export type ShopContext = {
  lines: InvoiceLines;
  ledger: Ledger;
  productId: (stock: number) => string;
  variantId: (stock: number) => string;
  customerId: (customer: number) => string;
};

export class OrderView {
  readonly #order: Order;
  readonly #shop: ShopContext;
  readonly id: string;
  readonly processedAt: string;
  readonly updatedAt: string;
  readonly test = false;
  readonly taxesIncluded = false;
  readonly currencyCode = 'GBP';
  readonly presentmentCurrencyCode = 'GBP';
  readonly sourceName = 'web';
  readonly discountCodes = [];
  readonly tags = [];
  readonly cancelledAt = null;
  readonly closedAt = null;
  readonly confirmed = true;
  readonly displayFulfillmentStatus = 'FULFILLED';
  readonly returnStatus = 'NO_RETURN';

  constructor(order: Order, shop: ShopContext) {
    this.#order = order;
    this.#shop = shop;
    this.id = gid('Order', digits(order));
    this.processedAt = toStamp(order.at);
    this.updatedAt = toStamp(Math.max(order.at, ...order.refunds.map((refund) => refund.at)));
  }

  get customerJourneySummary(): object | null {
    return journeyOf(this.#order);
  }

  get createdAt(): string {
    return this.processedAt;
  }

  get name(): string {
    return `#${this.#order.invoice}`;
  }

  get number(): number {
    return Number(digits(this.#order));
  }

  get customer(): { id: string } | null {
    const { lines, customerId } = this.#shop;
    return lines.customers.name(this.#order.customer) ? { id: customerId(this.#order.customer) } : null;
  }

  get shippingAddress(): object {
    const country = this.#shop.lines.countries.name(this.#order.country);
    return {
      id: `${this.id.replace('Order', 'MailingAddress')}`,
      country,
      countryCodeV2: COUNTRY_CODES[country] ?? 'ZZ',
    };
  }

  get billingAddress(): object {
    return this.shippingAddress;
  }

  get displayFinancialStatus(): string {
    if (this.#order.refunds.length === 0) return 'PAID';
    return this.#current > 0 ? 'PARTIALLY_REFUNDED' : 'REFUNDED';
  }

  get lineItems(): LineItemView[] {
    return this.#order.lines.map((line) => new LineItemView(line, this.#shop));
  }

  get agreements(): object[] {
    const refunds = this.#order.refunds.map((refund) => new RefundAgreement(refund));
    return [new OrderAgreement(this.#order, digits(this.#order), this.#shop.lines), ...refunds];
  }

  get refunds(): RefundView[] {
    return this.#order.refunds.map((refund) => new RefundView(refund, this.id));
  }

  get transactions(): object[] {
    const refunds = this.refunds.flatMap((refund) => refund.transactions);
    if (this.#total <= 0) return refunds;
    return [
      transaction(Number(digits(this.#order)), 'SALE', this.processedAt, this.#total, this.id),
      ...refunds,
    ];
  }

  get subtotalLineItemsQuantity(): number {
    return this.#order.lines.reduce((sum, line) => sum + soldQuantity(this.#shop.lines, line), 0);
  }

  get originalTotalPriceSet(): Bag {
    return bag(this.#total);
  }

  get totalPriceSet(): Bag {
    return bag(this.#total);
  }

  get subtotalPriceSet(): Bag {
    return bag(this.#total);
  }

  get totalReceivedSet(): Bag {
    return bag(this.#total);
  }

  get currentTotalPriceSet(): Bag {
    return bag(this.#current);
  }

  get currentSubtotalPriceSet(): Bag {
    return bag(this.#current);
  }

  get netPaymentSet(): Bag {
    return bag(this.#current);
  }

  get totalRefundedSet(): Bag {
    return bag(this.#total - this.#current);
  }

  get totalDiscountsSet(): Bag {
    return ZERO;
  }

  get totalTaxSet(): Bag {
    return ZERO;
  }

  get #total(): number {
    const { quantity, price } = this.#shop.lines;
    return this.#order.lines.reduce((sum, line) => {
      return sum + Math.max(0, quantity[line] ?? 0) * (price[line] ?? 0);
    }, 0);
  }

  get #current(): number {
    return this.#order.refunds.reduce((left, refund) => left - worth(refund), this.#total);
  }
}

export class LineItemView {
  readonly #line: number;
  readonly #shop: ShopContext;
  readonly isGiftCard = false;
  readonly requiresShipping = true;
  readonly taxable = false;
  readonly vendor = 'Giftware';
  readonly variantTitle = null;
  readonly discountAllocations = [];
  readonly taxLines = [];

  constructor(line: number, shop: ShopContext) {
    this.#line = line;
    this.#shop = shop;
  }

  get id(): string {
    return lineItemId(this.#line);
  }

  get title(): string {
    const { lines } = this.#shop;
    return lines.titles.name(lines.title[this.#line] ?? 0) || this.sku;
  }

  get name(): string {
    return this.title;
  }

  get sku(): string {
    const { lines } = this.#shop;
    return lines.stocks.name(lines.stock[this.#line] ?? 0);
  }

  get quantity(): number {
    return soldQuantity(this.#shop.lines, this.#line);
  }

  get currentQuantity(): number {
    return this.#shop.ledger.remaining[this.#line] ?? 0;
  }

  get refundableQuantity(): number {
    return Math.max(0, this.currentQuantity);
  }

  get originalUnitPriceSet(): Bag {
    return bag(this.#price);
  }

  get discountedUnitPriceSet(): Bag {
    return bag(this.#price);
  }

  get discountedUnitPriceAfterAllDiscountsSet(): Bag {
    return bag(this.#price);
  }

  get originalTotalSet(): Bag {
    return bag(this.#price * this.quantity);
  }

  get discountedTotalSet(): Bag {
    return bag(this.#price * this.quantity);
  }

  get priceAfterAllDiscountsBeforeTaxesSet(): Bag {
    return bag(this.#price * this.currentQuantity);
  }

  get product(): { id: string } {
    return { id: this.#shop.productId(this.#shop.lines.stock[this.#line] ?? 0) };
  }

  get variant(): { id: string } {
    return { id: this.#shop.variantId(this.#shop.lines.stock[this.#line] ?? 0) };
  }

  get #price(): number {
    return this.#shop.lines.price[this.#line] ?? 0;
  }
}

function digits(order: Order): string {
  return order.invoice.replace('C', '');
}
