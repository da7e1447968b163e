import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { twoShops } from '../support/rows/factory.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { roll, rollDirty } from '../support/rows/rolled.ts';

// The first row of each partition has the same place.
test('rows of one brand that are gone take none of another brand with them, in a partitioned table', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  for (const shop of [one, other]) await roll({ ...shop, db }, { orders: [anOrder({ id: '1' })] });
  await db.query(`
    alter table agg.daily_country_sales rename to country_before;
    create table agg.daily_country_sales (like agg.country_before including all) partition by list (brand_id);
    create table agg.country_one partition of agg.daily_country_sales for values in ('${one.brand.id}');
    create table agg.country_other partition of agg.daily_country_sales default;
    insert into agg.daily_country_sales select * from agg.country_before`);
  const brands = () => db.column('select brand_id from agg.daily_country_sales order by brand_id');
  expect(await brands()).toEqual([one.brand.id, other.brand.id].toSorted());
  await db.query(
    `insert into ops.marks (brand_id, subject, retailer_id, day, marked_at)
     select brand_id, 'sales', retailer_id, day, now() from agg.daily_country_sales where brand_id = $1`,
    [one.brand.id],
  );
  await db.query(
    'update app.connections set retailer_id = null, removing_at = now(), held_at = now() where brand_id = $1',
    [one.brand.id],
  );
  await rollDirty({ ...one, db });
  expect(await brands()).toEqual([other.brand.id]);
});
