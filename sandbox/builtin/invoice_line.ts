import { gid } from '../shopify/shop.ts';
import type { InvoiceLines } from './online_retail.ts';

/** A carrier's lines were never sold: their quantity is 0. */
export function soldQuantity(lines: InvoiceLines, line: number): number {
  return Math.max(0, lines.quantity[line] ?? 0);
}

export function lineItemId(line: number): string {
  return gid('LineItem', line + 1);
}
