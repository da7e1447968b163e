/** What moved the stock, on which day: cases that are computed by hand. */
import { expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { freshDb } from '../support/db/db.ts';
import { runTask } from '../support/run.ts';
import { aStore, sold } from '../support/stock.ts';

test('each movement has its day and its cause, and adds up to the level', async () => {
  await using db = await freshDb();
  const [store, other] = [await aStore(db), await aStore(db)];
  for (const { read } of [store, other]) await read('7', { at: '2026-03-02T09:00:00Z', available: 20 });
  await store.orders([
    sold('1', '2026-03-01T12:00:00Z', '7', 5), // before the first reading: it is in it
    sold('2', '2026-03-03T10:00:00Z', '7', 2, [
      { at: '2026-03-05T10:00:00Z', quantity: 1, restocked: 1 },
      { at: '2026-03-05T11:00:00Z', quantity: 1, restocked: 0 }, // broken
    ]),
    sold('3', '2026-03-04T23:50:00Z', '7', 3),
    sold('4', '2026-03-05T00:10:00Z', '7', 1),
    sold('5', '2026-03-09T10:00:00Z', '7', 4), // after the last reading
  ]);
  // One reading of both orders around midnight; then the return, a delivery of 30, and two that were set aside.
  await store.read('7', { at: '2026-03-05T00:10:00Z', available: 14, unavailable: 0 });
  await store.read('7', { at: '2026-03-06T10:00:00Z', available: 43, unavailable: 2 });
  await store.roll();
  expect(await store.days()).toEqual([
    '2026-03-02: 20 opening = 20',
    '2026-03-03: -2 order = 18',
    '2026-03-04: -3 order = 15',
    '2026-03-05: -1 order, 1 return = 15',
    '2026-03-06: -2 adjustment, 30 unknown = 43',
  ]);
  await other.roll();
  expect(await other.days()).toEqual(['2026-03-02: 20 opening = 20']);

  // The reading that contains it comes later; nothing is counted twice.
  await store.read('7', { at: '2026-03-09T10:00:00Z', available: 39, unavailable: 2 });
  expect(await store.roll()).toMatchObject([{ written: 2, deleted: 0 }, { written: 0 }]);
  expect((await store.days()).slice(-1)).toEqual(['2026-03-09: -4 order = 39']);
  expect(await store.roll()).toMatchObject([{ written: 0, deleted: 0 }, { written: 0 }]);
  const [wholes] = await db.rows(
    `select sum(m.quantity)::int as movements, max(s.available)::int as available
     from bi.stock_movements m join bi.stock s using (brand_id, retailer_id, variant_id) where m.brand_id = $1`,
    [store.brandId],
  );
  expect(wholes).toEqual({ movements: 39, available: 39 });
});

test('an order that comes late is taken from what nobody could explain, on the days that it moves alone', async () => {
  await using db = await freshDb();
  const store = await aStore(db);
  await store.read('7', { at: '2026-03-02T09:00:00Z', available: 20 });
  await store.read('7', { at: '2026-03-04T09:00:00Z', available: 17 });
  await store.read('8', { at: '2026-03-04T09:00:00Z', available: 5 });
  await store.roll();
  const before = ['2026-03-02: 20 opening = 20', '2026-03-04: -3 unknown = 17', '2026-03-04: 5 opening = 5'];
  expect(await store.days()).toEqual(before);

  // Its own day is rebuilt first, which takes the mark: the variant was read on other days.
  await store.orders([sold('1', '2026-03-03T10:00:00Z', '7', 2)]);
  const { brandId, retailerId } = store.uk;
  await runTask(rollup, { brandId, retailerId, from: '2026-03-03', to: '2026-03-03' }, db);
  await store.roll();
  expect(await store.days()).toEqual([
    ...['2026-03-02: 20 opening = 20', '2026-03-03: -2 order = 18', '2026-03-04: -1 unknown = 17'],
    '2026-03-04: 5 opening = 5',
  ]);
  // Another version of it sold nothing of this: what was explained is unknown again.
  await store.orders([{ ...sold('1', '2026-03-03T10:00:00Z', '8', 2), version: '2026-03-10T00:00:00Z' }]);
  await store.roll();
  expect(await store.days()).toEqual(before);
});

test('negative levels, edits, the day of a clock change, and what is no longer counted or there', async () => {
  await using db = await freshDb();
  const store = await aStore(db);
  await store.read('7', { at: '2026-03-28T09:00:00Z', available: null }); // not counted yet
  await store.read('7', { at: '2026-03-28T10:00:00Z', available: 1 });
  await store.orders([
    // 23:30 and 00:30 of London's short day, the second one in UTC+1
    sold('1', '2026-03-28T23:30:00Z', '7', 2, [
      { at: '2026-03-29T23:30:00Z', quantity: 1, reason: 'ORDER_EDIT' },
    ]),
  ]);
  await store.read('7', { at: '2026-03-28T23:30:00Z', available: -1 });
  await store.read('7', { at: '2026-03-29T23:30:00Z', available: 0 });
  await store.read('7', { at: '2026-03-31T10:00:00Z', available: 6 });
  await store.roll();
  const [first, ...days] = await store.days();
  expect([first, ...days]).toEqual([
    '2026-03-28: 1 opening, -2 order = -1',
    '2026-03-30: 1 order = 0',
    '2026-03-31: 6 unknown = 6',
  ]);
  // Nobody counts it: orders move nothing.
  await store.read('7', { at: '2026-04-01T10:00:00Z', available: null });
  await store.orders([sold('2', '2026-04-02T10:00:00Z', '7', 2)]);
  await store.read('7', { at: '2026-04-03T10:00:00Z', available: 4 });
  await store.remove('7', '2026-04-04T10:00:00Z');
  await store.roll();
  expect((await store.days()).slice(-3)).toEqual([
    '2026-04-01: -6 adjustment = 0',
    '2026-04-03: 4 adjustment = 4',
    '2026-04-04: -4 adjustment = 0',
  ]);
  expect(await db.rows('select * from bi.stock')).toEqual([]);
});

test('low stock, days of stock and sell-through', async () => {
  await using db = await freshDb();
  const store = await aStore(db);
  for (const [variant, available] of Object.entries({ 7: 14, 8: 0, 9: -2, 10: 50 }))
    await store.read(variant, { at: '2026-03-30T00:00:00Z', available });
  await store.read('7', { at: '2026-03-30T00:00:00Z', available: 100 }, store.ie);
  await store.orders([
    sold('1', '2026-03-02T23:59:00Z', '7', 100), // the 29th day before the last
    sold('2', '2026-03-03T00:00:00Z', '7', 7),
    sold('3', '2026-03-30T00:00:00Z', '7', 7),
    sold('4', '2026-03-29T00:00:00Z', '8', 3),
    sold('5', '2026-03-29T00:00:00Z', '9', 3),
    sold('6', '2062-01-01T00:00:00Z', '9', 3), // its clock is wrong
  ]);
  await db.query(
    `insert into app.reorder_points (brand_id, retailer_id, sku, quantity)
     values ($1, null, 'SKU-7', 14), ($1, $2, 'SKU-7', 5), ($1, null, 'SKU-10', 49)`,
    [store.brandId, store.ie.retailerId],
  );
  await store.roll();
  const rows = await db.rows(
    `select retailer, sku, available::int, reorder_point, is_low, days_of_stock::text, sell_through::text, as_of::text
     from bi.stock where brand_id = $1 order by retailer, variant_id::int`,
    [store.brandId],
  );
  const row = (retailer: string, sku: string, available: number, more: object = {}) => ({
    ...{ retailer, sku: `SKU-${sku}`, available, reorder_point: null, is_low: false },
    ...{ days_of_stock: null, sell_through: '0.0000', as_of: '2026-03-30', ...more },
  });
  expect(rows).toEqual([
    row('ie', '7', 100, { reorder_point: 5 }),
    row('uk', '7', 14, { reorder_point: 14, is_low: true, days_of_stock: '28.0', sell_through: '0.5000' }),
    row('uk', '8', 0, { days_of_stock: '0.0', sell_through: '1.0000' }),
    row('uk', '9', -2, { days_of_stock: '0.0', sell_through: '1.0000' }),
    row('uk', '10', 50, { reorder_point: 49 }),
  ]);
});
