import { expect, test } from 'vitest';
import { orderItem } from '#connectors/shopify/streams/order_rows.ts';
import { freshDb } from '../support/db/db.ts';
import { NOW } from '../support/providers/sandbox.ts';
import { aShopOf } from '../support/providers/shopify.ts';

// The order of docs/sandbox.md: a discount, tax on top, a gift card, shipping; later one unit comes
// back with the shipping and one dollar of goodwill.
const order = {
  ...{ id: 1001, processedAt: '2026-11-01T05:30:00Z', updatedAt: '2026-11-03T12:00:00Z', customer: 7 },
  shippingAddress: { countryCodeV2: 'US' },
  lineItems: [
    {
      ...{ id: 11, sku: 'MUG', product: 1, variant: 1, quantity: 3, originalUnitPriceSet: '10.00' },
      discountAllocations: [{ allocatedAmountSet: '3.00' }],
      taxLines: [{ rate: 0.1, priceSet: '2.70' }],
    },
    { id: 12, title: 'Gift card', isGiftCard: true, originalUnitPriceSet: '25.00' },
  ],
  shippingLines: [{ originalPriceSet: '5.00', taxLines: [{ priceSet: '0.50' }] }],
  transactions: [{ kind: 'SALE', amountSet: '60.20' }],
  refunds: [
    {
      ...{ id: 501, createdAt: '2026-11-03T12:00:00Z' },
      refundLineItems: [{ lineItem: 11, quantity: 1, subtotalSet: '9.00', totalTaxSet: '0.90' }],
      refundShippingLines: [{ subtotalAmountSet: '5.00', taxAmountSet: '0.50' }],
      orderAdjustments: [{ amountSet: '-1.00' }],
      transactions: [{ amountSet: '16.40' }],
    },
  ],
};

const SALES = `select reason, line_type as type, line_id as line, quantity as n, currency as cur, total_amount as total,
  tax_amount as tax, discount_amount as discount, booked_at from raw.shopify_sales
  order by booked_at, line_type, line_id`;

// Both ways of reading must make the same rows: the first load by bulk, a change by a page.
test.each([
  ['in bulk', undefined],
  ['by a page', { since: '2026-11-01T00:00:00Z' }],
])('an order with a partial refund becomes exactly these rows, read %s', async (_, window) => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, { 'orders.ndjson': [order], 'products.ndjson': [{ id: 1 }] });
  expect(await shop.sync('shopify.orders', window)).toMatchObject({ read: 1, changed: 1, rejected: 0 });

  const [ordered, refunded] = [new Date('2026-11-01T05:30:00Z'), new Date('2026-11-03T12:00:00Z')];
  const row = (
    reason: string,
    type: string,
    line: string | null,
    n: number | null,
    amounts: string[],
    booked_at: Date,
  ) => {
    const [total, tax, discount] = amounts;
    return { reason, type, line, n, cur: 'USD', total, tax, discount, booked_at };
  };
  expect(await db.rows(SALES)).toEqual([
    row('ORDER', 'GIFT_CARD', '12', 1, ['25', '0', '0'], ordered),
    row('ORDER', 'PRODUCT', '11', 3, ['29.7', '2.7', '3'], ordered),
    row('ORDER', 'SHIPPING', null, null, ['5.5', '0.5', '0'], ordered),
    row('REFUND', 'ADJUSTMENT', null, null, ['-1', '0', '0'], refunded),
    row('REFUND', 'PRODUCT', '11', -1, ['-9.9', '-0.9', '0'], refunded),
    row('REFUND', 'SHIPPING', null, null, ['-5.5', '-0.5', '0'], refunded),
  ]);

  expect(await db.rows('select * from raw.shopify_orders')).toMatchObject([
    {
      ...{
        id: '1001',
        name: '#1001',
        processed_at: ordered,
        changed_at: refunded,
        cancelled_at: null,
        deleted_at: null,
      },
      ...{ test: false, counted: true, currency: 'USD', presentment_currency: 'USD', taxes_included: false },
      ...{ customer_id: '7', country: 'US', source_name: 'web', discount_codes: [] },
      ...{ total_price: '60.2', total_refunded: '16.4', financial_status: 'PARTIALLY_REFUNDED' },
    },
  ]);
  expect(
    await db.rows(
      'select id, sku, title, quantity, current_quantity, is_gift_card, unit_price, variant_id, payload from raw.shopify_order_lines order by id',
    ),
  ).toEqual([
    {
      id: '11',
      sku: 'MUG',
      title: 'MUG',
      quantity: 3,
      current_quantity: 2,
      is_gift_card: false,
      unit_price: '10',
      variant_id: '1',
      payload: null,
    },
    {
      id: '12',
      sku: null,
      title: 'Gift card',
      quantity: 1,
      current_quantity: 1,
      is_gift_card: true,
      unit_price: '25',
      variant_id: null,
      payload: null,
    },
  ]);
  expect(await db.rows('select id, processed_at, total_refunded, currency from raw.shopify_refunds')).toEqual(
    [{ id: '501', processed_at: refunded, total_refunded: '16.4', currency: 'USD' }],
  );
  expect(
    await db.rows(
      'select kind, status, amount, processed_at, test from raw.shopify_transactions order by amount',
    ),
  ).toEqual([
    { kind: 'REFUND', status: 'SUCCESS', amount: '16.4', processed_at: refunded, test: false },
    { kind: 'SALE', status: 'SUCCESS', amount: '60.2', processed_at: ordered, test: false },
  ]);
  expect(
    await db.rows('select reason, refund_id, order_id from raw.shopify_agreements order by reason'),
  ).toEqual([
    { reason: 'ORDER', refund_id: null, order_id: '1001' },
    { reason: 'REFUND', refund_id: '501', order_id: '1001' },
  ]);
  const [payload] = (await db.column('select payload from raw.shopify_orders')) as [object];
  expect(payload).toMatchObject({ totalPriceSet: { shopMoney: { amount: '60.2', currencyCode: 'USD' } } });
  expect(
    Object.keys(payload).filter((key) =>
      ['lineItems', 'agreements', 'refunds', 'transactions'].includes(key),
    ),
  ).toEqual([]);
});

// A gateway that answers later leaves it without the time at which it was processed.
test('money that was never processed counts on the day on which it was made', () => {
  const shopMoney = { amount: '5.00', currencyCode: 'USD' };
  const transaction = (id: number, more: object) => ({
    ...{ id: `gid://shopify/OrderTransaction/${id}`, kind: 'REFUND', status: 'SUCCESS', test: false },
    ...{
      gateway: 'card',
      parentTransaction: null,
      createdAt: '2026-11-04T12:00:00Z',
      amountSet: { shopMoney },
      ...more,
    },
  });
  const money = { shopMoney };
  const { rows } = orderItem({
    ...{ id: 'gid://shopify/Order/1', name: '#1', currencyCode: 'USD', presentmentCurrencyCode: 'USD' },
    ...{ createdAt: '2026-11-01T00:00:00Z', processedAt: '2026-11-01T00:00:00Z', cancelledAt: null },
    ...{ updatedAt: '2026-11-05T00:00:00Z', test: false, taxesIncluded: false, discountCodes: [] },
    ...{ totalPriceSet: money, currentTotalPriceSet: money, totalRefundedSet: money },
    ...{ customer: null, shippingAddress: null, billingAddress: null, sourceName: null },
    ...{ displayFinancialStatus: 'PAID', lineItems: [], agreements: [], refunds: [] },
    transactions: [
      transaction(1, { processedAt: null }),
      transaction(2, { processedAt: '2026-11-05T00:00:00Z' }),
      transaction(3, { processedAt: '2026-11-04T12:00:00Z' }),
    ],
  });
  const created = '2026-11-04T12:00:00Z';
  expect(rows['raw.shopify_transactions']).toMatchObject([
    { processed_at: new Date(created), payload: null },
    { processed_at: new Date('2026-11-05T00:00:00Z'), payload: { createdAt: created } },
    { processed_at: new Date(created), payload: null },
  ]);
});

test.each([
  ['JPY', '1000', '90', '1000', '1000'],
  ['KWD', '1.250', '0.125', '1.25', '1.25'],
])('tax inside prices and the digits of %s stay as they are', async (currency, price, tax, unit, total) => {
  await using db = await freshDb();
  const inclusive = {
    ...{ id: 1, processedAt: '2026-11-01T05:30:00Z' },
    lineItems: [{ id: 1, originalUnitPriceSet: price, taxLines: [{ priceSet: tax }] }],
  };
  await using shop = await aShopOf(
    db,
    { 'orders.ndjson': [inclusive] },
    { shop: { currency, taxesIncluded: true } },
  );
  await shop.sync('shopify.orders');
  expect(await db.rows('select currency, total_amount, tax_amount from raw.shopify_sales')).toEqual([
    { currency, total_amount: total, tax_amount: tax },
  ]);
  expect(await db.rows('select currency, unit_price from raw.shopify_order_lines')).toEqual([
    { currency, unit_price: unit },
  ]);
  expect(await db.column('select taxes_included from raw.shopify_orders')).toEqual([true]);
});

const line = (id: number, more = {}) => ({ id, originalUnitPriceSet: '10.00', ...more });

test('only an order that placed a product counts', async () => {
  await using db = await freshDb();
  const at = { processedAt: '2026-11-01T05:30:00Z' };
  const cases = {
    1: { ...at, lineItems: [line(1)] },
    2: { ...at, lineItems: [line(2)], test: true },
    3: { ...at, lineItems: [line(3, { isGiftCard: true })] },
    4: { ...at, lineItems: [line(4, { quantity: 0 })] },
    5: { ...at, lineItems: [] },
    6: { ...at, lineItems: [line(6)], cancelledAt: '2026-11-02T00:00:00Z' },
  };
  const orders = Object.entries(cases).map(([id, more]) => ({ id: Number(id), ...more }));
  await using shop = await aShopOf(db, { 'orders.ndjson': orders });
  await shop.sync('shopify.orders');
  expect(await db.column('select id from raw.shopify_orders where counted order by id')).toEqual(['1', '6']);
});

test('the country is that of shipping, else of billing, else unknown', async () => {
  await using db = await freshDb();
  const [us, de] = [{ countryCodeV2: 'US' }, { countryCodeV2: 'DE' }];
  const at = { processedAt: NOW };
  const orders = [
    { id: 1, ...at, shippingAddress: us, billingAddress: de },
    { id: 2, ...at, billingAddress: de },
    { id: 3, ...at },
    { id: 4, ...at, shippingAddress: { city: 'Nowhere' }, billingAddress: de },
  ];
  await using shop = await aShopOf(db, { 'orders.ndjson': orders });
  await shop.sync('shopify.orders');
  expect(await db.column('select country from raw.shopify_orders order by id')).toEqual([
    'US',
    'DE',
    'ZZ',
    'DE',
  ]);
});

test('an imported order and an imported refund count on the days on which they were processed', async () => {
  await using db = await freshDb();
  const imported = {
    ...{ id: 1, createdAt: '2026-11-10T00:00:00Z', processedAt: '2026-09-01T10:00:00Z' },
    lineItems: [line(1)],
    refunds: [{ id: 5, createdAt: '2026-11-10T00:00:00Z', processedAt: '2026-09-05T10:00:00Z' }],
    agreements: [
      {
        reason: 'ORDER',
        happenedAt: '2026-11-10T00:00:00Z',
        sales: [{ totalAmount: '10.00', quantity: 1, lineItem: 1 }],
      },
      {
        reason: 'REFUND',
        refund: 5,
        happenedAt: '2026-11-10T00:00:00Z',
        sales: [{ totalAmount: '-4.00', quantity: -1, lineItem: 1 }],
      },
      {
        reason: 'ORDER_EDIT',
        happenedAt: '2026-11-11T00:00:00Z',
        sales: [{ totalAmount: '3.00', quantity: 1, lineItem: 1 }],
      },
      {
        reason: 'UNKNOWN',
        happenedAt: '2026-11-12T00:00:00Z',
        sales: [{ totalAmount: '1.00', lineType: 'UNKNOWN' }],
      },
    ],
  };
  await using shop = await aShopOf(db, { 'orders.ndjson': [imported] });
  await shop.sync('shopify.orders');
  expect(
    await db.rows('select reason, line_type, booked_at from raw.shopify_sales order by booked_at'),
  ).toEqual([
    { reason: 'ORDER', line_type: 'PRODUCT', booked_at: new Date('2026-09-01T10:00:00Z') },
    { reason: 'REFUND', line_type: 'PRODUCT', booked_at: new Date('2026-09-05T10:00:00Z') },
    { reason: 'ORDER_EDIT', line_type: 'PRODUCT', booked_at: new Date('2026-11-11T00:00:00Z') },
    { reason: 'UNKNOWN', line_type: 'UNKNOWN', booked_at: new Date('2026-11-12T00:00:00Z') },
  ]);
});
