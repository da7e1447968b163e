/**
 * Orders of Shopify as rows, loaded by the real loader. What a test does not name is filled in: an
 * order without `sales` sells one piece for 10.00. Amounts are decimal text as Shopify gives them.
 */

import { costsOfSales, firstOrders } from '#connectors/shopify/invalidations.ts';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { costs, products, productTables, variants } from '#connectors/shopify/streams/product_rows.ts';
import type { Tx } from '#sql/db/pool.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Deletion, Item } from '#sql/load/table.ts';

export type Sale = {
  id?: string;
  /** Of the agreement; ORDER if not said. */
  reason?: string;
  /** ORDER if not said. */
  action?: string;
  /** When it counts; the order's own time if not said. */
  at?: string;
  type?: string;
  /** Id of the order line. */
  line?: string | null;
  quantity?: number | null;
  /** Of returned pieces. */
  restocked?: number;
  total: string;
  tax?: string;
  discount?: string;
};

export type Line = {
  id: string;
  variant?: string | null;
  product?: string | null;
  sku?: string;
  title?: string;
};

export type Payment = {
  id: string;
  at: string | null;
  amount: string;
  kind?: string;
  status?: string;
  test?: boolean;
};

export type RawOrder = {
  id?: string;
  at?: string;
  /** Version of the object. */
  version?: string;
  test?: boolean;
  currency?: string;
  customer?: string | null;
  country?: string;
  sales?: readonly Sale[];
  lines?: readonly Line[];
  payments?: readonly Payment[];
  name?: string;
  /** What it came to. */
  total?: string;
  /** Where it came from. */
  codes?: readonly string[];
  utm?: string;
  visitedAt?: string;
  person?: string;
  /** The same as the buyer saw it, in another currency. */
  shown?: { currency: string; total: string };
};

const NOON = '2024-05-01T12:00:00Z';

export function anOrder({
  id = '1',
  at = NOON,
  version = at,
  test = false,
  currency = 'GBP',
  customer = null,
  country = 'GB',
  sales = [{ total: '10.00', quantity: 1 }],
  lines = [],
  payments = [],
  name = `#${id}`,
  total = '0',
  shown,
  ...origin
}: RawOrder = {}): Item {
  const money = { currency, payload: null };
  const saleRows = sales.map((sale, index) => ({
    id: sale.id ?? `${id}${String(index).padStart(3, '0')}`,
    order_id: id,
    agreement_id: `${id}${sale.reason ?? 'ORDER'}`,
    reason: sale.reason ?? 'ORDER',
    booked_at: new Date(sale.at ?? at),
    action_type: sale.action ?? 'ORDER',
    line_type: sale.type ?? 'PRODUCT',
    line_id: sale.line ?? null,
    quantity: sale.quantity ?? null,
    restocked: sale.restocked ?? null,
    total_amount: sale.total,
    tax_amount: sale.tax ?? '0',
    discount_amount: sale.discount ?? '0',
    ...money,
  }));
  const placed = saleRows.some(
    (sale) => sale.reason === 'ORDER' && sale.line_type === 'PRODUCT' && (sale.quantity ?? 0) > 0,
  );
  return {
    id,
    changedAt: new Date(version),
    rows: {
      'raw.shopify_orders': [
        {
          id,
          name,
          processed_at: new Date(at),
          created_at: new Date(at),
          cancelled_at: null,
          test,
          counted: !test && placed,
          presentment_currency: shown?.currency ?? currency,
          taxes_included: false,
          customer_id: customer,
          country,
          source_name: 'web',
          financial_status: 'PAID',
          discount_codes: origin.codes ?? [],
          utm_campaign: origin.utm ?? null,
          visited_at: origin.visitedAt ? new Date(origin.visitedAt) : null,
          person: origin.person ?? null,
          total_price: total,
          current_total_price: '0',
          total_refunded: '0',
          ...money,
          payload: shown ? { totalPriceSet: { presentmentMoney: { amount: shown.total } } } : null,
        },
      ],
      'raw.shopify_order_lines': lines.map((line) => ({
        id: line.id,
        order_id: id,
        product_id: line.product ?? null,
        variant_id: line.variant ?? null,
        sku: line.sku ?? null,
        title: line.title ?? 'A thing',
        variant_title: null,
        quantity: 1,
        current_quantity: 1,
        is_gift_card: false,
        unit_price: '10.00',
        ...money,
      })),
      'raw.shopify_agreements': [...new Set(saleRows.map((sale) => sale.reason))].map((reason) => ({
        id: `${id}${reason}`,
        order_id: id,
        happened_at: new Date(at),
        reason,
        refund_id: null,
        payload: null,
      })),
      'raw.shopify_sales': saleRows,
      'raw.shopify_refunds': [],
      'raw.shopify_transactions': payments.map((payment) => ({
        id: payment.id,
        order_id: id,
        parent_id: null,
        kind: payment.kind ?? 'REFUND',
        status: payment.status ?? 'SUCCESS',
        test: payment.test ?? false,
        gateway: 'card',
        processed_at: payment.at === null ? null : new Date(payment.at),
        amount: payment.amount,
        ...money,
      })),
    },
  };
}

export type Cost = { from: string; cost: string | null; currency?: string };

export type RawProduct = {
  id?: string;
  title?: string;
  category?: string | null;
  type?: string | null;
  version?: string;
  variant: string;
  sku?: string;
  costs?: readonly Cost[];
};

export function aProduct({
  id = '900',
  title = 'Mug',
  category = null,
  type = null,
  version = NOON,
  variant,
  sku = 'MUG',
  costs: dated = [],
}: RawProduct): Item {
  return {
    id,
    changedAt: new Date(version),
    rows: {
      [products.name]: [
        {
          id,
          title,
          status: 'ACTIVE',
          vendor: null,
          product_type: type,
          category,
          created_at: new Date(version),
          payload: null,
        },
      ],
      [variants.name]: [
        {
          id: variant,
          product_id: id,
          sku,
          title: 'Blue',
          price: '10',
          inventory_item_id: null,
          inventory_quantity: null,
          payload: null,
        },
      ],
      [costs.name]: dated.map(({ from, cost, currency = 'GBP' }) => ({
        id: variant,
        valid_from: new Date(from),
        product_id: id,
        currency,
        cost,
        payload: null,
      })),
    },
  };
}

/** The connection that something is loaded for. */
export type Place = { brandId: string; connectionId: string };

export function loadOrders(
  tx: Tx,
  place: Place,
  items: readonly Item[],
  deletions: readonly Deletion[] = [],
) {
  const target = { ...place, tables: orderTables, dependents: [firstOrders], now: new Date(NOON) };
  return loadItems(tx, target, items, deletions);
}

export function loadProducts(tx: Tx, place: Place, items: readonly Item[]) {
  const target = { ...place, tables: productTables, dependents: [costsOfSales], now: new Date(NOON) };
  return loadItems(tx, target, items);
}
