/** Shopify's sales ledger of the built-in orders: one agreement for the order, one for each refund. */
import { gid } from '../shopify/shop.ts';
import { toStamp } from '../zone.ts';
import { lineItemId, soldQuantity } from './invoice_line.ts';
import type { Order, Refund, Reversal } from './ledger.ts';
import { type Bag, bag, ZERO } from './money.ts';
import type { InvoiceLines } from './online_retail.ts';

// Each kind of row has its own range of numbers, so that ids never meet.
const REFUND_AGREEMENTS_FROM = 1_000_000;
const RETURN_SALES_FROM = 1_000_000;

export class OrderAgreement {
  readonly __typename = 'OrderAgreement';
  readonly reason = 'ORDER';
  readonly id: string;
  readonly order: { id: string };
  readonly #order: Order;
  readonly #lines: InvoiceLines;

  constructor(order: Order, key: string, lines: InvoiceLines) {
    this.id = gid('SalesAgreement', key);
    this.order = { id: gid('Order', key) };
    this.#order = order;
    this.#lines = lines;
  }

  get happenedAt(): string {
    return toStamp(this.#order.at);
  }

  get sales(): Sale[] {
    return this.#order.lines.map((line) => {
      const quantity = soldQuantity(this.#lines, line);
      return new Sale(line + 1, 'ORDER', line, quantity, quantity * (this.#lines.price[line] ?? 0));
    });
  }
}

export class RefundAgreement {
  readonly __typename = 'RefundAgreement';
  readonly reason = 'REFUND';
  readonly id: string;
  readonly refund: { id: string };
  readonly #refund: Refund;

  constructor(refund: Refund) {
    this.id = gid('SalesAgreement', REFUND_AGREEMENTS_FROM + refund.number);
    this.refund = { id: gid('Refund', refund.number) };
    this.#refund = refund;
  }

  get happenedAt(): string {
    return toStamp(this.#refund.at);
  }

  get sales(): Sale[] {
    return this.#refund.reversals.map(({ number, line, quantity, price }: Reversal) => {
      return new Sale(RETURN_SALES_FROM + number, 'RETURN', line, -quantity, -quantity * price);
    });
  }
}

class Sale {
  readonly __typename = 'ProductSale';
  readonly lineType = 'PRODUCT';
  readonly actionType: 'ORDER' | 'RETURN';
  readonly quantity: number;
  readonly taxes = [];
  readonly totalTaxAmount = ZERO;
  readonly totalDiscountAmountBeforeTaxes = ZERO;
  readonly totalDiscountAmountAfterTaxes = ZERO;
  readonly #number: number;
  readonly #line: number;
  readonly #amount: number;

  constructor(
    number: number,
    actionType: 'ORDER' | 'RETURN',
    line: number,
    quantity: number,
    amount: number,
  ) {
    this.#number = number;
    this.actionType = actionType;
    this.#line = line;
    this.quantity = quantity;
    this.#amount = amount;
  }

  get id(): string {
    return gid('Sale', this.#number);
  }

  get totalAmount(): Bag {
    return bag(this.#amount);
  }

  get lineItem(): { id: string } {
    return { id: lineItemId(this.#line) };
  }
}
