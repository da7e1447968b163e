/** Sales by product and by country: keys, costs, and sums that equal those of the day. */
import { expect, test } from 'vitest';
import { anOrder, aProduct, loadProducts, type Sale } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, roll, rollDirty } from '../support/rows/rolled.ts';

const lines = [
  { id: '51', variant: '31', product: '900', sku: 'OLD', title: 'Old name' },
  { id: '52', sku: 'CUSTOM', title: 'Made to order' },
  { id: '53', sku: '', title: 'No sku' },
];

const oneOfEach: Sale[] = [
  { line: '51', quantity: 2, total: '20.00' },
  { line: '52', quantity: 1, total: '7.00' },
  { line: '53', quantity: 1, total: '5.00' },
  { line: null, quantity: 1, total: '3.00' },
  { line: '99', quantity: 1, total: '1.00' },
  { type: 'ADJUSTMENT', line: '51', total: '-0.50' },
  { type: 'SHIPPING', line: null, total: '4.00' },
];

test('a product is its variant, else the sku or title of its line; the rest is unallocated', async () => {
  await using shop = await aRolledShop();
  const products = [aProduct({ variant: '31', title: 'Mug', category: 'Kitchen' })];
  await roll(shop, { orders: [anOrder({ lines, sales: oneOfEach })], products });
  const columns =
    'product_key, product_id, variant_id, sku, product, category, orders, units, gross_sales, returns';
  const rows = await shop.db.rows(`select ${columns} from bi.daily_product_sales order by product_key`);
  const nothing = { product_id: null, variant_id: null, sku: null, category: null };
  expect(rows).toEqual([
    {
      ...{ product_key: '31', product_id: '900', variant_id: '31', sku: 'MUG', product: 'Mug' },
      ...{ category: 'Kitchen', orders: 1, units: 2, gross_sales: '20', returns: '0' },
    },
    {
      ...{ ...nothing, product_key: 'line:CUSTOM', sku: 'CUSTOM', product: 'Made to order' },
      ...{ orders: 1, units: 1, gross_sales: '7', returns: '0' },
    },
    {
      ...{ ...nothing, product_key: 'line:No sku', product: 'No sku' },
      ...{ orders: 1, units: 1, gross_sales: '5', returns: '0' },
    },
    {
      ...{ ...nothing, product_key: 'unallocated', product: 'unallocated' },
      ...{ orders: 1, units: 2, gross_sales: '4', returns: '0.5' },
    },
  ]);
});

test('a variant that is not stored is called what its newest line calls it', async () => {
  await using shop = await aRolledShop();
  const newer = anOrder({
    ...{ id: '2', version: '2024-06-01T00:00:00Z' },
    lines: [{ id: '61', variant: '31', product: '900', sku: 'NEW', title: 'New name' }],
    sales: [{ line: '61', quantity: 1, total: '1.00' }],
  });
  await roll(shop, {
    orders: [anOrder({ lines, sales: [{ line: '51', quantity: 1, total: '1.00' }] }), newer],
  });
  expect(
    await figures(shop.db, 'daily_product_sales', 'product, sku, product_id, variant_id, units'),
  ).toEqual([{ product: 'New name', sku: 'NEW', product_id: '900', variant_id: '31', units: 2 }]);
});

test('a line may be called anything, however long', async () => {
  await using shop = await aRolledShop();
  const title = Array.from({ length: 3_000 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join('');
  const orders = [
    anOrder({ lines: [{ id: '51', title }], sales: [{ line: '51', quantity: 1, total: '1.00' }] }),
  ];
  await roll(shop, { orders });
  expect(await figures(shop.db, 'daily_product_sales', 'product, units')).toEqual([
    { product: title, units: 1 },
  ]);
});

test('a product counts an order once, and only on the day of the order', async () => {
  await using shop = await aRolledShop();
  const sales = [
    { line: '51', quantity: 1, total: '1.00' },
    { line: '51', quantity: 1, total: '1.00' },
    { line: '51', reason: 'ORDER_EDIT', quantity: 1, total: '1.00', at: '2024-05-02T12:00:00Z' },
    { line: '51', reason: 'REFUND', quantity: -2, total: '-2.00', at: '2024-05-03T12:00:00Z' },
  ];
  await roll(shop, {
    orders: [
      anOrder({ lines, sales }),
      anOrder({ id: '2', sales: [{ line: '51', quantity: 1, total: '1' }] }),
    ],
  });
  expect(await figures(shop.db, 'daily_product_sales', 'day, orders, units, units_returned')).toEqual([
    { day: '2024-05-01', orders: 2, units: 3, units_returned: 0 },
    { day: '2024-05-02', orders: 0, units: 1, units_returned: 0 },
    { day: '2024-05-03', orders: 0, units: 0, units_returned: 2 },
  ]);
});

test('goods cost what they cost at the end of the day of the sale', async () => {
  await using shop = await aRolledShop({ timeZone: 'America/New_York' });
  const at = (day: string) => `${day}T12:00:00Z`;
  const days = ['2024-04-30', '2024-05-01', '2024-05-02', '2024-05-03'];
  const orders = days.map((day, index) =>
    anOrder({
      ...{ id: `${index}`, at: at(day) },
      lines: [{ id: `5${index}`, variant: '31' }],
      sales: [{ line: `5${index}`, quantity: 3, total: '30.00' }],
    }),
  );
  const costs = [
    { from: '2024-05-02T03:59:59Z', cost: '4.00' }, // still May 1 in New York
    { from: '2024-05-02T04:00:00Z', cost: '4.50' },
    { from: '2024-05-03T20:00:00Z', cost: null },
  ];
  await roll(shop, { orders, products: [aProduct({ variant: '31', costs })] });
  const columns = 'day, cost_of_goods, profit, margin, units_without_cost';
  const unknown = { cost_of_goods: null, profit: null, margin: null, units_without_cost: 3 };
  expect(await figures(shop.db, 'daily_product_sales', columns)).toEqual([
    { day: '2024-04-30', ...unknown },
    { day: '2024-05-01', cost_of_goods: '12', profit: '18', margin: '0.6000', units_without_cost: 0 },
    { day: '2024-05-02', cost_of_goods: '13.5', profit: '16.5', margin: '0.5500', units_without_cost: 0 },
    { day: '2024-05-03', ...unknown },
  ]);
});

test('what comes back lowers the cost of goods; without pieces it is zero, whether known or not', async () => {
  await using shop = await aRolledShop();
  const sales = [
    { line: '51', reason: 'REFUND', quantity: -1, total: '-10.00' },
    { line: '52', reason: 'REFUND', quantity: -1, total: '-7.00' },
    { line: '53', quantity: 0, total: '0.00' },
  ];
  const products = [aProduct({ variant: '31', costs: [{ from: '2024-01-01T00:00:00Z', cost: '4' }] })];
  await roll(shop, { orders: [anOrder({ lines, sales })], products });
  const columns = 'product_key, cost_of_goods, profit, margin, units_without_cost';
  expect(await shop.db.rows(`select ${columns} from bi.daily_product_sales order by product_key`)).toEqual([
    { product_key: '31', cost_of_goods: '-4', profit: '-6', margin: '0.6000', units_without_cost: 0 },
    { product_key: 'line:CUSTOM', cost_of_goods: null, profit: null, margin: null, units_without_cost: 1 },
    { product_key: 'line:No sku', cost_of_goods: '0', profit: '0', margin: null, units_without_cost: 0 },
  ]);
});

test('a cost in another currency is unknown, and not an older one either', async () => {
  await using shop = await aRolledShop();
  const costs = [
    { from: '2024-01-01T00:00:00Z', cost: '4' },
    { from: '2024-02-01T00:00:00Z', cost: '5', currency: 'USD' },
  ];
  const sales = [{ line: '51', quantity: 1, total: '10.00' }];
  await roll(shop, { orders: [anOrder({ lines, sales })], products: [aProduct({ variant: '31', costs })] });
  expect(await figures(shop.db, 'daily_product_sales', 'cost_of_goods, units_without_cost')).toEqual([
    { cost_of_goods: null, units_without_cost: 1 },
  ]);
});

test('a cost that becomes known later reaches the days it holds for', async () => {
  await using shop = await aRolledShop();
  const sales = [{ line: '51', quantity: 1, total: '10.00' }];
  await roll(shop, { orders: [anOrder({ lines, sales })], products: [aProduct({ variant: '31' })] });
  const costs = [{ from: '2024-05-01T00:00:00Z', cost: '4' }];
  const product = aProduct({ variant: '31', version: '2024-05-02T00:00:00Z', costs });
  await shop.db.transaction((tx) => loadProducts(tx, shop.place, [product]));
  expect(await rollDirty(shop)).toMatchObject({ days: 1, written: 1 });
  expect(await figures(shop.db, 'daily_product_sales', 'cost_of_goods')).toEqual([{ cost_of_goods: '4' }]);
});

test('a country is that of the order, for its refunds too, and counts each customer once', async () => {
  await using shop = await aRolledShop();
  const back = { reason: 'REFUND', quantity: -1, total: '-10.00', at: '2024-05-02T12:00:00Z' };
  const orders = [
    anOrder({ id: '1', country: 'DE', customer: '7' }),
    anOrder({ id: '2', country: 'DE', customer: '7' }),
    anOrder({ id: '3', country: 'DE' }),
    anOrder({ id: '4', country: 'ZZ', sales: [{ quantity: 1, total: '8.00', discount: '2.00' }, back] }),
  ];
  await roll(shop, { orders });
  const columns = 'day, country, orders, customers, units, gross_sales, returns, net_sales';
  expect(await shop.db.rows(`select ${columns} from bi.daily_country_sales order by day, country`)).toEqual([
    {
      ...{ day: '2024-05-01', country: 'DE', orders: 3, customers: 1, units: 3 },
      ...{ gross_sales: '30', returns: '0', net_sales: '30' },
    },
    {
      ...{ day: '2024-05-01', country: 'ZZ', orders: 1, customers: 0, units: 1 },
      ...{ gross_sales: '10', returns: '0', net_sales: '8' },
    },
    {
      ...{ day: '2024-05-02', country: 'ZZ', orders: 0, customers: 0, units: 0 },
      ...{ gross_sales: '0', returns: '10', net_sales: '-10' },
    },
  ]);
});

test('the sums over products and over countries are the figures of the day', async () => {
  await using shop = await aRolledShop();
  const orders = ['GB', 'DE', 'FR'].map((country, index) =>
    anOrder({
      ...{ id: `${index}`, country, currency: index === 0 ? 'GBP' : 'EUR' },
      lines: lines.map((line) => ({ ...line, id: `${line.id}${index}` })),
      sales: oneOfEach.map((sale) => ({
        ...sale,
        line: sale.line && `${sale.line}${index}`,
        discount: '0.07',
      })),
    }),
  );
  await roll(shop, { orders });
  const measures = ['units', 'units_returned', 'gross_sales', 'discounts', 'returns', 'net_sales'];
  const sums = measures.map((measure) => `trim_scale(sum(${measure})) as ${measure}`);
  const totals = (view: string) =>
    shop.db.rows(
      `select day, currency, ${sums} from bi.${view} group by day, currency order by day, currency`,
    );
  const whole = await totals('daily_sales');
  expect(whole).toHaveLength(2);
  expect(await totals('daily_product_sales')).toEqual(whole);
  expect(await totals('daily_country_sales')).toEqual(whole);
});
