/** Turns a product of Shopify into rows. */
import type { Item, Row } from '#sql/load/table.ts';
import { column, columnsOf, noPayload, recordTable, rest } from '../../kit/columns.ts';
import {
  each,
  type Fields,
  instant as instantOf,
  integer,
  object,
  payloadOf,
  text as textOf,
  textOrNull as textOrNullOf,
  under,
} from '../../kit/fields.ts';
import { decimal } from '../../kit/money.ts';
import {
  amount,
  currency,
  flag,
  id,
  idIn,
  instant,
  integerOrNull,
  text,
  textIfAny,
  within,
  withinIfAny,
} from '../api/columns.ts';
import { idOf } from '../api/gid.ts';

type Product = { productId: string };
type Variant = Product & { variantId: string };
/** `quantities`: by name, such as `available`. */
type Level = Variant & { quantities: ReadonlyMap<string, number> };

const PRODUCT_PARTS = new Set(['variants']);
const VARIANT_PARTS = new Set(['inventoryLevels', '__parentId', 'price', 'compareAtPrice']);
const LEVEL_PLACE = new Set(['__parentId']);

const productId = column('text', (_, { productId }: Product) => productId);
const variantId = column('text', (_, { variantId }: Variant) => variantId);
const quantity = columnsOf('integer', (_, name, { quantities }: Level) => quantities.get(name) ?? null);

export const products = recordTable({
  name: 'raw.shopify_products',
  key: ['id'],
  digested: true,
  personal: null,
  columns: {
    id,
    title: text('title'),
    status: text('status'),
    vendor: textIfAny('vendor'),
    product_type: textIfAny('productType'),
    category: withinIfAny('category', text('fullName')),
    created_at: instant('createdAt'),
    payload: rest(PRODUCT_PARTS),
  },
});

export const variants = recordTable<Product>({
  name: 'raw.shopify_variants',
  key: ['id'],
  rootColumn: 'product_id',
  personal: null,
  columns: {
    id: { ...id, marks: 'stock' },
    product_id: productId,
    sku: column('text', (variant) => textOrNullOf(variant, 'sku') || null),
    title: text('title'),
    price: amount('price'),
    inventory_item_id: within('inventoryItem', id),
    inventory_quantity: integerOrNull('inventoryQuantity'),
    payload: column('jsonb', (variant) => ({
      ...payloadOf(variant, VARIANT_PARTS),
      compareAtPrice: decimal(variant.compareAtPrice) ?? variant.compareAtPrice,
    })),
  },
});

/**
 * Costs of inventory items. The cost of an item holds since the last change of the item. No cost means unknown, not
 * zero.
 */
export const costs = recordTable<Variant>({
  name: 'raw.shopify_costs',
  key: ['id', 'valid_from'],
  rootColumn: 'product_id',
  personal: null,
  keeps: 'history',
  columns: {
    id: variantId,
    valid_from: instant('updatedAt'),
    product_id: productId,
    currency: withinIfAny('unitCost', currency('currencyCode')),
    cost: withinIfAny('unitCost', amount('amount')),
    payload: noPayload,
  },
});

export const inventoryLevels = recordTable<Level>({
  name: 'raw.shopify_inventory_levels',
  key: ['id'],
  rootColumn: 'product_id',
  personal: null,
  columns: {
    id,
    product_id: productId,
    variant_id: variantId,
    location_id: idIn('location'),
    location: within(
      'location',
      column('text', (location) => (location.name === undefined ? null : textOrNullOf(location, 'name'))),
    ),
    is_active: flag('isActive'),
    available: quantity('available'),
    on_hand: quantity('on_hand'),
    committed: quantity('committed'),
    incoming: quantity('incoming'),
    payload: rest(LEVEL_PLACE),
  },
});

/** What a variant has in all places: null where nobody counts it. */
type Stock = Variant & { available: string | null; unavailable: string | null; readAt: Date };

/**
 * Readings of stock. Shopify keeps no history, so each one that differs from the one before is a dated row: what an item
 * has, it has had since it last changed.
 */
export const stockReadings = recordTable<Stock>({
  name: 'raw.shopify_stock_readings',
  key: ['id', 'valid_from'],
  rootColumn: 'product_id',
  personal: null,
  keeps: 'history',
  rolledUp: { rule: 'stock_history', marks: 'stock' },
  columns: {
    id: variantId,
    valid_from: column('timestamptz', (_, { readAt }: Stock) => readAt),
    product_id: productId,
    available: column('numeric', (_, { available }: Stock) => available),
    unavailable: column('numeric', (_, { unavailable }: Stock) => unavailable),
    payload: noPayload,
  },
});

export const productTables = [products, variants, costs, inventoryLevels, stockReadings] as const;

type Rows = { variants: Row[]; costs: Row[]; levels: Row[]; stock: Row[]; changedAt: Date };

export function productItem(node: Fields): Item {
  const id = idOf(node);
  const changedAt = instantOf(node, 'updatedAt');
  const rows: Rows = { variants: [], costs: [], levels: [], stock: [], changedAt };
  each(node, 'variants', (variant) => addVariant(rows, id, variant));
  return {
    id,
    changedAt: rows.changedAt,
    rows: {
      [products.name]: [products.rowOf(node)],
      [variants.name]: rows.variants,
      [costs.name]: rows.costs,
      [inventoryLevels.name]: rows.levels,
      [stockReadings.name]: rows.stock,
    },
  };
}

function addVariant(rows: Rows, productId: string, variant: Fields): void {
  const of = { productId, variantId: idOf(variant) };
  rows.variants.push(variants.rowOf(variant, of));
  const item = object(variant, 'inventoryItem');
  rows.costs.push(under('inventoryItem', () => costs.rowOf(item, of)));
  // The product itself does not always change with its stock or its costs.
  let readAt = under('inventoryItem', () => instantOf(item, 'updatedAt'));
  const levels = each(variant, 'inventoryLevels', (level) => {
    readAt = later(readAt, instantOf(level, 'updatedAt'));
    return inventoryLevels.rowOf(level, { ...of, quantities: quantitiesOf(level) });
  });
  rows.levels.push(...levels);
  rows.changedAt = later(rows.changedAt, readAt);
  rows.stock.push(stockReadings.rowOf(variant, { ...of, ...stockOf(item, levels), readAt }));
}

/** In all places that are in use. `unavailable`: in hand, but neither for sale nor sold, such as damaged goods. */
function stockOf(item: Fields, levels: readonly Row[]): Pick<Stock, 'available' | 'unavailable'> {
  const active = levels.filter(({ is_active }) => is_active);
  const known = (name: string) =>
    active.map((level) => level[name]).filter((value) => typeof value === 'number');
  const [available, onHand, committed] = [known('available'), known('on_hand'), known('committed')];
  if (item.tracked === false || available.length === 0) return { available: null, unavailable: null };
  const isWhole = [available, onHand, committed].every(({ length }) => length === active.length);
  const away = sum(onHand) - sum(available) - sum(committed);
  // Less than nothing cannot be set aside: then the three do not belong together.
  return { available: String(sum(available)), unavailable: isWhole && away >= 0 ? String(away) : null };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const later = (one: Date, other: Date) => (other > one ? other : one);

function quantitiesOf(level: Fields): Map<string, number> {
  return new Map(
    each(level, 'quantities', (one) => [textOf(one, 'name'), integer(one, 'quantity')] as const),
  );
}
