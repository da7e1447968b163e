/** An empty text is not a fault: what was sold under no name was sold. Missing, or something else than text, is one. */
import { expect, test } from 'vitest';
import { type Fields, InvalidField, isObject } from '#connectors/kit/fields.ts';
import { orderItem } from '#connectors/shopify/streams/order_rows.ts';
import { productItem } from '#connectors/shopify/streams/product_rows.ts';
import { toItem as bookingItem } from '#connectors/stripe/streams/balance_transactions.ts';
import { toItem as chargeItem } from '#connectors/stripe/streams/charges.ts';
import { freshDb } from '../support/db/db.ts';
import { node } from '../support/providers/shop_nodes.ts';
import { aShopOf } from '../support/providers/shopify.ts';

const money = (amount: string) => ({ shopMoney: { amount, currencyCode: 'USD' } });

const order = {
  ...node(1),
  sourceName: 'web',
  lineItems: [
    {
      ...{ id: 'gid://shopify/LineItem/7', title: 'Mug', variantTitle: 'Blue', sku: 'M', quantity: 1 },
      ...{ currentQuantity: 1, isGiftCard: false, originalUnitPriceSet: money('10.00') },
      ...{ product: { id: 'gid://shopify/Product/1' }, variant: null },
    },
  ],
  agreements: [
    {
      ...{ id: 'gid://shopify/SalesAgreement/8', happenedAt: '2026-11-10T10:00:00Z', reason: 'ORDER' },
      sales: [
        {
          ...{ id: 'gid://shopify/Sale/9', actionType: 'ORDER', lineType: 'PRODUCT', quantity: 1 },
          ...{ totalAmount: money('10'), totalTaxAmount: money('0') },
          ...{ totalDiscountAmountBeforeTaxes: money('0') },
        },
      ],
    },
  ],
  transactions: [
    {
      ...{ id: 'gid://shopify/OrderTransaction/4', kind: 'SALE', status: 'SUCCESS', test: false },
      ...{ gateway: 'x', createdAt: '2026-11-10T10:00:00Z', processedAt: '2026-11-10T10:00:00Z' },
      ...{ parentTransaction: null, amountSet: money('10') },
    },
  ],
};

const product = {
  ...{ id: 'gid://shopify/Product/1', title: 'Mug', status: 'ACTIVE', vendor: 'Acme', productType: 'Cups' },
  ...{ category: { fullName: 'Home' }, createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z' },
  variants: [
    {
      ...{ id: 'gid://shopify/ProductVariant/1', sku: 'M', title: 'Blue', price: '9', inventoryQuantity: 1 },
      inventoryItem: {
        ...{ id: 'gid://shopify/InventoryItem/1', updatedAt: '2026-01-01T00:00:00Z' },
        unitCost: { amount: '1', currencyCode: 'USD' },
      },
      inventoryLevels: [
        {
          ...{ id: 'gid://shopify/InventoryLevel/1', isActive: true, updatedAt: '2026-01-01T00:00:00Z' },
          location: { id: 'gid://shopify/Location/1', name: 'Depot' },
          quantities: [{ name: 'available', quantity: 1 }],
        },
      ],
    },
  ],
};

const charge = {
  ...{ id: 'ch_1', status: 'succeeded', paid: true, captured: true, currency: 'usd', created: 1_790_000_000 },
  ...{ amount: 1, amount_captured: 1, amount_refunded: 0, failure_code: 'x', customer: 'cus_1' },
  ...{
    payment_intent: { id: 'pi_1' },
    payment_method_details: { type: 'card' },
    metadata: { order_id: '1' },
  },
};

const booking = {
  ...{ id: 'txn_1', type: 'charge', reporting_category: 'charge', status: 'available', source: 'ch_1' },
  ...{ amount: 1, fee: 0, net: 1, created: 1_790_000_000, available_on: 1_790_000_000, currency: 'usd' },
  balance_type: 'payments',
};

const seen = { sentAt: new Date('2026-11-20T06:00:00Z') };
const readers: [what: string, object: object, read: (object: Fields) => unknown, wantFilled: RegExp][] = [
  ['an order', order, orderItem, /(^|\.)id$|At$|mount$|urrencyCode$/],
  ['a product', product, productItem, /(^|\.)id$|At$|mount$|urrencyCode$|price$/],
  ['a charge', charge, (object) => chargeItem(object, seen), /^currency$/],
  ['a booking', booking, (object) => bookingItem(object, seen), /^currency$/],
];

/** Every text in it, by the path to it, with the object changed there. */
function* textsWith(
  value: unknown,
  changed: unknown,
  path = '',
): Generator<{ path: string; object: unknown }> {
  if (typeof value === 'string') yield { path, object: changed };
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const place = path === '' ? key : `${path}.${key}`;
    const put = (inner: unknown) =>
      Array.isArray(value) ? value.with(Number(key), inner) : { ...value, [key]: inner };
    for (const { path: found, object } of textsWith(item, changed, place))
      yield { path: found, object: put(object) };
  }
}

function faultOf(read: () => unknown): InvalidField | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof InvalidField) return error;
    throw error;
  }
}

test.each(readers)(
  '%s is read whatever text of it is empty, but for what cannot be',
  (_, whole, read, wantFilled) => {
    expect(read(whole as Fields)).toBeDefined();
    let emptied = 0;
    for (const { path, object } of textsWith(whole, '')) {
      if (!isObject(object)) continue;
      const fault = faultOf(() => read(object));
      if (!wantFilled.test(path)) expect(fault?.message, path).toBeUndefined();
      emptied++;
    }
    expect(emptied).toBeGreaterThan(5);
  },
);

test.each(readers)('%s with something else than text is at fault, or does not read it', (_, whole, read) => {
  const faults = [...textsWith(whole, 7)].filter(
    ({ object }) => isObject(object) && faultOf(() => read(object)),
  );
  expect(faults.length).toBeGreaterThan(5);
});

test('an order and a product without names bring their amounts', async () => {
  await using db = await freshDb();
  const line = { id: 7, title: '', quantity: 2, price: '5.00' };
  const orders = [{ id: 1, name: '', processedAt: '2026-11-10T10:00:00Z', lineItems: [line] }];
  const nameless = {
    id: 1,
    title: '',
    updatedAt: '2026-01-01T00:00:00Z',
    variants: [{ id: 10, title: '', price: '5.00' }],
  };
  await using shop = await aShopOf(db, { 'orders.ndjson': orders, 'products.ndjson': [nameless] });
  expect(await shop.sync('shopify.orders')).toMatchObject({ changed: 1, rejected: 0 });
  expect(await shop.sync('shopify.products')).toMatchObject({ changed: 1, rejected: 0 });
  expect(await db.rows('select title, quantity from raw.shopify_order_lines')).toEqual([
    { title: '', quantity: 2 },
  ]);
});
