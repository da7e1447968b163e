import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { aShopOf } from '../support/providers/shopify.ts';

const product = {
  ...{
    id: 1,
    title: 'Mug',
    vendor: '',
    productType: 'Cups',
    createdAt: '2026-01-01T00:00:00Z',
    updatedAt: '2026-01-01T00:00:00Z',
  },
  variants: [
    {
      ...{
        id: 10,
        title: 'Blue',
        sku: 'MUG-B',
        price: '12.50',
        compareAtPrice: '15.00',
        inventoryQuantity: 9,
      },
      inventoryItem: {
        ...{ id: 100, updatedAt: '2026-03-01T00:00:00Z', unitCost: { amount: '4.20', currencyCode: 'USD' } },
        inventoryLevels: [
          {
            id: 1000,
            location: 1,
            updatedAt: '2026-04-01T00:00:00Z',
            quantities: [
              { name: 'available', quantity: 9 },
              { name: 'on_hand', quantity: 11 },
            ],
          },
        ],
      },
    },
    { id: 11, title: 'Red', price: '12.00', inventoryItem: { id: 101, updatedAt: '2026-03-01T00:00:00Z' } },
  ],
};

test.each([
  ['in bulk', undefined],
  ['by a page', { since: '2025-12-01T00:00:00Z' }],
])('a product becomes variants, dated costs and stock, read %s', async (_, window) => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'products.ndjson': [product] });
  expect(await shop.sync('shopify.products', window)).toMatchObject({ read: 1, rejected: 0 });
  expect(
    await db.rows('select id, title, vendor, product_type, category, changed_at from raw.shopify_products'),
  ).toEqual([
    {
      id: '1',
      title: 'Mug',
      vendor: null,
      product_type: 'Cups',
      category: null,
      changed_at: new Date('2026-04-01T00:00:00Z'),
    },
  ]);
  expect(
    await db.rows(
      'select id, product_id, sku, price, inventory_item_id from raw.shopify_variants order by id',
    ),
  ).toEqual([
    { id: '10', product_id: '1', sku: 'MUG-B', price: '12.5', inventory_item_id: '100' },
    { id: '11', product_id: '1', sku: null, price: '12', inventory_item_id: '101' },
  ]);
  expect(await db.rows('select id, valid_from, cost, currency from raw.shopify_costs order by id')).toEqual([
    { id: '10', valid_from: new Date('2026-03-01T00:00:00Z'), cost: '4.2', currency: 'USD' },
    { id: '11', valid_from: new Date('2026-03-01T00:00:00Z'), cost: null, currency: null },
  ]);
  expect(
    await db.rows(
      'select variant_id, location_id, location, available, on_hand, committed, is_active from raw.shopify_inventory_levels',
    ),
  ).toEqual([
    {
      variant_id: '10',
      location_id: '1',
      location: 'Warehouse',
      available: 9,
      on_hand: 11,
      committed: 0,
      is_active: true,
    },
  ]);
});

test('a key that may not read locations leaves their names out, and nothing else', async () => {
  await using db = await freshDb();
  const scopes = ['read_products', 'read_inventory'];
  await using shop = await aShopOf(db, { 'products.ndjson': [product] }, { shop: { scopes } });
  expect(await shop.sync('shopify.products')).toMatchObject({ read: 1, rejected: 0 });
  expect(await db.rows('select location_id, location from raw.shopify_inventory_levels')).toEqual([
    { location_id: '1', location: null },
  ]);
});

test('a shop and its customers', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, {
    'customers.ndjson': [
      { id: 7, createdAt: '2026-01-01T00:00:00Z', firstName: 'Ada', displayName: 'Ada L.' },
    ],
    'orders.ndjson': [
      {
        id: 1,
        customer: 7,
        processedAt: '2026-11-01T05:30:00Z',
        lineItems: [{ id: 1, originalUnitPriceSet: '10.00' }],
      },
    ],
  });
  await shop.sync('shopify.shop');
  await shop.sync('shopify.customers');
  expect(await db.rows('select domain, currency, time_zone, taxes_included from raw.shopify_shops')).toEqual([
    { domain: 'acme.myshopify.com', currency: 'USD', time_zone: 'America/New_York', taxes_included: false },
  ]);
  expect(await db.rows('select id, orders_count, currency, amount_spent from raw.shopify_customers')).toEqual(
    [{ id: '7', orders_count: 1, currency: 'USD', amount_spent: '10' }],
  );
  expect(JSON.stringify(await db.column('select payload from raw.shopify_customers'))).not.toContain('Ada');
});
