/** How a product of Shopify becomes rows. */
import { type Item, type Row, table } from '#sql/load/table.ts';
import { column, recordTable, rest } from '../../kit/columns.ts';
import {
  amount,
  currency,
  each,
  type Fields,
  flag,
  instant,
  integer,
  integerOrNull,
  object,
  objectOrNull,
  payloadOf,
  text,
  textOrNull,
  under,
} from '../../kit/fields.ts';
import { decimal } from '../../kit/money.ts';
import * as columns from '../api/columns.ts';
import { idOf, idWithin } from '../api/gid.ts';

const PRODUCT_PARTS = new Set(['variants']);

export const products = recordTable({
  name: 'raw.shopify_products',
  key: ['id'],
  digested: true,
  columns: {
    id: columns.id,
    title: columns.text('title'),
    status: columns.text('status'),
    vendor: columns.textIfAny('vendor'),
    product_type: columns.textIfAny('productType'),
    category: column('text', categoryOf),
    created_at: columns.instant('createdAt'),
    payload: rest(PRODUCT_PARTS),
  },
});

export const variants = table({
  name: 'raw.shopify_variants',
  key: ['id'],
  rootColumn: 'product_id',
  columns: {
    id: 'text',
    product_id: 'text',
    sku: 'text',
    title: 'text',
    price: 'numeric',
    inventory_item_id: 'text',
    inventory_quantity: 'integer',
    payload: 'jsonb',
  },
});

export const costs = table({
  name: 'raw.shopify_costs',
  key: ['id', 'valid_from'],
  rootColumn: 'product_id',
  keeps: 'history',
  columns: {
    id: 'text',
    valid_from: 'timestamptz',
    product_id: 'text',
    currency: 'text',
    cost: 'numeric',
    payload: 'jsonb',
  },
});

export const inventoryLevels = table({
  name: 'raw.shopify_inventory_levels',
  key: ['id'],
  rootColumn: 'product_id',
  columns: {
    id: 'text',
    product_id: 'text',
    variant_id: 'text',
    location_id: 'text',
    location: 'text',
    is_active: 'boolean',
    available: 'integer',
    on_hand: 'integer',
    committed: 'integer',
    incoming: 'integer',
    payload: 'jsonb',
  },
});

export const productTables = [products, variants, costs, inventoryLevels] as const;

const VARIANT_PARTS = new Set(['inventoryLevels', '__parentId', 'price', 'compareAtPrice']);
const LEVEL_PLACE = new Set(['__parentId']);

type Rows = { variants: Row[]; costs: Row[]; levels: Row[]; changedAt: Date };

export function productItem(node: Fields): Item {
  const id = idOf(node);
  const rows: Rows = { variants: [], costs: [], levels: [], changedAt: instant(node, 'updatedAt') };
  each(node, 'variants', (variant) => addVariant(rows, id, variant));
  return {
    id,
    changedAt: rows.changedAt,
    rows: {
      [products.name]: [products.rowOf(node)],
      [variants.name]: rows.variants,
      [costs.name]: rows.costs,
      [inventoryLevels.name]: rows.levels,
    },
  };
}

function categoryOf(node: Fields): string | null {
  const category = objectOrNull(node, 'category');
  return category && under('category', () => text(category, 'fullName'));
}

function addVariant(rows: Rows, productId: string, variant: Fields): void {
  const id = idOf(variant);
  const item = object(variant, 'inventoryItem');
  rows.variants.push({
    id,
    product_id: productId,
    sku: textOrNull(variant, 'sku') || null,
    title: text(variant, 'title'),
    price: amount(variant, 'price'),
    inventory_item_id: under('inventoryItem', () => idOf(item)),
    inventory_quantity: integerOrNull(variant, 'inventoryQuantity'),
    payload: { ...payloadOf(variant, VARIANT_PARTS), compareAtPrice: shortest(variant.compareAtPrice) },
  });
  rows.costs.push(under('inventoryItem', () => costRow(id, productId, item)));
  // The product itself does not always change with its stock or its costs.
  note(
    rows,
    under('inventoryItem', () => instant(item, 'updatedAt')),
  );
  each(variant, 'inventoryLevels', (level) => {
    rows.levels.push(levelRow(id, productId, level));
    note(rows, instant(level, 'updatedAt'));
  });
}

/** An item that has not changed since has had its cost since then. No cost means unknown, not zero. */
function costRow(variantId: string, productId: string, item: Fields): Row {
  const unitCost = objectOrNull(item, 'unitCost');
  return {
    id: variantId,
    valid_from: instant(item, 'updatedAt'),
    product_id: productId,
    currency: unitCost && under('unitCost', () => currency(unitCost, 'currencyCode')),
    cost: unitCost && under('unitCost', () => amount(unitCost, 'amount')),
    payload: null,
  };
}

function levelRow(variantId: string, productId: string, level: Fields): Row {
  const location = object(level, 'location');
  const quantities = new Map(
    each(level, 'quantities', (one) => [text(one, 'name'), integer(one, 'quantity')] as const),
  );
  return {
    id: idOf(level),
    product_id: productId,
    variant_id: variantId,
    location_id: idWithin(level, 'location'),
    location: location.name === undefined ? null : under('location', () => textOrNull(location, 'name')),
    is_active: flag(level, 'isActive'),
    available: quantities.get('available') ?? null,
    on_hand: quantities.get('on_hand') ?? null,
    committed: quantities.get('committed') ?? null,
    incoming: quantities.get('incoming') ?? null,
    payload: payloadOf(level, LEVEL_PLACE),
  };
}

function note(rows: Rows, at: Date): void {
  if (at > rows.changedAt) rows.changedAt = at;
}

const shortest = (value: unknown) => decimal(value) ?? value;
