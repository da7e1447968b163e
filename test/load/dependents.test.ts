import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';
import { anOrder, aProduct, loadOrders, loadProducts, type RawOrder } from '../support/rows/raw_orders.ts';

async function aShopPair(): Promise<{ db: TestDb; one: Shop; other: Shop } & AsyncDisposable> {
  const db = await freshDb();
  const [one, other] = await twoShops(db);
  return { db, one, other, [Symbol.asyncDispose]: db[Symbol.asyncDispose] };
}

const placeOf = ({ brand, connection }: Shop) => ({ brandId: brand.id, connectionId: connection.id });

/** Loads orders, then names the days that this has marked. */
async function marks(db: TestDb, shop: Shop, orders: RawOrder[], gone: string[] = []): Promise<unknown[]> {
  await db.query('delete from ops.marks');
  const deletions = gone.map((id) => ({ id, deletedAt: new Date('2024-06-01T00:00:00Z') }));
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), orders.map(anOrder), deletions));
  return db.column('select distinct day from ops.marks order by day');
}

const on = (day: number, hour = 10) => `2024-05-${String(day).padStart(2, '0')}T${hour}:00:00Z`;
const version = (n: number) => `2024-05-31T00:00:0${n}Z`;

test('an order that comes before the first one of its customer marks the day of that one too', async () => {
  await using pair = await aShopPair();
  const { db, one } = pair;
  expect(await marks(db, one, [{ id: '20', customer: 'c', at: on(20) }])).toEqual(['2024-05-20']);
  expect(await marks(db, one, [{ id: '10', customer: 'c', at: on(10) }])).toEqual([
    '2024-05-10',
    '2024-05-20',
  ]);
  // Neither a later one nor one of somebody else changes who was first.
  expect(await marks(db, one, [{ id: '25', customer: 'c', at: on(25) }])).toEqual(['2024-05-25']);
  expect(await marks(db, one, [{ id: '5', customer: 'd', at: on(5) }])).toEqual(['2024-05-05']);
  expect(await marks(db, one, [{ id: '6', customer: null, at: on(6) }])).toEqual(['2024-05-06']);
});

test('an order that changes hands marks the first days of both customers', async () => {
  await using pair = await aShopPair();
  const { db, one } = pair;
  await marks(db, one, [
    { id: '10', customer: 'a', at: on(10) },
    { id: '15', customer: 'a', at: on(15) },
    { id: '20', customer: 'b', at: on(20) },
  ]);
  const moved = { id: '10', customer: 'b', at: on(10), version: version(1) };
  // The 15th has now the first order of a, and the 20th no longer that of b.
  expect(await marks(db, one, [moved])).toEqual(['2024-05-10', '2024-05-15', '2024-05-20']);
});

test('a first order that stops counting or is deleted marks the day of the next one', async () => {
  await using pair = await aShopPair();
  const { db, one } = pair;
  const orders = [10, 15, 20].map((day) => ({ id: String(day), customer: 'a', at: on(day) }));
  await marks(db, one, orders);
  const isTest = { id: '10', customer: 'a', at: on(10), version: version(1), test: true };
  expect(await marks(db, one, [isTest])).toEqual(['2024-05-10', '2024-05-15']);
  expect(await marks(db, one, [], ['15'])).toEqual(['2024-05-15', '2024-05-20']);
});

test('of orders of one instant the smaller number is first, as a number', async () => {
  await using pair = await aShopPair();
  const { db, one } = pair;
  await marks(db, one, [{ id: '10', customer: 'a', at: on(10) }]);
  // 9 takes its place on the same day, which is marked for itself.
  expect(await marks(db, one, [{ id: '9', customer: 'a', at: on(10) }])).toEqual(['2024-05-10']);
  const later = { id: '9', customer: 'a', at: on(12), version: version(1) };
  expect(await marks(db, one, [later])).toEqual(['2024-05-10', '2024-05-12']);
});

test('customers with equal ids in two shops have first orders of their own', async () => {
  await using pair = await aShopPair();
  const { db, one, other } = pair;
  await marks(db, other, [{ id: '20', customer: 'c', at: on(20) }]);
  expect(await marks(db, one, [{ id: '10', customer: 'c', at: on(10) }])).toEqual(['2024-05-10']);
  expect(await db.column('select distinct brand_id from ops.marks')).toEqual([one.brand.id]);
});

test('a cost marks the days on which its variant was sold while it held', async () => {
  await using pair = await aShopPair();
  const { db, one, other } = pair;
  const sold = (id: string, day: number, variant: string) => ({
    ...{ id, at: on(day), lines: [{ id: `${id}1`, variant }] },
    sales: [{ total: '10.00', quantity: 1, line: `${id}1` }],
  });
  for (const shop of [one, other]) {
    await marks(db, shop, [sold('1', 5, 'v'), sold('2', 10, 'v'), sold('3', 20, 'v'), sold('4', 21, 'w')]);
  }
  const costing = async (n: number, ...costs: { from: string; cost: string | null }[]) => {
    await db.query('delete from ops.marks');
    const product = aProduct({ variant: 'v', version: version(n), title: `Mug ${n}`, costs });
    await db.transaction((tx) => loadProducts(tx, placeOf(one), [product]));
    return db.column('select distinct day from ops.marks where day is not null order by day');
  };
  expect(await costing(1, { from: on(8), cost: '4' })).toEqual(['2024-05-10', '2024-05-20']);
  expect(await costing(2, { from: on(15), cost: '5' })).toEqual(['2024-05-20']);
  // The same cost seen again, or another title, is nothing to a sale.
  expect(await costing(3, { from: on(18), cost: '5.0' })).toEqual([]);
  expect(await costing(4)).toEqual([]);
  // Corrected where it stands: only what was sold while it held.
  expect(await costing(5, { from: on(8), cost: '3' })).toEqual(['2024-05-10']);
  expect(await db.rows('select from ops.marks where brand_id = $1', [other.brand.id])).toEqual([]);
});
