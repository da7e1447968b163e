/** Which days were told to be final, and to whom. */
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { readToNow, restatementsOf } from '../support/restatements.ts';
import { aConnection, aRetailer, aShop } from '../support/rows/factory.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { roll } from '../support/rows/rolled.ts';

const DAY = '2024-05-01';

const toldOf = (db: TestDb, brandId: string, figures: string) =>
  db.rows(
    `select r.slug as retailer, final_from::text, final_to = (now() at time zone b.time_zone)::date - 1 as is_whole
     from ops.final_days d join app.brands b on b.id = d.brand_id left join app.retailers r on r.id = d.retailer_id
     where d.brand_id = $1 and d.figures = $2 order by r.slug nulls first`,
    [brandId, figures],
  );

test('a sync that reads nothing new tells which days are final: no rollup follows it', async () => {
  await using db = await freshDb();
  const account = await anAccountOf(db, {}, { now: undefined });
  await using _ = account;
  for (const stream of ['charges', 'refunds', 'balance_transactions', 'payouts'])
    await account.sync(stream, { now: undefined });
  expect(await db.column("select count(*)::int from ops.jobs where task = 'rollup'")).toEqual([0]);
  expect(await toldOf(db, account.brandId, 'payments')).toMatchObject([
    { retailer: null, is_whole: true },
    { is_whole: true },
  ]);
});

test('what waits of today, or is of other figures, keeps no day back; a mark of the day does', async () => {
  await using db = await freshDb();
  const shop = { ...(await aShop(db)), db };
  const { id: other } = await aRetailer(db, { brandId: shop.brand.id, slug: 'zz' });
  await aConnection(db, { brandId: shop.brand.id, retailerId: other, name: 'second' });
  await roll(shop, { orders: [anOrder({ at: `${DAY}T12:00:00Z` })] });
  await readToNow(db, shop.brand.id);
  const mark = (subject: string, days: number) =>
    db.query(
      `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
       select id, $2, $3, (now() at time zone time_zone)::date - $4::int, now() from app.brands where id = $1`,
      [shop.brand.id, other, subject, days],
    );
  await mark('sales', 2);
  await roll(shop, {});
  const before = await toldOf(db, shop.brand.id, 'sales');
  expect(before).toMatchObject([{ is_whole: false }, { is_whole: false }, { is_whole: false }]);
  await db.query('delete from ops.marks where retailer_id = $1', [other]);
  await mark('sales', 0);
  await mark('payments', 2);
  await roll(shop, {});
  // Also to the retailer that has no data yet: the first day is that of the brand.
  const told = { final_from: DAY, is_whole: true };
  expect(await toldOf(db, shop.brand.id, 'sales')).toEqual(
    [null, shop.retailer.slug, 'zz'].map((retailer) => ({ retailer, ...told })),
  );
  await roll(shop, { orders: [anOrder({ id: '2', at: `${DAY}T12:00:00Z` })] });
  expect(await restatementsOf(db, shop.brand.id, 'daily_sales')).not.toEqual([]);
});
