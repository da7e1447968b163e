/** A brand with two shops whose stock is read and sold. */
import { costsOfSales } from '#connectors/shopify/invalidations.ts';
import {
  products,
  productTables,
  stockReadings,
  variants,
} from '#connectors/shopify/streams/product_rows.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Deletion } from '#sql/load/table.ts';
import { dailyStock } from '#sql/rollups/stock/daily_stock.ts';
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from './db/db.ts';
import { assertExplained } from './explain/law.ts';
import { aBrand, aConnection, aRetailer } from './rows/factory.ts';
import { anOrder, loadOrders, type RawOrder } from './rows/raw_orders.ts';
import { runTask } from './run.ts';

export type Reading = {
  at: string;
  available: number | null;
  unavailable?: number | null;
  /** Version of the product; that of the reading if not said. */
  version?: string;
};

export async function aStore(db: TestDb, zone = 'Europe/London') {
  const { id: brandId, slug: brand } = await aBrand(db, { timeZone: zone });
  const shops = [];
  for (const slug of ['uk', 'ie']) {
    const { id: retailerId } = await aRetailer(db, { brandId, slug });
    const { id: connectionId } = await aConnection(db, { brandId, retailerId, name: `shop-${slug}` });
    shops.push({ brandId, retailerId, connectionId });
  }
  const [uk, ie] = shops as [(typeof shops)[0], (typeof shops)[0]];
  const loadProduct = (
    place: { brandId: string; connectionId: string },
    items: Parameters<typeof loadItems>[2],
    gone: readonly Deletion[] = [],
  ) => {
    const target = { ...place, tables: productTables, dependents: [costsOfSales], now: new Date() };
    return db.transaction((tx) => loadItems(tx, target, items, gone));
  };
  return {
    ...{ db, brand, brandId, uk, ie },
    /** A product with one variant of the same id. */
    read(variant: string, reading: Reading, shop = uk) {
      const { at, available, unavailable = null, version = at } = reading;
      const number = (value: number | null) => (value === null ? null : String(value));
      return loadProduct(shop, [
        {
          id: variant,
          changedAt: new Date(version),
          rows: {
            [products.name]: [
              {
                ...{
                  id: variant,
                  title: `Thing ${variant}`,
                  status: 'ACTIVE',
                  vendor: null,
                  product_type: null,
                },
                ...{ category: null, created_at: new Date(0), payload: null },
              },
            ],
            [variants.name]: [
              {
                ...{ id: variant, product_id: variant, sku: `SKU-${variant}`, title: 'Blue', price: '10' },
                ...{ inventory_item_id: null, inventory_quantity: null, payload: null },
              },
            ],
            [stockReadings.name]: [
              {
                ...{ id: variant, valid_from: new Date(at), product_id: variant, payload: null },
                ...{ available: number(available), unavailable: number(unavailable) },
              },
            ],
          },
        },
      ]);
    },
    remove: (variant: string, at: string, shop = uk) =>
      loadProduct(shop, [], [{ id: variant, deletedAt: new Date(at) }]),
    orders: (given: readonly RawOrder[], shop = uk) =>
      db.transaction((tx) => loadOrders(tx, shop, given.map(anOrder))),
    async roll() {
      const tallies = [];
      for (const { retailerId } of [uk, ie]) tallies.push(await runTask(rollup, { brandId, retailerId }, db));
      await assertExplained(db, brandId, { rollups: [dailyStock] });
      return tallies;
    },
    /** As `day: what moved = level`. */
    async days(shop = uk) {
      const rows = await db.rows<{ text: string }>(
        `select d.day || ': ' || coalesce((
             select string_agg(m.quantity || ' ' || m.kind, ', ' order by m.kind) from bi.stock_movements m
             where m.brand_id = d.brand_id and m.retailer_id = d.retailer_id and m.variant_id = d.variant_id and m.day = d.day
           ), 'nothing') || ' = ' || d.level as text
         from bi.daily_stock d where d.brand_id = $1 and d.retailer_id = $2 order by d.variant_id, d.day`,
        [brandId, shop.retailerId],
      );
      return rows.map(({ text }) => text);
    },
  };
}

export type Store = Awaited<ReturnType<typeof aStore>>;

/** An order of pieces of one variant, and what came of it. */
export function sold(
  id: string,
  at: string,
  variant: string,
  quantity: number,
  later: readonly { at: string; quantity: number; reason?: string; restocked?: number }[] = [],
): RawOrder {
  const line = `${id}1`;
  return {
    ...{ id, at, version: later.map((one) => one.at).reduce((last, one) => (one > last ? one : last), at) },
    lines: [{ id: line, variant }],
    sales: [
      { line, quantity, total: '10.00' },
      ...later.map(({ reason = 'REFUND', ...back }) => ({
        ...{ line, reason, action: reason === 'REFUND' ? 'RETURN' : 'UPDATE', total: '-10.00' },
        ...{ ...back, quantity: -back.quantity },
      })),
    ],
  };
}
