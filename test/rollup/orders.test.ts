/** What becomes of the figures of an order as a whole: where it counts when it is cancelled, and when it is deleted. */
import { expect, test } from 'vitest';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, roll, rollDirty } from '../support/rows/rolled.ts';

const GOODS = 'day, orders, units, units_returned, gross_sales, discounts, returns, net_sales';
const day = '2024-05-01';
const later = { at: '2024-05-20T09:00:00Z' };

test('a cancelled order stays on its day and comes back by its refund', async () => {
  const sales = [
    { quantity: 3, total: '30.00' },
    { reason: 'REFUND', quantity: -3, total: '-30.00', ...later },
  ];
  await using shop = await aRolledShop();
  await roll(shop, { orders: [anOrder({ sales })] });
  expect(await figures(shop.db, 'daily_sales', GOODS)).toEqual([
    {
      ...{ day, orders: 1, units: 3, units_returned: 0 },
      ...{ gross_sales: '30', discounts: '0', returns: '0', net_sales: '30' },
    },
    {
      ...{ day: '2024-05-20', orders: 0, units: 0, units_returned: 3 },
      ...{ gross_sales: '0', discounts: '0', returns: '30', net_sales: '-30' },
    },
  ]);
});

test('an order that is deleted takes its refunds and refunded money along, on all their days', async () => {
  await using shop = await aRolledShop();
  const sales = [
    { quantity: 1, total: '10.00' },
    { reason: 'REFUND', quantity: -1, total: '-10.00', ...later },
  ];
  const payments = [{ id: '7', at: '2024-05-22T09:00:00Z', amount: '10.00' }];
  await roll(shop, { orders: [anOrder({ sales, payments })] });
  expect(await figures(shop.db, 'daily_sales', 'day, net_sales, refunded_money')).toEqual([
    { day: '2024-05-01', net_sales: '10', refunded_money: '0' },
    { day: '2024-05-20', net_sales: '-10', refunded_money: '0' },
    { day: '2024-05-22', net_sales: '0', refunded_money: '10' },
  ]);

  const deletion = { id: '1', deletedAt: new Date('2024-06-01T00:00:00Z') };
  await shop.db.transaction((tx) => loadOrders(tx, shop.place, [], [deletion]));
  expect(await rollDirty(shop)).toMatchObject({ days: 3, deleted: 10 }); // 3 days of sales and of the order, 2 of products and of countries, a month of the latter
  expect(await figures(shop.db, 'daily_sales', 'day')).toEqual([]);
});
