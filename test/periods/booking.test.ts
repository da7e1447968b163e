/** What is booked past the merge: of whom, of which days, and who waits for it. */
import { expect, test } from 'vitest';
import { lockRollup } from '#sql/dirty/marks.ts';
import { freezePeriod } from '#sql/periods/close.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { aConnection, aRetailer, type Shop, twoShops } from '../support/rows/factory.ts';
import { bookedSums, closeAnyway, presentSums } from '../support/rows/periods.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf, roll, rollBrand, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const [APRIL, MAY, JUNE] = ['2024-04-01', '2024-05-01', '2024-06-01'];
const order = (id: string, day: string, total: string, version = '2024-06-30T00:00:00Z') =>
  anOrder({ id, at: `${day}T12:00:00Z`, version, sales: [{ total, quantity: 1 }] });

async function sell(db: TestDb, shop: Shop): Promise<void> {
  await roll({ ...shop, db }, { orders: [order('1', '2024-04-10', '4.00'), order('2', MAY, '5.00')] });
  await rollBrand({ ...shop, db });
}

test('a rebuild books what was deleted of its retailer and days, and leaves the rest to the next closing', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoShops(db);
  const { id: brandId } = shop.brand;
  const retailer = await aRetailer(db, { brandId });
  const second = {
    ...shop,
    retailer,
    connection: await aConnection(db, { brandId, retailerId: retailer.id }),
  };
  for (const one of [shop, second, other]) await sell(db, one);
  for (const { brand } of [shop, other])
    for (const period of [APRIL, MAY]) await closeAnyway(db, { brandId: brand.id, period });
  await db.query('delete from agg.daily_sales');
  const range = { brandId, from: '2024-05-01', to: '2024-05-31' };
  await runTask(rollup, { ...range, retailerId: shop.retailer.id }, db);
  const booked = () =>
    db.rows(
      `select c.period::text, a.retailer_id, sum(a.difference)::text as net
       from ops.period_adjustments a join ops.period_closings c on c.brand_id = a.brand_id and c.id = a.closing_id
       where a.brand_id = $1 and a.rollup = 'daily_sales' and a.column_name = 'gross_sales'
       group by 1, 2 order by 1, a.retailer_id = $2`,
      [brandId, retailer.id],
    );
  expect(await booked()).toEqual([{ period: MAY, retailer_id: shop.retailer.id, net: '0' }]);
  const { rows } = await db.query('select from ops.period_adjustments where brand_id = $1', [other.brand.id]);
  expect(rows).toEqual([]);
  await closeAnyway(db, { brandId, period: JUNE });
  expect(await booked()).toEqual([
    { period: APRIL, retailer_id: shop.retailer.id, net: '-4' },
    { period: APRIL, retailer_id: retailer.id, net: '-4' },
    { period: MAY, retailer_id: shop.retailer.id, net: '0' },
    { period: MAY, retailer_id: retailer.id, net: '-5' },
  ]);
  expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));
});

test('while a closing books, rollups of retailers go on', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  const { id: brandId } = shop.brand;
  await sell(db, shop);
  await closeAnyway(db, { brandId, period: MAY });
  await using ofBrand = await openTransaction(db);
  await lockRollup(ofBrand.tx, brandId, null);
  const closing = closeAnyway(db, { brandId, period: JUNE });
  await untilSomebodyWaitsFor(db, ofBrand);
  await db.transaction((tx) =>
    loadOrders(tx, placeOf(shop), [order('2', MAY, '7.00', '2024-07-01T00:00:00Z')]),
  );
  await rollDirty({ ...shop, db });
  await ofBrand.commit();
  await closing;
  expect(await db.column('select net_sales::text from bi.sales_adjustments')).toEqual(['2']);
  expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));
});

test('a closing that waits for its brand gives up in time, as it does for rollups', async () => {
  await using db = await freshDb();
  const [{ brand }] = await twoShops(db);
  await using going = await openTransaction(db);
  await going.tx.query('select from app.brands where id = $1 for update', [brand.id]);
  const asked = { brandId: brand.id, period: MAY, anyway: 'now', waitSeconds: 1 };
  await expect(db.transaction((tx) => freezePeriod(tx, asked))).rejects.toMatchObject({
    code: 'NS_PERIOD_BUSY',
  });
});
