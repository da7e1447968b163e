import { type GraphQLNamedType, isAbstractType, isEnumType, isScalarType } from 'graphql';
import { get, getList, isPlain, type Plain } from '../../plain.ts';
import { type Shop, splitGid } from '../shop.ts';
import { type AnyField, objectType, shapeOf } from './schema.ts';

export type Args = Readonly<Record<string, unknown>>;
const NO_ARGS: Args = {};

/**
 * The value of a field as the data have it, before paging: the object's own, else that of the full
 * object behind a reference (`{ id }`), else what follows from other fields, else an empty default
 * where the schema allows no null. graphql-js and the compiled bulk path both read through here.
 */
export function readField(shop: Shop, object: Plain, field: AnyField, args: Args = NO_ARGS): unknown {
  const own = get(object, field.name);
  const value = own === undefined ? readBehind(shop, object, field) : own;
  return Array.isArray(value) ? narrowList(value, field, args) : value;
}

function readBehind(shop: Shop, object: Plain, field: AnyField): unknown {
  const id = get(object, 'id');
  const full = typeof id === 'string' ? shop.find(id) : undefined;
  const value = full && full !== object ? get(full, field.name) : undefined;
  if (value !== undefined) return value;
  return derive(shop, full ?? object, field) ?? emptyValue(shop, field);
}

function derive(shop: Shop, object: Plain, field: AnyField): unknown {
  const id = get(object, 'id');
  if (field.name === 'legacyResourceId' && typeof id === 'string') return splitGid(id)?.key;
  const { named, rowType } = shapeOf(field);
  // Deprecated plain money beside its bag: `totalPrice` follows from `totalPriceSet`.
  const bag = get(object, `${field.name}Set`);
  if (isPlain(bag)) {
    const money = get(bag, 'shopMoney');
    if (isPlain(money)) return named.name === 'MoneyV2' ? money : get(money, 'amount');
  }
  if (named.name === 'Count') {
    const list = field.name.replace(/Count$/, '');
    return { count: getList(object, list).length, precision: 'EXACT' };
  }
  if (field.name === 'orders' && rowType?.name === 'Order') return ordersOf(shop, id);
  return undefined;
}

function ordersOf(shop: Shop, customerId: unknown): Plain[] {
  return shop.lists.orders.filter((order) => {
    const customer = get(order, 'customer');
    return isPlain(customer) && get(customer, 'id') === customerId;
  });
}

function emptyValue(shop: Shop, field: AnyField): unknown {
  const { named, rowType, isList, isRequired } = shapeOf(field);
  if (rowType) return [];
  if (!isRequired) return null;
  if (isList) return [];
  if (named.name === 'MoneyBag') return zeroBag(shop.currency);
  if (named.name === 'MoneyV2') return { amount: '0.0', currencyCode: shop.currency };
  if (isScalarType(named)) return EMPTY_SCALARS[named.name] ?? null;
  if (isEnumType(named) && named.name === 'CurrencyCode') return shop.currency;
  return null;
}

const EMPTY_SCALARS: Readonly<Record<string, unknown>> = {
  Boolean: false,
  Int: 0,
  Float: 0,
  String: '',
  UnsignedInt64: '0',
  Decimal: '0.0',
  Money: '0.0',
};

export function zeroBag(currency: string): Plain {
  const zero = { amount: '0.0', currencyCode: currency };
  return { shopMoney: zero, presentmentMoney: zero };
}

/** Arguments that choose among a plain list; connections are paged elsewhere. */
function narrowList(list: Plain[], field: AnyField, args: Args): Plain[] {
  if (shapeOf(field).rowType) return list;
  const { first, names } = args;
  if (Array.isArray(names)) return names.map((name) => quantityNamed(list, name));
  return typeof first === 'number' ? list.slice(0, first) : list;
}

/** Shopify answers each asked name of `InventoryLevel.quantities`, in the asked order. */
function quantityNamed(list: Plain[], name: unknown): Plain {
  const found = list.find((entry) => get(entry, 'name') === name);
  const quantity = name === 'on_hand' ? inHand(list) : 0;
  return found ?? { id: `gid://shopify/InventoryQuantity/0?name=${name}`, name, quantity, updatedAt: null };
}

/** The sum of everything else that is there. */
function inHand(list: Plain[]): number {
  const there = list.filter((entry) => get(entry, 'name') !== 'incoming');
  return there.reduce((sum, entry) => sum + Number(get(entry, 'quantity')), 0);
}

/** The concrete type of an object where the schema gives only an interface or a union. */
export function typeNameOf(object: Plain, abstract: GraphQLNamedType): string {
  const named = get(object, '__typename');
  if (typeof named === 'string') return named;
  const id = get(object, 'id');
  const type = typeof id === 'string' ? splitGid(id)?.type : undefined;
  if (type && objectType(type)) return type;
  throw new Error(
    `The data do not say which ${isAbstractType(abstract) ? abstract.name : 'type'} this is; give "__typename".`,
  );
}
