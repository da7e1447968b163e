import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { ask, NOW, scenarioDir } from '../support/providers/sandbox.ts';

const M = 'shopMoney { amount currencyCode }';
const LEDGER = `{ orders(first: 9) { nodes { id currentTotalPriceSet { ${M} } agreements(first: 5) { nodes { reason happenedAt
  sales(first: 9) { nodes { id lineType quantity totalAmount { ${M} } totalTaxAmount { ${M} } totalDiscountAmountBeforeTaxes { ${M} } } } } } } } }`;

type Row = { lineType: string; quantity: number | null; id: string } & Record<
  string,
  { shopMoney: { amount: string } }
>;

/** The ledger as one line per row: kind, quantity, total, tax, discount. */
async function ledgerOf(dir: string) {
  await using sandbox = await startSandbox({ data: dir });
  const { data, errors } = await ask(sandbox, LEDGER);
  expect(errors).toBeUndefined();
  const [order] = data.orders.nodes;
  const text = (row: Row) =>
    [
      row.lineType,
      row.quantity,
      ...['totalAmount', 'totalTaxAmount', 'totalDiscountAmountBeforeTaxes'].map(
        (field) => row[field]?.shopMoney.amount,
      ),
    ].join(' ');
  return {
    total: order.currentTotalPriceSet.shopMoney,
    ids: order.agreements.nodes.flatMap((one: { sales: { nodes: Row[] } }) =>
      one.sales.nodes.map(({ id }) => id),
    ),
    rows: order.agreements.nodes.map(
      (one: { reason: string; happenedAt: string; sales: { nodes: Row[] } }) => [
        `${one.reason} ${one.happenedAt}`,
        ...one.sales.nodes.map(text),
      ],
    ),
  };
}

const order = {
  id: 1001,
  processedAt: '2026-11-01T01:30:00-04:00',
  lineItems: [
    {
      id: 11,
      quantity: 3,
      originalUnitPriceSet: '10.00',
      discountAllocations: [{ allocatedAmountSet: '3.00' }],
      taxLines: [{ priceSet: '2.70' }],
    },
    { id: 12, isGiftCard: true, originalUnitPriceSet: '25.00' },
  ],
  shippingLines: [{ originalPriceSet: '5.00', taxLines: [{ priceSet: '0.50' }] }],
  refunds: [
    {
      id: 501,
      createdAt: '2026-11-03T12:00:00Z',
      refundLineItems: [{ lineItem: 11, quantity: 1, subtotalSet: '9.00', totalTaxSet: '0.90' }],
      refundShippingLines: [{ subtotalAmountSet: '5.00', taxAmountSet: '0.50' }],
      orderAdjustments: [{ amountSet: '-1.00', taxAmountSet: '-0.10' }],
    },
  ],
};

test('an order without agreements gets the ledger that Shopify would have, tax on top', async () => {
  await using dir = await scenarioDir({ 'orders.ndjson': [order] });
  const { rows, total } = await ledgerOf(dir.dir);
  expect(rows).toEqual([
    [
      'ORDER 2026-11-01T05:30:00Z',
      'PRODUCT 3 29.70 2.70 3.00',
      'GIFT_CARD 1 25.00 0.0 0.0',
      'SHIPPING  5.50 0.50 0.0',
    ],
    [
      'REFUND 2026-11-03T12:00:00Z',
      'PRODUCT -1 -9.90 -0.90 0.0',
      'SHIPPING  -5.50 -0.50 0.0',
      'ADJUSTMENT  -1.00 -0.10 0.0',
    ],
  ]);
  expect(total).toEqual({ amount: '43.80', currencyCode: 'USD' });
});

test('with taxes inside the prices the totals leave them there', async () => {
  const inside = { ...order, taxesIncluded: true };
  await using dir = await scenarioDir({ 'orders.ndjson': [inside] });
  expect((await ledgerOf(dir.dir)).rows).toEqual([
    [
      'ORDER 2026-11-01T05:30:00Z',
      'PRODUCT 3 27.00 2.70 3.00',
      'GIFT_CARD 1 25.00 0.0 0.0',
      'SHIPPING  5.00 0.50 0.0',
    ],
    [
      'REFUND 2026-11-03T12:00:00Z',
      'PRODUCT -1 -9.00 -0.90 0.0',
      'SHIPPING  -5.00 -0.50 0.0',
      'ADJUSTMENT  -1.00 -0.10 0.0',
    ],
  ]);
});

test('a sale of a line type that names no line is served all the same', async () => {
  const sales = [
    { lineType: 'PRODUCT', quantity: 1, totalAmount: '9.00' },
    { lineType: 'TIP', totalAmount: '2.00' },
  ];
  const row = { id: 1, processedAt: NOW, agreements: [{ reason: 'ORDER', sales }] };
  await using dir = await scenarioDir({ 'orders.ndjson': [row] });
  await using sandbox = await startSandbox({ data: dir.dir });
  const { data, errors } = await ask(
    sandbox,
    `{ orders(first: 1) { nodes { agreements(first: 1) { nodes { sales(first: 5) { nodes {
      lineType quantity ... on ProductSale { lineItem { id } } ... on TipSale { lineItem { id } } } } } } } } }`,
  );
  expect(errors).toBeUndefined();
  expect(data.orders.nodes[0].agreements.nodes[0].sales.nodes).toEqual([
    { lineType: 'PRODUCT', quantity: 1 },
    { lineType: 'TIP', quantity: null },
  ]);
});

test('rows keep their ids when amounts change and refunds come', async () => {
  await using before = await scenarioDir({ 'orders.ndjson': [{ ...order, refunds: [] }] });
  const later = {
    ...order,
    lineItems: [{ ...order.lineItems[0], originalUnitPriceSet: '12.00' }, order.lineItems[1]],
  };
  await using after = await scenarioDir({ 'orders.ndjson': [later] });
  const old = (await ledgerOf(before.dir)).ids;
  expect(old).toHaveLength(3);
  expect((await ledgerOf(after.dir)).ids.slice(0, 3)).toEqual(old);
});

test.each([
  ['JPY', '1999', 3, '5997.0'],
  ['KWD', '0.125', 7, '0.875'],
  ['EUR', '29.999', 2, '59.998'],
])('amounts in %s keep their places', async (currency, price, quantity, expected) => {
  const row = {
    id: 1,
    processedAt: NOW,
    currencyCode: currency,
    lineItems: [{ quantity, originalUnitPriceSet: price }],
  };
  await using dir = await scenarioDir({ 'orders.ndjson': [row] });
  const { total, rows } = await ledgerOf(dir.dir);
  expect(rows[0][1]).toMatch(new RegExp(`^PRODUCT ${quantity} ${expected} `));
  expect(Number(total.amount)).toBe(Number(expected));
  expect(total.currencyCode).toBe(currency);
});

test('agreements that are given are served as they are, whole API shape or short', async () => {
  const given = {
    ...order,
    agreements: {
      edges: [
        { node: { reason: 'ORDER', sales: [{ lineItem: 11, quantity: 3, totalAmount: '30.00' }] } },
        {
          node: {
            reason: 'ORDER_EDIT',
            happenedAt: '2026-11-02T00:00:00Z',
            sales: [
              {
                lineType: 'TIP',
                actionType: 'UPDATE',
                lineItem: 11,
                totalAmount: { shopMoney: { amount: '2.00', currencyCode: 'USD' } },
              },
            ],
          },
        },
      ],
    },
  };
  await using dir = await scenarioDir({ 'orders.ndjson': [given] });
  expect((await ledgerOf(dir.dir)).rows).toEqual([
    ['ORDER 2026-11-01T05:30:00Z', 'PRODUCT 3 30.00 0.0 0.0'],
    ['ORDER_EDIT 2026-11-02T00:00:00Z', 'TIP  2.00 0.0 0.0'],
  ]);
});

test('the last line of an id is its present state, deletions take it away, and the future is not there yet', async () => {
  const files = {
    'orders.ndjson': [
      { id: 1, processedAt: '2026-11-01T00:00:00Z', name: 'old' },
      { id: 2, processedAt: '2026-11-01T00:00:00Z' },
      { id: 3, processedAt: '2026-11-21T00:00:00Z' },
      { id: 1, processedAt: '2026-11-01T00:00:00Z', name: 'new', customer: 7 },
    ],
    'events.ndjson': [
      { action: 'destroy', subjectId: 'gid://shopify/Order/2', createdAt: '2026-11-02T00:00:00Z' },
    ],
  };
  await using dir = await scenarioDir(files);
  const heard: string[] = [];
  await using sandbox = await startSandbox({ data: dir.dir, log: (line) => heard.push(line) });
  const { data, errors } = await ask(
    sandbox,
    `{ orders(first: 9) { nodes { name } } customers(first: 9) { nodes { id numberOfOrders createdAt } }
      events(first: 9, query: "action:destroy AND subject_type:ORDER AND created_at:>='2026-11-01T00:00:00Z'") {
        nodes { action createdAt ... on BasicEvent { subjectId subjectType } } } }`,
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({
    orders: { nodes: [{ name: 'new' }] },
    customers: {
      nodes: [{ id: 'gid://shopify/Customer/7', numberOfOrders: '1', createdAt: '2026-11-01T00:00:00Z' }],
    },
    events: {
      nodes: [
        {
          action: 'destroy',
          createdAt: '2026-11-02T00:00:00Z',
          subjectId: 'gid://shopify/Order/2',
          subjectType: 'ORDER',
        },
      ],
    },
  });
  expect(heard.join()).toContain('1 of the orders are created after "now"');
});

test('products bring variants, items and stock, which files of their own may change', async () => {
  const files = {
    'products.ndjson': [
      {
        id: 1,
        title: 'Mug',
        variants: [
          {
            id: 5,
            sku: 'MUG',
            price: '9.90',
            inventoryItem: {
              unitCost: '4.00',
              inventoryLevels: [{ quantities: [{ name: 'available', quantity: 12 }] }],
            },
          },
        ],
      },
    ],
    'inventory_items.ndjson': [{ id: 5, unitCost: { amount: '4.50' } }],
    'inventory_levels.ndjson': [{ item: 5, location: 2, quantities: [{ name: 'available', quantity: 3 }] }],
    'locations.ndjson': [
      { id: 1, name: 'Main' },
      { id: 2, name: 'Shop' },
    ],
  };
  await using dir = await scenarioDir(files);
  await using sandbox = await startSandbox({ data: dir.dir });
  const { data, errors } = await ask(
    sandbox,
    `{ productVariants(first: 5) { nodes { sku price product { title } inventoryQuantity inventoryItem { unitCost { amount currencyCode }
      inventoryLevels(first: 5) { nodes { location { name } quantities(names: ["available"]) { quantity } } } } } } }`,
  );
  expect(errors).toBeUndefined();
  expect(data.productVariants.nodes[0]).toMatchObject({
    sku: 'MUG',
    product: { title: 'Mug' },
    inventoryItem: {
      unitCost: { amount: '4.50', currencyCode: 'USD' },
      inventoryLevels: {
        nodes: [
          { location: { name: 'Main' }, quantities: [{ quantity: 12 }] },
          { location: { name: 'Shop' }, quantities: [{ quantity: 3 }] },
        ],
      },
    },
  });
});

test('two shops may have the same ids', async () => {
  const scenario = { now: NOW, shops: { acme: { token: 'a' }, other: { token: 'b', currency: 'JPY' } } };
  const row = { id: 1, processedAt: NOW, lineItems: [{ originalUnitPriceSet: '5' }] };
  await using dir = await scenarioDir({ 'orders.ndjson': [row], 'other/orders.ndjson': [row] }, { scenario });
  await using sandbox = await startSandbox({ data: dir.dir });
  const query = `{ orders(first: 1) { nodes { id totalPriceSet { ${M} } } } }`;
  const codes = [
    await ask(sandbox, query, { shop: 'acme', token: 'a' }),
    await ask(sandbox, query, { shop: 'other', token: 'b' }),
  ].map(({ data }) => data.orders.nodes[0].totalPriceSet.shopMoney.currencyCode);
  expect(codes).toEqual(['USD', 'JPY']);
  expect((await ask(sandbox, query, { shop: 'other', token: 'a' })).status).toBe(401);
});
