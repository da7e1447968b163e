/** A shop whose orders are loaded and rolled up as in production, for tests of figures. */
import type { Item } from '#sql/load/table.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../db/db.ts';
import { runTask } from '../run.ts';
import { aShop, type Shop } from './factory.ts';
import { loadOrders, loadProducts, type Place } from './raw_orders.ts';

export type RolledShop = Shop & { place: Place; db: TestDb } & AsyncDisposable;

export async function aRolledShop(brand: Parameters<typeof aShop>[1] = {}): Promise<RolledShop> {
  const db = await freshDb();
  const shop = await aShop(db, brand);
  return { ...shop, db, place: placeOf(shop), [Symbol.asyncDispose]: db[Symbol.asyncDispose] };
}

export function placeOf({ brand, connection }: Shop): Place {
  return { brandId: brand.id, connectionId: connection.id };
}

type Given = { orders?: readonly Item[]; products?: readonly Item[] };

/** Loads, then rolls up what became dirty. */
export async function roll(shop: Shop & { db: TestDb }, { orders = [], products = [] }: Given) {
  await shop.db.transaction(async (tx) => {
    await loadOrders(tx, placeOf(shop), orders);
    await loadProducts(tx, placeOf(shop), products);
  });
  return rollDirty(shop);
}

export function rollDirty({ db, brand, retailer }: Shop & { db: TestDb }) {
  return runTask(rollup, { brandId: brand.id, retailerId: retailer.id }, db);
}

/** The brand's own figures, as the job does it that is queued beside. */
export function rollBrand({ db, brand }: Pick<Shop, 'brand'> & { db: TestDb }) {
  return runTask(rollup, { brandId: brand.id, retailerId: null }, db);
}

/** The rows of a `bi` view, with these columns only. */
export function figures(db: TestDb, view: string, columns: string): Promise<Record<string, unknown>[]> {
  return db.rows(`select ${columns} from bi.${view} order by retailer, day, currency`);
}
