/** What each account of the fleet holds: the same for all of them, ids included. */
import type { Json } from '../../sql/load/table.ts';
import { orderPages } from './orders.ts';

export const ORDERS = 40;
export const BOOKINGS = 200;
const AMOUNT_MINOR = 1_000;
const FEE_MINOR = 59;
export const BALANCE_MINOR = BOOKINGS * (AMOUNT_MINOR - FEE_MINOR);
const FIRST_BOOKING = Date.UTC(2026, 0, 1) / 1000;
const HOUR_SECONDS = 3_600;

type Node = Record<string, Json>;

/** As a file has them: lists of children are plain. */
export const orders = JSON.parse(orderPages(ORDERS, ORDERS)[0] ?? '[]') as Node[];

const listOf = (nodes: unknown) => ({ nodes, pageInfo: { hasNextPage: false, endCursor: null } });

/** The first order as a page has it, changed at that second. */
export function orderNode(changedAt: number | undefined): Record<string, unknown> {
  const [order = {}] = orders;
  const agreements = (order.agreements as Node[]).map(({ sales, ...one }) => ({
    ...one,
    sales: listOf(sales),
  }));
  const updatedAt = new Date((changedAt ?? 0) * 1000).toISOString();
  return {
    ...order,
    note: updatedAt,
    updatedAt,
    lineItems: listOf(order.lineItems),
    agreements: listOf(agreements),
  };
}

export const bookings = Array.from({ length: BOOKINGS }, (_, index) => {
  const created = FIRST_BOOKING + index * HOUR_SECONDS;
  return {
    ...{ id: `txn_${index}`, object: 'balance_transaction', type: 'adjustment', status: 'available' },
    ...{
      reporting_category: 'other_adjustment',
      amount: AMOUNT_MINOR,
      fee: FEE_MINOR,
      net: AMOUNT_MINOR - FEE_MINOR,
    },
    ...{ currency: 'gbp', created, available_on: created, source: null, fee_details: [] },
  };
});
