/** Refunds of the built-in orders, with the money that they moved. */
import { gid } from '../shopify/shop.ts';
import { toStamp } from '../zone.ts';
import { lineItemId } from './invoice_line.ts';
import type { Refund, Reversal } from './ledger.ts';
import { type Bag, bag, ZERO } from './money.ts';

const REFUND_TRANSACTIONS_FROM = 1_000_000;

export class RefundView {
  readonly #refund: Refund;
  readonly id: string;
  readonly order: { id: string };
  readonly note = null;

  constructor(refund: Refund, orderId: string) {
    this.#refund = refund;
    this.id = gid('Refund', refund.number);
    this.order = { id: orderId };
  }

  get createdAt(): string {
    return toStamp(this.#refund.at);
  }

  get processedAt(): string {
    return this.createdAt;
  }

  get updatedAt(): string {
    return this.createdAt;
  }

  get totalRefundedSet(): Bag {
    return bag(worth(this.#refund));
  }

  get refundLineItems(): object[] {
    return this.#refund.reversals.map((reversal) => refundLine(reversal));
  }

  get transactions(): object[] {
    const amount = worth(this.#refund);
    if (amount <= 0) return [];
    const number = REFUND_TRANSACTIONS_FROM + this.#refund.number;
    return [transaction(number, 'REFUND', this.createdAt, amount, this.order.id)];
  }
}

function refundLine({ number, line, quantity, price }: Reversal): object {
  return {
    id: gid('RefundLineItem', number),
    lineItem: { id: lineItemId(line) },
    quantity,
    restockType: 'RETURN',
    restocked: true,
    priceSet: bag(price),
    subtotalSet: bag(price * quantity),
    totalTaxSet: ZERO,
  };
}

export function transaction(
  number: number,
  kind: 'SALE' | 'REFUND',
  at: string,
  amount: number,
  orderId: string,
): object {
  return {
    id: gid('OrderTransaction', number),
    kind,
    status: 'SUCCESS',
    gateway: 'sandbox',
    test: false,
    createdAt: at,
    processedAt: at,
    amountSet: bag(amount),
    order: { id: orderId },
    parentTransaction: null,
  };
}

export function worth(refund: Refund): number {
  return refund.reversals.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
}
