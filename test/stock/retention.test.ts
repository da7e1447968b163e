import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { runRetention } from '../support/rows/retention.ts';
import { aStore, sold } from '../support/stock.ts';

test('readings of more than a year ago are rolled up into an opening level, by months', async () => {
  await using db = await freshDb();
  const [store, other] = [await aStore(db), await aStore(db)];
  for (const { read, orders } of [store, other]) {
    await read('7', { at: '2025-01-10T09:00:00Z', available: 20 });
    await read('7', { at: '2025-02-28T23:59:59Z', available: 15 });
    await read('7', { at: '2025-03-01T00:00:00Z', available: 12 });
    await read('7', { at: '2025-04-02T09:00:00Z', available: 30 });
    await read('8', { at: '2025-01-10T09:00:00Z', available: 3 }); // the only one that tells what there is
    await orders([sold('1', '2025-03-20T09:00:00Z', '7', 2), sold('2', '2025-02-20T09:00:00Z', '7', 1)]);
  }
  await store.roll();
  const sums = () =>
    db.rows(
      `select s.sku, s.available::int, sum(m.quantity)::int as movements
       from bi.stock s join bi.stock_movements m using (brand_id, retailer_id, variant_id)
       where s.brand_id = $1 group by 1, 2 order by 1`,
      [store.brandId],
    );
  const whole = await sums();
  expect(whole).toEqual([
    { sku: 'SKU-7', available: 30, movements: 30 },
    { sku: 'SKU-8', available: 3, movements: 3 },
  ]);

  const run = () => runRetention(db, '2026-03-15T12:00:00Z');
  expect(await run()).toMatchObject({ history: 2 }); // of each brand the one of January 10th
  expect(await run()).toMatchObject({ history: 0 });
  const marked = "select count(*)::int from ops.marks where subject = 'stock' and brand_id = $1";
  expect(await db.column(marked, [store.brandId])).toEqual([1]);
  const jobs = `select payload ->> 'retailerId' from graphile_worker._private_jobs
    where payload ->> 'retailerId' = any ($1) order by 1`;
  const retailers = [store.uk.retailerId, other.uk.retailerId].sort();
  expect(await db.column(jobs, [retailers])).toEqual(retailers);
  await store.roll();
  expect(await store.days()).toEqual([
    ...['2025-02-28: 15 opening = 15', '2025-03-01: -3 unknown = 12', '2025-03-20: -2 order = 10'],
    ...['2025-04-02: 20 unknown = 30', '2025-01-10: 3 opening = 3'],
  ]);
  expect(await sums()).toEqual(whole);
});
