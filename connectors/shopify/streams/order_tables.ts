/** The tables of an order. Its processing day is touched by whatever changes in it, like the days of its sales. */
import { table } from '#sql/load/table.ts';

export const orders = table({
  name: 'raw.shopify_orders',
  indexed: ['name', 'country'],
  key: ['id'],
  digested: true,
  columns: {
    id: 'text',
    name: 'text',
    processed_at: 'timestamptz',
    created_at: 'timestamptz',
    cancelled_at: 'timestamptz',
    test: 'boolean',
    counted: 'boolean',
    currency: 'text',
    presentment_currency: 'text',
    taxes_included: 'boolean',
    customer_id: 'text',
    country: 'text',
    source_name: 'text',
    financial_status: 'text',
    discount_codes: 'text[]',
    total_price: 'numeric',
    current_total_price: 'numeric',
    total_refunded: 'numeric',
    payload: 'jsonb',
  },
  days: { processed_at: 'sales' },
});

export const orderLines = table({
  name: 'raw.shopify_order_lines',
  key: ['id'],
  rootColumn: 'order_id',
  remembers: ['product_id', 'variant_id'], // Shopify empties both when the product is deleted
  columns: {
    id: 'text',
    order_id: 'text',
    product_id: 'text',
    variant_id: 'text',
    sku: 'text',
    title: 'text',
    variant_title: 'text',
    quantity: 'integer',
    current_quantity: 'integer',
    is_gift_card: 'boolean',
    currency: 'text',
    unit_price: 'numeric',
    payload: 'jsonb',
  },
});

export const agreements = table({
  name: 'raw.shopify_agreements',
  key: ['id'],
  rootColumn: 'order_id',
  columns: {
    id: 'text',
    order_id: 'text',
    happened_at: 'timestamptz',
    reason: 'text',
    refund_id: 'text',
    payload: 'jsonb',
  },
});

export const sales = table({
  name: 'raw.shopify_sales',
  key: ['id'],
  rootColumn: 'order_id',
  columns: {
    id: 'text',
    order_id: 'text',
    agreement_id: 'text',
    reason: 'text',
    booked_at: 'timestamptz',
    action_type: 'text',
    line_type: 'text',
    line_id: 'text',
    quantity: 'integer',
    currency: 'text',
    total_amount: 'numeric',
    tax_amount: 'numeric',
    discount_amount: 'numeric',
    payload: 'jsonb',
  },
  days: { booked_at: 'sales' },
});

export const refunds = table({
  name: 'raw.shopify_refunds',
  key: ['id'],
  rootColumn: 'order_id',
  columns: {
    id: 'text',
    order_id: 'text',
    created_at: 'timestamptz',
    processed_at: 'timestamptz',
    currency: 'text',
    total_refunded: 'numeric',
    payload: 'jsonb',
  },
});

export const transactions = table({
  name: 'raw.shopify_transactions',
  key: ['id'],
  rootColumn: 'order_id',
  columns: {
    id: 'text',
    order_id: 'text',
    parent_id: 'text',
    kind: 'text',
    status: 'text',
    test: 'boolean',
    gateway: 'text',
    processed_at: 'timestamptz',
    currency: 'text',
    amount: 'numeric',
    payload: 'jsonb',
  },
  days: { processed_at: 'sales' },
});

export const orderTables = [orders, orderLines, agreements, sales, refunds, transactions] as const;
