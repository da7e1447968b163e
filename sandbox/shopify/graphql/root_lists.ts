import { createHash } from 'node:crypto';
import { get, type Plain } from '../../plain.ts';
import { makeFilter, type SearchWarning } from '../search/filter.ts';
import type { RootList, Shop } from '../shop.ts';
import { comparePlaces, type PageRequest, placeOf } from './connection.ts';
import type { Args } from './fields.ts';

/** Without `read_all_orders` an app sees this many days of orders, and nothing says so. */
const ORDER_WINDOW_MS = 60 * 24 * 3_600_000;
const SELECTIONS_KEPT_MAX = 12;

export type Selection = { rows: readonly Plain[]; warnings: SearchWarning[]; request: PageRequest };

const SORT_FIELDS: Readonly<Record<string, string>> = {
  ID: 'id',
  CREATED_AT: 'createdAt',
  UPDATED_AT: 'updatedAt',
  PROCESSED_AT: 'processedAt',
  NAME: 'name',
  TITLE: 'title',
  SKU: 'sku',
  VENDOR: 'vendor',
};

const kept = new WeakMap<Shop, Map<string, Selection>>();

/** The rows of a root connection that fit its arguments, in their order. Kept between pages. */
export function selectRows(shop: Shop, list: RootList, args: Args, now: number): Selection {
  const order = orderKey(list, args);
  const selections = kept.get(shop) ?? new Map<string, Selection>();
  kept.set(shop, selections);
  const key = `${order}@${shop.scopes.includes('read_all_orders') ? '' : Math.floor(now / 60_000)}`;
  const found = selections.get(key) ?? select(shop, list, args, now, order);
  selections.set(key, found);
  const [oldest] = selections.keys();
  if (selections.size > SELECTIONS_KEPT_MAX && oldest !== undefined) selections.delete(oldest);
  return { ...found, request: { ...found.request, args } };
}

function select(shop: Shop, list: RootList, args: Args, now: number, order: string): Selection {
  const { matches, warnings } = makeFilter(list, asText(args.query), shop.zone);
  const sortField = SORT_FIELDS[asText(args.sortKey) ?? 'ID'] ?? 'id';
  const reverse = args.reverse === true;
  const places = shop.lists[list]
    .filter((row) => (list !== 'orders' || isVisible(shop, row, now)) && matches(row))
    .map((row) => ({ row, place: placeOf(row, sortField) }))
    .sort((left, right) => comparePlaces(left.place, right.place));
  if (reverse) places.reverse();
  return { rows: places.map(({ row }) => row), warnings, request: { args, order, sortField, reverse } };
}

export function isVisible(shop: Shop, order: Plain, now: number): boolean {
  if (shop.scopes.includes('read_all_orders')) return true;
  return Date.parse(String(get(order, 'createdAt'))) >= now - ORDER_WINDOW_MS;
}

function orderKey(list: string, { query, sortKey, reverse }: Args): string {
  const text = JSON.stringify([list, query ?? '', sortKey ?? '', reverse === true]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
