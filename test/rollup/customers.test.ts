/** Counted orders, their customers, and what stays apart: shops, retailers, brands. */
import { expect, test } from 'vitest';
import { aConnection, aRetailer, aShop } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, placeOf, roll, rollDirty } from '../support/rows/rolled.ts';

test('an order counts by the pieces of goods that it was placed with', async () => {
  await using shop = await aRolledShop();
  const orders = [
    anOrder({ id: '1' }),
    anOrder({ id: '2', sales: [{ type: 'GIFT_CARD', quantity: 1, total: '50.00' }] }),
    anOrder({ id: '3', sales: [{ quantity: 0, total: '0.00' }] }),
    anOrder({ id: '4', sales: [{ reason: 'ORDER_EDIT', quantity: 1, total: '5.00' }] }),
    anOrder({ id: '5', sales: [{ quantity: 1, total: '0.00' }] }),
  ];
  await roll(shop, { orders });
  expect(await figures(shop.db, 'daily_sales', 'orders, guest_orders, units, gross_sales')).toEqual([
    { orders: 2, guest_orders: 2, units: 3, gross_sales: '15' },
  ]);
});

test('the average order value is that of orders as they were placed', async () => {
  await using shop = await aRolledShop();
  const orders = [
    anOrder({ id: '1', sales: [{ quantity: 1, total: '12.00', tax: '2.00', discount: '5.00' }] }),
    anOrder({ id: '2', sales: [{ quantity: 1, total: '10.01' }] }),
    anOrder({
      id: '3',
      sales: [
        { quantity: 1, total: '0' },
        { reason: 'ORDER_EDIT', quantity: 1, total: '99' },
      ],
    }),
    anOrder({
      id: '4',
      at: '2024-05-02T12:00:00Z',
      sales: [{ reason: 'ORDER_EDIT', quantity: 1, total: '9' }],
    }),
  ];
  await roll(shop, { orders });
  expect(await figures(shop.db, 'daily_sales', 'orders, average_order_value')).toEqual([
    { orders: 3, average_order_value: '6.67' }, // (10.00 + 10.01 + 0) / 3
    { orders: 0, average_order_value: null },
  ]);
});

test('a customer is new on the day of the first counted order, and returning otherwise', async () => {
  await using shop = await aRolledShop();
  const orders = [
    anOrder({ id: '1', customer: '7', at: '2024-05-01T09:00:00Z' }),
    anOrder({ id: '2', customer: '7', at: '2024-05-01T10:00:00Z' }),
    anOrder({ id: '3', customer: '7', at: '2024-05-02T10:00:00Z' }),
    anOrder({ id: '4', customer: '7', at: '2024-05-02T11:00:00Z' }),
    anOrder({ id: '5', customer: '8', at: '2024-05-02T11:00:00Z' }),
    anOrder({ id: '6', customer: '9', at: '2024-05-01T11:00:00Z', test: true }),
    anOrder({ id: '7', customer: '9', at: '2024-05-02T11:00:00Z' }),
    anOrder({ id: '8', at: '2024-05-02T11:00:00Z' }),
  ];
  await roll(shop, { orders });
  const columns = 'orders, new_customers, returning_customers, guest_orders';
  expect(await figures(shop.db, 'daily_sales', columns)).toEqual([
    { orders: 2, new_customers: 1, returning_customers: 0, guest_orders: 0 },
    { orders: 5, new_customers: 2, returning_customers: 1, guest_orders: 1 },
  ]);
});

test('of orders of one instant the one with the smaller number is first: 9 before 10', async () => {
  await using shop = await aRolledShop();
  const orders = [
    anOrder({ id: '10', customer: '7', currency: 'EUR' }),
    anOrder({ id: '9', customer: '7', currency: 'GBP' }),
  ];
  await roll(shop, { orders });
  expect(await figures(shop.db, 'daily_sales', 'currency, new_customers, returning_customers')).toEqual([
    { currency: 'EUR', new_customers: 0, returning_customers: 1 },
    { currency: 'GBP', new_customers: 1, returning_customers: 0 },
  ]);
});

test('when the first order of a customer moves or goes, the other day is counted again', async () => {
  await using shop = await aRolledShop();
  const second = anOrder({ id: '2', customer: '7', at: '2024-05-10T10:00:00Z' });
  const first = (at: string, version: string) => anOrder({ id: '1', customer: '7', at, version });
  const days = () => figures(shop.db, 'daily_sales', 'day, new_customers, returning_customers');
  const isNew = { new_customers: 1, returning_customers: 0 };
  const isReturning = { new_customers: 0, returning_customers: 1 };

  await roll(shop, { orders: [second] });
  expect(await days()).toEqual([{ day: '2024-05-10', ...isNew }]);

  await roll(shop, { orders: [first('2024-05-01T10:00:00Z', '2024-05-11T00:00:00Z')] });
  expect(await days()).toEqual([
    { day: '2024-05-01', ...isNew },
    { day: '2024-05-10', ...isReturning },
  ]);

  await roll(shop, { orders: [first('2024-05-12T10:00:00Z', '2024-05-12T00:00:00Z')] });
  expect(await days()).toEqual([
    { day: '2024-05-10', ...isNew },
    { day: '2024-05-12', ...isReturning },
  ]);

  const deletion = { id: '2', deletedAt: new Date('2024-06-01T00:00:00Z') };
  await shop.db.transaction((tx) => loadOrders(tx, shop.place, [], [deletion]));
  await rollDirty(shop);
  expect(await days()).toEqual([{ day: '2024-05-12', ...isNew }]);
});

test('two shops of one retailer add up, and their customers and orders stay apart', async () => {
  await using shop = await aRolledShop();
  const { db, brand, retailer } = shop;
  const connection = await aConnection(db, { brandId: brand.id, retailerId: retailer.id });
  const other = { brandId: brand.id, connectionId: connection.id };
  await db.transaction(async (tx) => {
    await loadOrders(tx, shop.place, [anOrder({ id: '1', customer: '7' })]);
    await loadOrders(tx, other, [anOrder({ id: '1', customer: '7', at: '2024-05-01T13:00:00Z' })]);
  });
  await rollDirty(shop);
  expect(await figures(db, 'daily_sales', 'orders, new_customers, returning_customers, gross_sales')).toEqual(
    [{ orders: 2, new_customers: 2, returning_customers: 0, gross_sales: '20' }],
  );
});

test('two brands with equal ids do not see each other, and neither do two retailers', async () => {
  await using mine = await aRolledShop();
  const { db, brand } = mine;
  const theirs = await aShop(db);
  const retailer = await aRetailer(db, { brandId: brand.id });
  await db.transaction(async (tx) => {
    await loadOrders(tx, mine.place, [anOrder({ customer: '7' })]);
    await loadOrders(tx, placeOf(theirs), [
      anOrder({ customer: '7', at: '2024-04-01T12:00:00Z', sales: [{ quantity: 4, total: '1.00' }] }),
    ]);
  });
  await rollDirty(mine);
  const columns = 'brand, day, orders, new_customers, units';
  const own = { brand: brand.slug, day: '2024-05-01', orders: 1, new_customers: 1, units: 1 };
  expect(await figures(db, 'daily_sales', columns)).toEqual([own]);

  await rollDirty({ db, ...theirs });
  await rollDirty({ ...mine, retailer });
  const foreign = { brand: theirs.brand.slug, day: '2024-04-01', orders: 1, new_customers: 1, units: 4 };
  expect(await db.rows(`select ${columns} from bi.daily_sales order by day desc`)).toEqual([own, foreign]);
});
