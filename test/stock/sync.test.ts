/** What a shop tells of its stock: levels in all places, and what refunds put back. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { aShopOf } from '../support/providers/shopify.ts';

const level = (location: number, available: number, more: Record<string, number> = {}) => ({
  ...{ id: location * 1000, location, updatedAt: '2026-04-01T00:00:00Z' },
  quantities: Object.entries({ available, ...more }).map(([name, quantity]) => ({ name, quantity })),
});
const item = (id: number, inventoryLevels: object[], more: object = {}) => ({
  id,
  inventoryItem: { id: id * 10, updatedAt: '2026-03-01T00:00:00Z', inventoryLevels, ...more },
});
const whole = (committed: number) => ({ on_hand: 12, committed });
const product = {
  ...{ id: 1, title: 'Mug', createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z' },
  variants: [
    item(10, [level(1, 9, whole(1)), level(2, 10, whole(2))]),
    item(11, [level(3, 5), { ...level(4, 7), isActive: false }]),
    item(12, [level(5, 3)], { tracked: false }),
    item(13, []),
  ],
};

test('a reading is the sum of all places that are in use, and null where nobody counts', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, {
    'products.ndjson': [product],
    'locations.ndjson': [1, 2, 3, 4, 5].map((id) => ({ id })),
  });
  await shop.sync('shopify.products');
  await shop.sync('shopify.products', { since: '2025-12-01T00:00:00Z' });
  const read = (id: string, available: string | null, unavailable: string | null, from = '2026-04-01') => ({
    ...{ id, available, unavailable, from },
  });
  expect(
    await db.rows(
      `select id, available, unavailable, to_char(valid_from at time zone 'UTC', 'YYYY-MM-DD') as from
       from raw.shopify_stock_readings order by id`,
    ),
  ).toEqual([
    read('10', '19', '2'),
    read('11', '5', '0'),
    read('12', null, null),
    read('13', null, null, '2026-03-01'),
  ]);
});

test('a refund says what went back to stock; a bulk result does not, and forgets nothing', async () => {
  await using db = await freshDb();
  const refund = (at: string, line: number, quantity: number, restockType: string) => ({
    processedAt: at,
    refundLineItems: [{ lineItem: line, quantity, restockType, subtotalSet: `${quantity * 10}.00` }],
  });
  await using shop = await aShopOf(db, {
    'orders.ndjson': [
      {
        ...{ id: 1, processedAt: '2026-11-01T05:30:00Z' },
        lineItems: [
          { id: 1, quantity: 5, originalUnitPriceSet: '10.00' },
          { id: 2, quantity: 1, originalUnitPriceSet: '10.00' },
        ],
        refunds: [
          refund('2026-11-02T00:00:00Z', 1, 2, 'RETURN'),
          refund('2026-11-03T00:00:00Z', 1, 1, 'NO_RESTOCK'),
          refund('2026-11-04T00:00:00Z', 2, 1, 'CANCEL'),
        ],
      },
    ],
  });
  const restocked = () =>
    db.rows('select line_id, quantity, restocked from raw.shopify_sales order by booked_at, line_id');
  const sales = (returned: number | null, broken: number | null, cancelled: number | null) => [
    { line_id: '1', quantity: 5, restocked: null },
    { line_id: '2', quantity: 1, restocked: null },
    { line_id: '1', quantity: -2, restocked: returned },
    { line_id: '1', quantity: -1, restocked: broken },
    { line_id: '2', quantity: -1, restocked: cancelled },
  ];
  await shop.sync('shopify.orders');
  expect(await restocked()).toEqual(sales(null, null, null));
  await shop.sync('shopify.orders', { since: '2026-10-01T00:00:00Z' });
  expect(await restocked()).toEqual(sales(2, 0, 1));
  await shop.sync('shopify.orders', { full: true });
  expect(await restocked()).toEqual(sales(2, 0, 1));
});
