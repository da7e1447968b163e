import { localToInstant } from '../zone.ts';
import type { InvoiceLines } from './online_retail.ts';

export const ZONE = 'Europe/London';

/** A line of a refund: so many pieces of an order's line, at the cancellation's own price. */
export type Reversal = { number: number; line: number; quantity: number; price: number };
export type Refund = { number: number; at: number; reversals: Reversal[] };

export type Order = {
  /** Six digits; `C` before them for a carrier: the order that holds what no known order was cancelled of. */
  invoice: string;
  at: number;
  customer: number;
  country: number;
  /** Lines of the file. */
  lines: number[];
  refunds: Refund[];
};

export type Ledger = {
  orders: Order[];
  /** Pieces of each line that were not given back. Below 0 on carriers, whose lines have quantity 0. */
  remaining: Int32Array;
  orderOfLine: (Order | undefined)[];
};

/**
 * Orders and refunds from the invoice lines, in one pass. A `C` line does not name what it cancels:
 * it goes to the latest earlier order of the same customer and country with that stock code, up to
 * what is left of it, then to earlier ones; the rest goes to a carrier.
 */
export function buildLedger(lines: InvoiceLines): Ledger {
  return new LedgerBuilder(lines).build();
}

class LedgerBuilder {
  readonly #lines: InvoiceLines;
  readonly #ledger: Ledger;
  readonly #byInvoice = new Map<number, Order>();
  /** Lines with something left, the latest last, by customer, country and stock code. */
  readonly #open = new Map<number, number[]>();
  readonly #refunds = new Map<string, Refund>();
  readonly #instants: number[] = [];
  #reversals = 0;

  constructor(lines: InvoiceLines) {
    this.#lines = lines;
    this.#ledger = {
      orders: [],
      remaining: new Int32Array(lines.count),
      orderOfLine: new Array(lines.count),
    };
  }

  build(): Ledger {
    const { count, invoices, invoice, quantity } = this.#lines;
    for (let line = 0; line < count; line++) {
      const name = invoices.name(invoice[line] ?? 0);
      // Adjustments (`A…`) and write-offs without `C` are not sales.
      if (name.startsWith('C')) this.#cancel(line, name);
      else if (/^\d/.test(name) && (quantity[line] ?? 0) > 0) this.#sell(line, name);
    }
    return this.#ledger;
  }

  #sell(line: number, name: string): void {
    const quantity = this.#lines.quantity[line] ?? 0;
    this.#addLine(this.#orderFor(line, name), line);
    this.#ledger.remaining[line] = quantity;
    const key = this.#openKey(line);
    if (key === undefined) return;
    const open = this.#open.get(key);
    if (open) open.push(line);
    else this.#open.set(key, [line]);
  }

  #cancel(line: number, name: string): void {
    let left = -(this.#lines.quantity[line] ?? 0);
    const open = this.#open.get(this.#openKey(line) ?? -1) ?? [];
    while (left > 0 && open.length > 0) {
      const target = open.at(-1) ?? 0;
      const there = this.#ledger.remaining[target] ?? 0;
      const taken = Math.min(left, there);
      this.#reverse(target, line, taken);
      if (taken === there) open.pop();
      left -= taken;
    }
    if (left === 0) return;
    this.#addLine(this.#orderFor(line, name), line);
    this.#reverse(line, line, left);
  }

  #reverse(target: number, by: number, quantity: number): void {
    const order = this.#ledger.orderOfLine[target];
    if (!order) throw new Error(`Line ${target} belongs to no order.`);
    this.#ledger.remaining[target] = (this.#ledger.remaining[target] ?? 0) - quantity;
    const price = this.#lines.price[by] ?? 0;
    this.#refundFor(order, by).reversals.push({ number: ++this.#reversals, line: target, quantity, price });
  }

  #orderFor(line: number, invoice: string): Order {
    const number = this.#lines.invoice[line] ?? 0;
    let order = this.#byInvoice.get(number);
    if (!order) {
      const { customer, country } = this.#lines;
      order = {
        invoice,
        at: this.#instant(line),
        customer: customer[line] ?? 0,
        country: country[line] ?? 0,
        lines: [],
        refunds: [],
      };
      this.#byInvoice.set(number, order);
      this.#ledger.orders.push(order);
    }
    return order;
  }

  #addLine(order: Order, line: number): void {
    order.lines.push(line);
    this.#ledger.orderOfLine[line] = order;
  }

  /** One refund per order and cancelling invoice. */
  #refundFor(order: Order, by: number): Refund {
    const key = `${order.invoice} ${this.#lines.invoice[by]}`;
    let refund = this.#refunds.get(key);
    if (!refund) {
      refund = { number: this.#refunds.size + 1, at: this.#instant(by), reversals: [] };
      this.#refunds.set(key, refund);
      order.refunds.push(refund);
    }
    return refund;
  }

  /** Nobody knows which guest a cancellation without customer comes from: it goes to a carrier. */
  #openKey(line: number): number | undefined {
    const { customers, customer, countries, country, stocks, stock } = this.#lines;
    const number = customer[line] ?? 0;
    if (customers.name(number) === '') return undefined;
    return (number * countries.list.length + (country[line] ?? 0)) * stocks.list.length + (stock[line] ?? 0);
  }

  #instant(line: number): number {
    const number = this.#lines.time[line] ?? 0;
    let instant = this.#instants[number];
    if (instant === undefined) {
      instant = localToInstant(this.#lines.times.name(number), ZONE);
      this.#instants[number] = instant;
    }
    return instant;
  }
}
