/** Daily sales of small ledgers whose figures can be worked out by hand; DESIGN.md 6 has the definitions. */
import { expect, test } from 'vitest';
import { anOrder, type Sale } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, roll } from '../support/rows/rolled.ts';

/** The figures of one order's ledger: those that are not zero, by day. */
async function ledger(sales: readonly Sale[], order: Parameters<typeof anOrder>[0] = {}) {
  await using shop = await aRolledShop();
  await roll(shop, { orders: [anOrder({ sales, ...order })] });
  const columns = `day, units, units_returned, gross_sales, discounts, returns, net_sales, shipping, taxes,
    duties, fees, tips, gift_cards_sold, refunded_money, total_sales, unclassified, unclassified_rows`;
  const rows = await figures(shop.db, 'daily_sales', columns);
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([, value]) => Number(value) !== 0)),
  );
}

const day = '2024-05-01';
const later = { at: '2024-05-20T09:00:00Z' };

test('a sale with discount and tax on top', async () => {
  // 2 x 30.00, 6.00 off, 20 % of 54.00 on top = 64.80
  expect(await ledger([{ quantity: 2, total: '64.80', tax: '10.80', discount: '6.00' }])).toEqual([
    { day, units: 2, gross_sales: '60', discounts: '6', net_sales: '54', taxes: '10.8', total_sales: '64.8' },
  ]);
});

test('tax that is inside the price is taken out of gross sales, the discount counts as given', async () => {
  // 120.00 with 20 % inside, 12.00 off: 108.00 paid, of which 18.00 is tax
  expect(await ledger([{ quantity: 1, total: '108.00', tax: '18.00', discount: '12.00' }])).toEqual([
    { day, units: 1, gross_sales: '102', discounts: '12', net_sales: '90', taxes: '18', total_sales: '108' },
  ]);
});

test('a partial refund counts on its own day, with what is left of discount and tax', async () => {
  const sold = { quantity: 2, total: '64.80', tax: '10.80', discount: '6.00' };
  const back = { reason: 'REFUND', quantity: -1, total: '-32.40', tax: '-5.40', discount: '-3.00', ...later };
  expect(await ledger([sold, back])).toEqual([
    { day, units: 2, gross_sales: '60', discounts: '6', net_sales: '54', taxes: '10.8', total_sales: '64.8' },
    {
      day: '2024-05-20',
      units_returned: 1,
      returns: '27',
      net_sales: '-27',
      taxes: '-5.4',
      total_sales: '-32.4',
    },
  ]);
});

test('shipping and its refund are net of tax and no sales of goods', async () => {
  const sales = [
    { type: 'SHIPPING', total: '6.00', tax: '1.00', quantity: 1 },
    { type: 'SHIPPING', reason: 'REFUND', total: '-3.60', tax: '-0.60', quantity: -1, ...later },
  ];
  expect(await ledger(sales)).toEqual([
    { day, shipping: '5', taxes: '1', total_sales: '6' },
    { day: '2024-05-20', shipping: '-3', taxes: '-0.6', total_sales: '-3.6' },
  ]);
});

test('duties and both kinds of fees belong to total sales, their tax to taxes', async () => {
  const sales = [
    { type: 'DUTY', total: '7.00', tax: '0.50' },
    { type: 'FEE', total: '2.20', tax: '0.20' },
    { type: 'ADDITIONAL_FEE', total: '1.10', tax: '0.10' },
  ];
  expect(await ledger(sales)).toEqual([{ day, duties: '6.5', fees: '3', taxes: '0.8', total_sales: '10.3' }]);
});

test('a gift card is not a sale, though its tax is a tax, and it can be refunded', async () => {
  const sales = [
    { type: 'GIFT_CARD', quantity: 1, total: '52.00', tax: '2.00' },
    { type: 'GIFT_CARD', reason: 'REFUND', quantity: -1, total: '-52.00', tax: '-2.00', ...later },
  ];
  expect(await ledger(sales)).toEqual([
    { day, gift_cards_sold: '50', taxes: '2', total_sales: '2' },
    { day: '2024-05-20', gift_cards_sold: '-50', taxes: '-2', total_sales: '-2' },
  ]);
});

test('a day on which only a gift card was sold or given back has no row per country', async () => {
  await using shop = await aRolledShop();
  const sales = [
    { type: 'GIFT_CARD', quantity: 1, total: '52.00' },
    { type: 'GIFT_CARD', reason: 'REFUND', quantity: -1, total: '-52.00', ...later },
    { type: 'PRODUCT', reason: 'ORDER_EDIT', quantity: 1, total: '9.00', at: '2024-05-21T09:00:00Z' },
  ];
  await roll(shop, { orders: [anOrder({ sales })] });
  expect(await figures(shop.db, 'daily_sales', 'day')).toHaveLength(3);
  expect(await figures(shop.db, 'daily_country_sales', 'day, units')).toEqual([
    { day: '2024-05-21', units: 1 },
  ]);
});

test('a tip stands apart with its tax', async () => {
  expect(await ledger([{ type: 'TIP', total: '5.00', tax: '0.80' }])).toEqual([{ day, tips: '5' }]);
});

test('an edit upward sells and an edit downward returns, each on its own day', async () => {
  const sales = [
    { quantity: 1, total: '10.00' },
    { reason: 'ORDER_EDIT', quantity: 2, total: '16.00', discount: '4.00', at: '2024-05-02T10:00:00Z' },
    { reason: 'ORDER_EDIT', quantity: -1, total: '-8.00', discount: '-2.00', at: '2024-05-03T10:00:00Z' },
  ];
  expect(await ledger(sales)).toEqual([
    { day, units: 1, gross_sales: '10', net_sales: '10', total_sales: '10' },
    { day: '2024-05-02', units: 2, gross_sales: '20', discounts: '4', net_sales: '16', total_sales: '16' },
    { day: '2024-05-03', units_returned: 1, returns: '8', net_sales: '-8', total_sales: '-8' },
  ]);
});

test('goods given out in an exchange are a sale of that day, whatever sign the discount has', async () => {
  const sales = [
    { reason: 'RETURN', quantity: -1, total: '-10.00', ...later },
    { reason: 'RETURN', quantity: 1, total: '12.00', discount: '-3.00', ...later },
  ];
  const figures = { units: 1, units_returned: 1, gross_sales: '15', discounts: '3', returns: '10' };
  expect(await ledger(sales)).toEqual([{ day: '2024-05-20', ...figures, net_sales: '2', total_sales: '2' }]);
});

test('goods that a refund takes back less of reduce returns', async () => {
  const sales = [
    { reason: 'REFUND', quantity: -3, total: '-30.00', ...later },
    { reason: 'REFUND', quantity: 1, total: '10.00', ...later },
  ];
  expect(await ledger(sales)).toEqual([
    { day: '2024-05-20', units_returned: 2, returns: '20', net_sales: '-20', total_sales: '-20' },
  ]);
});

test.each(['RETURN', 'UPDATE'])(
  'a return taken back in a return (%s) reduces returns and is not a sale',
  async (action) => {
    const sales = [
      { quantity: 3, total: '30.00' },
      { reason: 'RETURN', action: 'RETURN', quantity: -2, total: '-20.00', ...later },
      { reason: 'RETURN', action, quantity: 1, total: '10.00', at: '2024-05-21T09:00:00Z' },
      { reason: 'ORDER_EDIT', action: 'RETURN', quantity: 1, total: '10.00', at: '2024-05-22T09:00:00Z' },
    ];
    const back = { units_returned: -1, returns: '-10', net_sales: '10', total_sales: '10' };
    expect(await ledger(sales)).toEqual([
      { day, units: 3, gross_sales: '30', net_sales: '30', total_sales: '30' },
      { day: '2024-05-20', units_returned: 2, returns: '20', net_sales: '-20', total_sales: '-20' },
      { day: '2024-05-21', ...back },
      { day: '2024-05-22', ...back },
    ]);
  },
);

// 20 % tax on top of all. Of the last edit 2.00 are a discount and the rest is a lower price.
test('an edit that takes a discount off again or adds one changes discounts and sells nothing', async () => {
  const edit = { reason: 'ORDER_EDIT', action: 'UPDATE', quantity: 0 };
  const sales = [
    { quantity: 1, total: '54.00', tax: '9.00', discount: '5.00' },
    { ...edit, total: '6.00', tax: '1.00', discount: '-5.00', at: '2024-05-02T10:00:00Z' },
    { ...edit, total: '-3.60', tax: '-0.60', discount: '3.00', at: '2024-05-03T10:00:00Z' },
    { ...edit, total: '6.00', tax: '1.00', discount: '5.00', at: '2024-05-04T10:00:00Z' }, // the other sign
    { ...edit, total: '-3.60', tax: '-0.60', discount: '2.00', at: '2024-05-05T10:00:00Z' },
    { ...edit, quantity: null, total: '5.00', discount: '-5.00', at: '2024-05-06T10:00:00Z' },
  ];
  expect(await ledger(sales)).toEqual([
    { day, units: 1, gross_sales: '50', discounts: '5', net_sales: '45', taxes: '9', total_sales: '54' },
    { day: '2024-05-02', discounts: '-5', net_sales: '5', taxes: '1', total_sales: '6' },
    { day: '2024-05-03', discounts: '3', net_sales: '-3', taxes: '-0.6', total_sales: '-3.6' },
    { day: '2024-05-04', discounts: '-5', net_sales: '5', taxes: '1', total_sales: '6' },
    {
      ...{ day: '2024-05-05', gross_sales: '-1', discounts: '2', net_sales: '-3', taxes: '-0.6' },
      total_sales: '-3.6',
    },
    { day: '2024-05-06', discounts: '-5', net_sales: '5', total_sales: '5' },
  ]);
});

test('an adjustment moves returns either way, below zero too', async () => {
  const sales = [
    { type: 'ADJUSTMENT', reason: 'REFUND', total: '-10.00', tax: '-1.50', ...later },
    { type: 'ADJUSTMENT', reason: 'REFUND', total: '30.00', at: '2024-05-21T09:00:00Z' },
  ];
  expect(await ledger(sales)).toEqual([
    { day: '2024-05-20', returns: '8.5', net_sales: '-8.5', taxes: '-1.5', total_sales: '-10.0' },
    { day: '2024-05-21', returns: '-30', net_sales: '30', total_sales: '30' },
  ]);
});

test('without a quantity the amount gives the sign', async () => {
  const sales = [
    { reason: 'ORDER_EDIT', quantity: null, total: '-4.00' },
    { reason: 'ORDER_EDIT', quantity: 0, total: '3.00' },
    { reason: 'ORDER_EDIT', quantity: -1, total: '0.00' },
  ];
  const figures = { units_returned: 1, gross_sales: '3', returns: '4', net_sales: '-1', total_sales: '-1' };
  expect(await ledger(sales)).toEqual([{ day, ...figures }]);
});

test('a row of an unknown kind is in no measure but its own, and the run says so', async () => {
  await using shop = await aRolledShop();
  const sales = [
    { quantity: 1, total: '10.00' },
    { type: 'CARBON_OFFSET', total: '1.20', tax: '0.20' },
  ];
  const tally = await roll(shop, { orders: [anOrder({ sales })] });
  expect(tally).toMatchObject({ unclassified: 1 });
  const columns = 'total_sales, taxes, unclassified, unclassified_rows';
  expect(await figures(shop.db, 'daily_sales', columns)).toEqual([
    { total_sales: '10', taxes: '0', unclassified: '1.2', unclassified_rows: 1 },
  ]);
});

test('every amount of the ledger is in exactly one place', async () => {
  const types = [
    'PRODUCT',
    'SHIPPING',
    'DUTY',
    'FEE',
    'ADDITIONAL_FEE',
    'GIFT_CARD',
    'TIP',
    'ADJUSTMENT',
    'X',
  ];
  const reasons = ['ORDER', 'ORDER_EDIT', 'RETURN', 'REFUND', 'UNKNOWN'];
  const kinds = types.flatMap((type) => reasons.map((reason) => ({ type, reason })));
  const sales = kinds.flatMap((kind, index) =>
    [1, -1, 0].map((sign) => ({
      ...kind,
      quantity: sign,
      total: `${(sign || 1) * (index + 3)}.37`,
      tax: `${sign}.11`,
      discount: `${sign}.05`,
    })),
  );
  await using shop = await aRolledShop();
  await roll(shop, { orders: [anOrder({ sales: [...sales, { quantity: 1, total: '0.01' }] })] });
  const parts = 'total_sales + tips + gift_cards_sold + unclassified';
  const [figure] = await shop.db.column(`select trim_scale(${parts}) from bi.daily_sales`);
  const [inLedger] = await shop.db.column('select trim_scale(sum(total_amount)) from raw.shopify_sales');
  expect(figure).toBe(inLedger);
});

test('a test order does not exist, nor do its refunds', async () => {
  const payments = [{ id: '7', at: '2024-05-20T09:00:00Z', amount: '10.00' }];
  const sales = [
    { quantity: 1, total: '10.00' },
    { reason: 'REFUND', quantity: -1, total: '-10.00', ...later },
  ];
  expect(await ledger(sales, { test: true, payments })).toEqual([]);
});

test('money counts as refunded when it is a successful refund that is not a test', async () => {
  const at = '2024-05-20T09:00:00Z';
  const payments = [
    { id: '1', at, amount: '4.00' },
    { id: '2', at, amount: '100', status: 'PENDING' },
    { id: '3', at, amount: '100', status: 'FAILURE' },
    { id: '4', at, amount: '100', kind: 'SALE' },
    { id: '5', at, amount: '100', test: true },
    { id: '6', at, amount: '1.50' },
  ];
  const rows = await ledger([{ quantity: 1, total: '10.00' }], { payments });
  expect(rows[1]).toEqual({ day: '2024-05-20', refunded_money: '5.5' });
});

test('amounts keep all their digits', async () => {
  const sales = [
    { quantity: 1, total: '12345678901234567.123', tax: '0.001' },
    { quantity: 1, total: '0.1', discount: '0.2' },
  ];
  const [row] = await ledger(sales);
  expect(row).toMatchObject({ gross_sales: '12345678901234567.422', net_sales: '12345678901234567.222' });
});
