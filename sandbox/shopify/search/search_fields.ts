import { get, getList, isPlain, type Plain } from '../../plain.ts';
import { splitGid } from '../shop.ts';

export type SearchField = {
  kind: 'time' | 'number' | 'text' | 'flag';
  /** What the row has under this field; several values match if one does. */
  values(row: Plain): unknown[];
};

/** What Shopify lets one search by, per connection; a name that is missing here is ignored there too. */
export const searchFields: Readonly<Record<string, Readonly<Record<string, SearchField>>>> = {
  orders: {
    id: idField('id'),
    created_at: time('createdAt'),
    updated_at: time('updatedAt'),
    processed_at: time('processedAt'),
    name: text('name'),
    test: flag('test'),
    status: { kind: 'text', values: orderStates },
    financial_status: text('displayFinancialStatus'),
    fulfillment_status: text('displayFulfillmentStatus'),
    source_name: text('sourceName'),
    customer_id: idField('customer', 'id'),
    discount_code: text('discountCodes'),
    tag: text('tags'),
    email: text('email'),
    sku: { kind: 'text', values: (row) => getList(row, 'lineItems').map((line) => get(line, 'sku')) },
  },
  customers: {
    id: idField('id'),
    updated_at: time('updatedAt'),
    customer_date: time('createdAt'),
    email: text('email'),
    state: text('state'),
    tag: text('tags'),
  },
  products: {
    id: idField('id'),
    created_at: time('createdAt'),
    updated_at: time('updatedAt'),
    status: text('status'),
    vendor: text('vendor'),
    title: text('title'),
    product_type: text('productType'),
    tag: text('tags'),
    sku: { kind: 'text', values: (row) => getList(row, 'variants').map((variant) => get(variant, 'sku')) },
  },
  productVariants: {
    id: idField('id'),
    product_id: idField('product', 'id'),
    updated_at: time('updatedAt'),
    sku: text('sku'),
    title: text('title'),
    barcode: text('barcode'),
  },
  inventoryItems: {
    id: idField('id'),
    created_at: time('createdAt'),
    updated_at: time('updatedAt'),
    sku: text('sku'),
  },
  locations: { id: idField('id'), name: text('name'), active: flag('isActive') },
  events: {
    id: idField('id'),
    action: text('action'),
    created_at: time('createdAt'),
    subject_type: text('subjectType'),
  },
  bulkOperations: {
    id: idField('id'),
    created_at: time('createdAt'),
    status: text('status'),
    operation_type: text('type'),
  },
};

function time(...path: string[]): SearchField {
  return { kind: 'time', values: (row) => valuesAt(row, path) };
}

function text(...path: string[]): SearchField {
  return { kind: 'text', values: (row) => valuesAt(row, path) };
}

function flag(...path: string[]): SearchField {
  return { kind: 'flag', values: (row) => valuesAt(row, path) };
}

/** Ids are searched by their number. */
function idField(...path: string[]): SearchField {
  return { kind: 'number', values: (row) => valuesAt(row, path).map((id) => splitGid(String(id))?.key) };
}

function valuesAt(row: Plain, path: string[]): unknown[] {
  let value: unknown = row;
  for (const field of path) value = isPlain(value) ? get(value, field) : undefined;
  return Array.isArray(value) ? value : [value];
}

function orderStates(row: Plain): string[] {
  const cancelled = Boolean(get(row, 'cancelledAt'));
  const closed = Boolean(get(row, 'closedAt'));
  const state = closed ? 'closed' : 'open';
  return ['any', cancelled ? 'cancelled' : state, ...(closed ? [] : ['not_closed'])];
}
