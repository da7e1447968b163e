/** Products with their variants, unit costs and stock, each read and stored as one object. */
import { z } from 'zod';
import type { Fields } from '../../kit/fields.ts';
import { InvalidField, isObject } from '../../kit/fields.ts';
import { isGranted } from '../api/access.ts';
import type { Shopify } from '../api/client.ts';
import {
  bulkProducts,
  itemLevels,
  itemsPage,
  productsById,
  productsCount,
  productsPage,
  productVariants,
} from '../api/queries.ts';
import { costsOfSales } from '../invalidations.ts';
import { collectionStream } from '../stream.ts';
import type { Collection, Node } from '../sync/collection.ts';
import type { Feed } from '../sync/feed.ts';
import { contentsByIds } from '../sync/fetch_by_id.ts';
import { completeList } from '../sync/nested_pages.ts';
import { productItem, productTables } from './product_rows.ts';

const LOCATION_NAMES = 'read_locations';

const target = { tables: productTables, dependents: [costsOfSales] };

/** `names`: the key may also read the names of locations. */
export function productsCollection(names: boolean): Collection {
  return {
    name: 'products',
    target,
    page: productsPage(names),
    count: productsCount,
    byIds: productsById(names),
    type: 'Product',
    pageSize: 50,
    bulk: bulkProducts(names),
    changedFilter: 'updated_at',
    createdFilter: 'created_at',
    alsoChangedBy: stockFeed(names),
    // A level belongs to the inventory item of its variant; either of the two may be named as its parent.
    shape: [{ list: 'variants', ids: variantIds, children: [{ list: 'inventoryLevels' }] }],
    complete: (shopify, node) => wholeProduct(shopify, node, names),
    toItem: productItem,
  };
}

/** Changes of stock and costs, read as the products that they belong to. */
function stockFeed(names: boolean): Feed {
  return {
    name: 'inventory items',
    page: itemsPage,
    pageSize: 100,
    filterField: 'updated_at',
    instantField: 'updatedAt',
    isSorted: false,
    contents: (shopify, nodes) => {
      const ids = [...new Set(nodes.flatMap(productIds))];
      return Array.fromAsync(contentsByIds(shopify, productsCollection(names), ids));
    },
  };
}

const variantsSchema = z.object({
  variants: z.object({ nodes: z.array(z.object({ product: z.object({ id: z.string() }) })) }).nullable(),
});

function productIds(item: Fields): string[] {
  const { data } = variantsSchema.safeParse(item);
  return data?.variants?.nodes.map(({ product }) => product.id) ?? [];
}

function variantIds(variant: Node): unknown[] {
  const item = variant.inventoryItem;
  return [variant.id, isObject(item) ? item.id : undefined];
}

async function wholeProduct(shopify: Shopify, node: Fields, names: boolean): Promise<Node> {
  const variants: Node[] = [];
  for (const variant of await completeList(shopify, productVariants(names), node, 'variants')) {
    variants.push(await wholeVariant(shopify, variant, names));
  }
  return { ...node, variants };
}

/** As in a bulk result, the levels are children of the variant. */
async function wholeVariant(shopify: Shopify, variant: Fields, names: boolean): Promise<Node> {
  const item = variant.inventoryItem;
  if (!isObject(item)) throw new InvalidField('inventoryItem', 'no object');
  const { inventoryLevels: _, ...inventoryItem } = item;
  const levels = await completeList(shopify, itemLevels(names), item, 'inventoryLevels');
  return { ...variant, inventoryItem, inventoryLevels: levels };
}

export const productsStream = collectionStream({
  name: 'shopify.products',
  scopes: ['read_products', 'read_inventory'],
  scopesOptional: [LOCATION_NAMES],
  feeds: ['product_sales', 'stock'],
  target,
  collectionFor: ({ scopes }) => productsCollection(isGranted(scopes, LOCATION_NAMES)),
});
