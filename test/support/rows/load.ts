/** A database with the made-up tables of things.ts and one shop to load them for. */

import { type LoadResult, type LoadTarget, loadItems } from '#sql/load/load.ts';
import type { Deletion, Item, Table } from '#sql/load/table.ts';
import type { NewBrand } from '#sql/tenants/brands.ts';
import { freshDb, type TestDb } from '../db/db.ts';
import { aShop, type Shop } from './factory.ts';
import { at, createThings, thingTables } from './things.ts';

export type LoadBench = AsyncDisposable & {
  db: TestDb;
  shop: Shop;
  load(items: readonly Item[], deletions?: readonly Deletion[]): Promise<LoadResult>;
  /** The row headers of everything stored: equal before and after means that nothing was rewritten. */
  headers(): Promise<unknown[]>;
  /** The days that are marked, each once, oldest first; then forgets them. */
  marked(): Promise<unknown[]>;
};

export async function aLoadBench(brand: Partial<NewBrand> = {}): Promise<LoadBench> {
  const db = await freshDb();
  await createThings(db);
  const shop = await aShop(db, brand);
  return {
    db,
    shop,
    load: (items, deletions) => loadFor(db, shop, items, deletions),
    headers: () => headersOf(db, thingTables),
    marked: async () => {
      const days = await db.column('select distinct day from ops.marks order by day');
      await db.query('delete from ops.marks');
      return days;
    },
    [Symbol.asyncDispose]: db[Symbol.asyncDispose],
  };
}

export function loadFor(
  db: TestDb,
  shop: Shop,
  items: readonly Item[],
  deletions: readonly Deletion[] = [],
): Promise<LoadResult> {
  return db.transaction((tx) => loadItems(tx, targetOf(shop), items, deletions));
}

export function targetOf({ brand, connection }: Shop, target: Partial<LoadTarget> = {}): LoadTarget {
  const now = at('2024-06-01T00:00:00Z');
  return { brandId: brand.id, connectionId: connection.id, tables: thingTables, now, ...target };
}

export function headersOf(db: TestDb, tables: readonly Table[]): Promise<unknown[]> {
  const parts = tables.map(({ name }) => `select '${name}', ctid::text, xmin::text, xmax::text from ${name}`);
  return db.rows(`${parts.join(' union all ')} order by 1, 2`);
}
