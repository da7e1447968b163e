/** What is logged of days that were final, and why it says they changed: by hand. */
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { readToNow, restatementsOf } from '../support/restatements.ts';
import { aShop } from '../support/rows/factory.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { roll } from '../support/rows/rolled.ts';

const DAY = '2024-05-01';
const first = { id: '1', at: `${DAY}T12:00:00Z`, sales: [{ total: '10.00', quantity: 1 }] };
const back = { reason: 'REFUND', action: 'RETURN', at: `${DAY}T18:00:00Z`, quantity: -1, total: '-4.00' };

async function aFinalShop(db: TestDb) {
  const shop = { ...(await aShop(db)), db };
  await roll(shop, { orders: [anOrder(first)] });
  expect(await restatementsOf(db, shop.brand.id)).toEqual([]);
  await readToNow(db, shop.brand.id);
  await roll(shop, {});
  expect(
    await db.rows(
      'select figures, final_from::text from ops.final_days where brand_id = $1 and retailer_id = $2 and figures in ($$sales$$, $$product_sales$$) order by 1',
      [shop.brand.id, shop.retailer.id],
    ),
  ).toEqual([
    { figures: 'product_sales', final_from: DAY },
    { figures: 'sales', final_from: DAY },
  ]);
  return shop;
}

test('a refund, another order and an edit that come after a day was final say so; the same again says nothing', async () => {
  await using db = await freshDb();
  const shop = await aFinalShop(db);
  const tally = await roll(shop, {
    orders: [anOrder({ ...first, version: '2024-05-02T00:00:00Z', sales: [...first.sales, back] })],
  });
  const cell = { retailer: shop.retailer.slug, figure: 'daily_sales', day: DAY, cause: 'late_refund' };
  expect(await restatementsOf(db, shop.brand.id, 'daily_sales')).toEqual([
    { ...cell, column_name: 'returns', old: '0', new: '4' },
    { ...cell, column_name: 'units_returned', old: '0', new: '1' },
  ]);
  expect(tally).toMatchObject({ restated: 7 });
});
