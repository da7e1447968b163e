/** Fills in products with their variants, inventory items and levels; and customers, locations, events. */
import { sum } from '../../decimal.ts';
import type { Draft, Place } from '../../ndjson.ts';
import { get, getList, isPlain } from '../../plain.ts';
import type { Bag } from '../bags.ts';
import { derivedId } from '../derive_agreements.ts';
import { gid, type ShopSettings, splitGid } from '../shop.ts';

const LONG_AGO = '2020-01-01T00:00:00Z';
export const DEFAULT_LOCATION: Draft = { id: gid('Location', 1), name: 'Warehouse' };

export function completeProduct(product: Draft): Draft {
  const key = splitGid(String(product.id))?.key ?? '';
  fillTimes(product, LONG_AGO);
  product.title ??= `Product ${key}`;
  product.handle ??= String(product.title)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  product.status ??= 'ACTIVE';
  product.vendor ??= '';
  product.productType ??= '';
  product.tags ??= [];
  product.isGiftCard ??= false;
  product.publishedAt ??= product.createdAt;
  product.category ??= null;
  product.variants ??= [{ id: gid('ProductVariant', key) }];
  const variants = getList(product, 'variants') as Draft[];
  variants.forEach((variant, index) => {
    completeVariant(variant, product, index);
  });
  product.totalInventory ??= variants.reduce(
    (total, variant) => total + Number(variant.inventoryQuantity),
    0,
  );
  product.tracksInventory ??= variants.some((variant) => (variant.inventoryItem as Draft).tracked === true);
  return product;
}

function completeVariant(variant: Draft, product: Draft, index: number): void {
  variant.id ??= derivedId('ProductVariant', product.id, 'variant', index);
  fillTimes(variant, String(product.createdAt), product.updatedAt);
  variant.title ??= 'Default Title';
  variant.displayName ??= `${product.title} - ${variant.title}`;
  variant.sku ??= null;
  variant.barcode ??= null;
  variant.price ??= '0.00';
  variant.compareAtPrice ??= null;
  variant.position ??= index + 1;
  variant.inventoryPolicy ??= 'DENY';
  variant.product = { id: product.id };
  const item = (variant.inventoryItem ?? {}) as Draft;
  item.id ??= gid('InventoryItem', splitGid(String(variant.id))?.key ?? '');
  item.sku ??= variant.sku;
  item.variant = { id: variant.id };
  item.variants = [{ id: variant.id }];
  completeItem(item, variant.createdAt, variant.updatedAt);
  variant.inventoryItem = item;
  variant.inventoryQuantity ??= available(item);
  variant.availableForSale ??= Number(variant.inventoryQuantity) > 0;
}

export function completeItem(item: Draft, createdAt: unknown = LONG_AGO, updatedAt?: unknown): Draft {
  fillTimes(item, String(createdAt), updatedAt);
  item.tracked ??= true;
  item.requiresShipping ??= true;
  item.unitCost ??= null;
  for (const level of getList(item, 'inventoryLevels') as Draft[]) completeLevel(level, item);
  return item;
}

export function completeLevel(level: Draft, item: Draft): Draft {
  const location = (level.location ?? { id: DEFAULT_LOCATION.id }) as Draft;
  level.location = location;
  level.id ??= derivedId('InventoryLevel', item.id, location.id);
  fillTimes(level, String(item.createdAt), item.updatedAt);
  level.isActive ??= true;
  level.item = { id: item.id };
  for (const quantity of getList(level, 'quantities') as Draft[]) {
    quantity.id ??= `${derivedId('InventoryQuantity', level.id)}?name=${quantity.name}`;
    quantity.updatedAt ??= level.updatedAt;
  }
  return level;
}

function available(item: Draft): number {
  const counts = getList(item, 'inventoryLevels').flatMap((level) => {
    return (getList(level, 'quantities') as Draft[]).filter(({ name }) => name === 'available');
  });
  return counts.reduce((total, { quantity }) => total + Number(quantity), 0);
}

export function completeCustomer(customer: Draft, orders: readonly Draft[], shop: ShopSettings): Draft {
  const own = orders.filter(({ customer: buyer }) => isPlain(buyer) && get(buyer, 'id') === customer.id);
  const times = own.map(({ createdAt }) => String(createdAt)).sort();
  fillTimes(customer, times[0] ?? LONG_AGO);
  customer.displayName ??= `Customer ${splitGid(String(customer.id))?.key}`;
  customer.state ??= 'DISABLED';
  customer.locale ??= 'en';
  customer.tags ??= [];
  customer.numberOfOrders ??= String(own.length);
  customer.amountSpent ??= {
    amount: sum(
      '0.0',
      ...own.map(({ currentTotalPriceSet }) => (currentTotalPriceSet as Bag).shopMoney.amount),
    ),
    currencyCode: shop.currency,
  };
  customer.defaultEmailAddress ??= null;
  customer.defaultPhoneNumber ??= null;
  return customer;
}

export function completeLocation(location: Draft): Draft {
  fillTimes(location, LONG_AGO);
  location.name ??= 'Warehouse';
  location.isActive ??= true;
  return location;
}

export function completeEvent(event: Draft, place: Place): Draft {
  event.action ??= place.fail('an event needs "action", such as "destroy"');
  event.subjectId ??= place.fail('an event needs "subjectId"');
  event.createdAt ??= place.fail('an event needs "createdAt"');
  const type = splitGid(String(event.subjectId))?.type ?? '';
  event.subjectType ??= type.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
  event.id ??= derivedId('BasicEvent', event.subjectId, event.action, event.createdAt);
  event.__typename ??= 'BasicEvent';
  event.message ??= '';
  return event;
}

function fillTimes(object: Draft, createdAt: string, updatedAt?: unknown): void {
  object.createdAt ??= createdAt;
  object.updatedAt ??= updatedAt ?? object.createdAt;
}
