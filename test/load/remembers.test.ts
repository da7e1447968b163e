import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';
import { anOrder, type Line, loadOrders, type RawOrder } from '../support/rows/raw_orders.ts';
import { placeOf, rollDirty } from '../support/rows/rolled.ts';

const version = (n: number) => `2024-05-31T00:00:0${n}Z`;
const sales = [{ line: '51', quantity: 1, total: '9.00' }];
const known: Line = { id: '51', variant: '31', product: '900', sku: 'MUG' };
const forgotten: Line = { id: '51', sku: 'MUG' };

const load = (db: TestDb, shop: Shop, order: RawOrder) =>
  db.transaction((tx) => loadOrders(tx, placeOf(shop), [anOrder({ sales, ...order })]));
const stored = (db: TestDb, shop: Shop) =>
  db.rows('select id, variant_id, product_id from raw.shopify_order_lines where brand_id = $1 order by id', [
    shop.brand.id,
  ]);

// Deleting a product empties the references of its order lines, and reading the order again shows that.
test('a line whose product was deleted is still counted for its variant', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  await load(db, shop, { lines: [known], version: version(1) });
  await db.query('delete from ops.marks');
  expect(await load(db, shop, { lines: [forgotten], version: version(2) })).toMatchObject({
    changed: 1, // the version alone
    days: 0,
  });
  expect(await stored(db, shop)).toEqual([{ id: '51', variant_id: '31', product_id: '900' }]);

  const more: Line[] = [forgotten, { id: '52', sku: 'CUSTOM' }];
  expect(await load(db, shop, { lines: more, version: version(3) })).toMatchObject({ changed: 1, days: 1 });
  await rollDirty({ db, ...shop });
  expect(await db.column('select product_key from bi.daily_product_sales')).toEqual(['31']);

  const headers = () => db.rows('select xmin::text, ctid::text from raw.shopify_order_lines order by id');
  const before = await headers();
  expect(await load(db, shop, { lines: more, version: version(3) })).toMatchObject({ changed: 0 });
  expect(await headers()).toEqual(before);
});

test('another variant takes the place of the stored one', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  await load(db, shop, { lines: [known], version: version(1) });
  await load(db, shop, { lines: [{ ...known, variant: '32' }], version: version(2) });
  expect(await stored(db, shop)).toEqual([{ id: '51', variant_id: '32', product_id: '900' }]);
});

test('nothing is remembered of another shop, nor of another line', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  await load(db, one, { lines: [known], version: version(1) });
  await load(db, other, { lines: [forgotten], version: version(1) });
  await load(db, other, { lines: [forgotten, { id: '52' }], version: version(2) });
  expect(await stored(db, other)).toEqual([
    { id: '51', variant_id: null, product_id: null },
    { id: '52', variant_id: null, product_id: null },
  ]);
});
