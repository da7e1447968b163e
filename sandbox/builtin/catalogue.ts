/** Products and customers of a built-in shop, as far as its invoice lines tell. */
import { gid } from '../shopify/shop.ts';
import { toStamp } from '../zone.ts';
import type { Order } from './ledger.ts';
import { formatThousandths, pounds } from './money.ts';
import type { InvoiceLines } from './online_retail.ts';

const DAY_MS = 24 * 3_600_000;
export const LOCATION_ID = gid('Location', 1);

// Product types are guessed from the title, the first that fits; the data have none.
const PRODUCT_TYPES: readonly (readonly [RegExp, string])[] = [
  [/BAG|PURSE|SATCHEL/, 'Bags'],
  [/CHRISTMAS|XMAS|ADVENT/, 'Christmas'],
  [/T-LIGHT|TLIGHT|LANTERN|LIGHT|LAMP|CANDLE/, 'Lights and candles'],
  [/MUG|CUP|TEA|COFFEE|PLATE|BOWL|GLASS|JUG|CUTLERY|SPOON/, 'Table'],
  [/CAKE|BAKING|KITCHEN|RECIPE|JAR|TIN|LUNCH/, 'Kitchen'],
  [/CARD|WRAP|PAPER|NOTEBOOK|PENCIL|STICKER|RIBBON/, 'Paper and craft'],
  [/NECKLACE|BRACELET|EARRING|RING\b|JEWEL/, 'Jewellery'],
  [/TOY|GAME|CHILD|DOLL|PUZZLE|SPACEBOY|CIRCUS/, 'Toys'],
  [/GARDEN|PLANT|FLOWER|BIRD/, 'Garden'],
  [/SIGN|FRAME|CLOCK|HEART|DECORATION|HANGING|CABINET|DRAWER|HOOK|MIRROR/, 'Home'],
];

type Seen = {
  stock: number;
  title: number;
  price: number;
  firstAt: number;
  lastAt: number;
  recentPieces: number;
};
export type ProductParts = { product: object; variant: object; item: object };

/** One product with one variant per stock code that the shop sold. */
export function buildProducts(
  shop: number,
  orders: readonly Order[],
  lines: InvoiceLines,
  endsAt: number,
): ProductParts[] {
  const seen = new Map<number, Seen>();
  for (const { at, lines: own } of orders) {
    for (const line of own) note(seen, lines, line, at, endsAt);
  }
  return [...seen.values()].map((product) => buildProduct(shop, product, lines));
}

function note(seen: Map<number, Seen>, lines: InvoiceLines, line: number, at: number, endsAt: number): void {
  const stock = lines.stock[line] ?? 0;
  const [title, price] = [lines.title[line] ?? 0, lines.price[line] ?? 0];
  const product = seen.get(stock) ?? { stock, title, price, firstAt: at, lastAt: at, recentPieces: 0 };
  product.lastAt = Math.max(product.lastAt, at);
  if (price > 0) product.price = price;
  if (lines.titles.name(title)) product.title = title;
  if (endsAt - at < 30 * DAY_MS) product.recentPieces += Math.max(0, lines.quantity[line] ?? 0);
  seen.set(stock, product);
}

export function productKey(shop: number, stock: number): number {
  return (shop + 1) * 100_000 + stock;
}

function buildProduct(shop: number, seen: Seen, lines: InvoiceLines): ProductParts {
  const key = productKey(shop, seen.stock);
  const sku = lines.stocks.name(seen.stock);
  const title = lines.titles.name(seen.title) || sku;
  const [createdAt, updatedAt] = [toStamp(seen.firstAt), toStamp(seen.lastAt)];
  const ids = {
    product: gid('Product', key),
    variant: gid('ProductVariant', key),
    item: gid('InventoryItem', key),
  };
  const available = madeUpStock(sku, seen.recentPieces);
  const item = {
    __typename: 'InventoryItem',
    id: ids.item,
    sku,
    tracked: true,
    requiresShipping: true,
    createdAt,
    updatedAt,
    unitCost: madeUpCost(sku, seen.price),
    variant: { id: ids.variant },
    variants: [{ id: ids.variant }],
    inventoryLevels: [inventoryLevel(key, ids.item, available, createdAt, updatedAt)],
  };
  const variant = {
    __typename: 'ProductVariant',
    id: ids.variant,
    sku,
    title: 'Default Title',
    displayName: title,
    barcode: null,
    price: formatThousandths(seen.price),
    compareAtPrice: null,
    position: 1,
    inventoryQuantity: available,
    inventoryPolicy: 'DENY',
    availableForSale: available > 0,
    sellableOnlineQuantity: available,
    createdAt,
    updatedAt,
    product: { id: ids.product },
    inventoryItem: item,
  };
  const product = {
    __typename: 'Product',
    id: ids.product,
    title,
    handle: `${title} ${sku}`.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
    status: 'ACTIVE',
    vendor: 'Giftware',
    productType: PRODUCT_TYPES.find(([pattern]) => pattern.test(title.toUpperCase()))?.[1] ?? 'Other',
    category: null,
    tags: [],
    isGiftCard: false,
    totalInventory: available,
    tracksInventory: true,
    createdAt,
    updatedAt,
    publishedAt: createdAt,
    onlineStoreUrl: null,
    variants: [variant],
  };
  return { product, variant, item };
}

function inventoryLevel(
  key: number,
  itemId: string,
  available: number,
  createdAt: string,
  updatedAt: string,
): object {
  const quantity = (name: string, pieces: number) => ({
    id: gid('InventoryQuantity', `${key}?name=${name}`),
    name,
    quantity: pieces,
    updatedAt,
  });
  return {
    __typename: 'InventoryLevel',
    id: gid('InventoryLevel', key),
    isActive: true,
    createdAt,
    updatedAt,
    item: { id: itemId },
    location: { id: LOCATION_ID, name: 'Warehouse' },
    quantities: [quantity('available', available), quantity('on_hand', available)],
  };
}

/** Made up, but the same on each run: most codes have stock for some weeks, one in twelve hardly any. */
function madeUpStock(sku: string, recentPieces: number): number {
  const mark = hash(sku);
  if (mark % 12 === 0) return mark % 5;
  return Math.round((recentPieces * (20 + (mark % 120))) / 100) + (mark % 40);
}

/** Made up: for four codes in five a cost of 40 to 65 % of the last price; the rest is unknown. */
function madeUpCost(sku: string, price: number): object | null {
  const mark = hash(`${sku} cost`);
  if (mark % 5 === 0 || price <= 0) return null;
  const percent = 40 + (mark % 26);
  return pounds(Math.round((price * percent) / 1000) * 10);
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 16_777_619);
  return (value ^ (value >>> 15)) >>> 0;
}
