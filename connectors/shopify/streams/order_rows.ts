/** Turns an order of Shopify into rows. Definitions: docs/data-dictionary.md. */
import type { Item, Row } from '#sql/load/table.ts';
import type { PersonOf } from '#sql/tenants/persons.ts';
import {
  currency,
  each,
  type Fields,
  instant,
  integer,
  isObject,
  object,
  text,
  textOrNull,
  under,
} from '../../kit/fields.ts';
import { idOf } from '../api/gid.ts';
import {
  agreements,
  numberOf,
  type Order,
  orderLines,
  orders,
  refunds,
  sales,
  transactions,
} from './order_tables.ts';

type Ledger = { agreements: Row[]; sales: Row[]; hasProduct: boolean };

/** `personOf` makes the digest of the e-mail address, where that was asked for. */
export function orderItem(node: Fields, personOf?: PersonOf): Item {
  const order = {
    id: numberOf(node),
    currency: currency(node, 'currencyCode'),
    processedAt: instant(node, 'processedAt'),
  };
  const refundRows = each(node, 'refunds', (refund) => refunds.rowOf(refund, order));
  const ledger = ledgerOf(order, node, refundRows);
  const { hasProduct } = ledger;
  const email = personOf ? textOrNull(node, 'email') : null;
  const person = email === null ? null : (personOf?.(email) ?? null);
  return {
    id: order.id,
    changedAt: instant(node, 'updatedAt'),
    rows: {
      [orders.name]: [orders.rowOf(node, { ...order, hasProduct, person })],
      [orderLines.name]: each(node, 'lineItems', (line) => orderLines.rowOf(line, order)),
      [agreements.name]: ledger.agreements,
      [sales.name]: ledger.sales,
      [refunds.name]: refundRows,
      [transactions.name]: each(node, 'transactions', (one) => transactions.rowOf(one, order)),
    },
  };
}

/** Shopify's own sales ledger. */
function ledgerOf(order: Order, node: Fields, refundRows: readonly Row[]): Ledger {
  const ledger: Ledger = { agreements: [], sales: [], hasProduct: false };
  const stock = restockedLines(node);
  each(node, 'agreements', (agreement) => {
    const row = agreements.rowOf(agreement, order);
    ledger.agreements.push(row);
    const [agreementId, reason] = [String(row.id), String(row.reason)];
    const entry = {
      ...{ ...order, agreementId, reason, bookedAt: bookedAt(order, row, refundRows) },
      restocked: (lineId: string, piecesMax: number) => stock.take(String(row.refund_id), lineId, piecesMax),
    };
    each(agreement, 'sales', (sale) => {
      const sold = sales.rowOf(sale, entry);
      ledger.sales.push(sold);
      if (reason === 'ORDER' && sold.line_type === 'PRODUCT' && Number(sold.quantity) > 0)
        ledger.hasProduct = true;
    });
  });
  return ledger;
}

const RESTOCKS = new Set(['RETURN', 'CANCEL', 'LEGACY_RESTOCK']);

/** What refunds put back to stock. A refund that came without its lines, or a line that is not among them, tells nothing. */
function restockedLines(node: Fields) {
  const left = new Map<string, number>();
  each(node, 'refunds', (refund) => {
    if (!isObject(refund.refundLineItems)) return;
    each(refund.refundLineItems, 'nodes', (line) => {
      const key = `${idOf(refund)} ${under('lineItem', () => idOf(object(line, 'lineItem')))}`;
      const pieces = RESTOCKS.has(text(line, 'restockType')) ? integer(line, 'quantity') : 0;
      left.set(key, (left.get(key) ?? 0) + pieces);
    });
  });
  return {
    take(refundId: string, lineId: string, piecesMax: number): number | null {
      const key = `${refundId} ${lineId}`;
      const pieces = left.get(key);
      if (pieces === undefined) return null;
      const taken = Math.min(pieces, piecesMax);
      left.set(key, pieces - taken);
      return taken;
    },
  };
}

/**
 * The instant that decides the day of a sale. An order counts when it was processed, which for an imported one is long
 * before its entry in the ledger; the same holds for an imported refund.
 */
function bookedAt(order: Order, agreement: Row, refundRows: readonly Row[]): Date {
  if (agreement.reason === 'ORDER') return order.processedAt;
  const happenedAt = agreement.happened_at as Date;
  const refund = refundRows.find(({ id }) => id === agreement.refund_id);
  const processedAt = refund?.processed_at;
  return processedAt instanceof Date && processedAt < happenedAt ? processedAt : happenedAt;
}
