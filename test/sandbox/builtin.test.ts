import { afterAll, beforeAll, expect, test } from 'vitest';
import { minus, sum } from '../../sandbox/decimal.ts';
import { get, getList, type Plain } from '../../sandbox/plain.ts';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import type { Shop, World } from '../../sandbox/shopify/shop.ts';
import { ask, readLines, runBulk } from '../support/providers/sandbox.ts';

const EIRE = { shop: 'giftware-eire', token: 'shpat_sandbox_giftware_eire' };
const IN_LONDON = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/London' });

let world: World;
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
  world = sandbox.world;
});
afterAll(() => sandbox[Symbol.asyncDispose]());

type Totals = { gross: string; returns: string };

/** Sums the ledger as a reader of it would: the order's agreement is sales, the refunds' are returns. */
function totalsByDay(shops: Iterable<Shop>): Map<string, Totals> {
  const amounts = new Map<string, { gross: string[]; returns: string[] }>();
  for (const { lists } of shops) {
    for (const agreement of lists.orders.flatMap((order) => getList(order, 'agreements'))) {
      const day = IN_LONDON.format(Date.parse(String(get(agreement, 'happenedAt'))));
      const sums = amounts.get(day) ?? { gross: [], returns: [] };
      amounts.set(day, sums);
      const into = get(agreement, 'reason') === 'ORDER' ? sums.gross : sums.returns;
      into.push(...getList(agreement, 'sales').map(amountOf));
    }
  }
  return new Map(
    [...amounts].map(([day, { gross, returns }]) => [
      day,
      { gross: sum(...gross), returns: minus(sum(...returns)) },
    ]),
  );
}

function amountOf(sale: Plain): string {
  return (get(sale, 'totalAmount') as { shopMoney: { amount: string } }).shopMoney.amount;
}

test('the ledger of the five shops adds up to the published totals, day by London day', () => {
  const days = totalsByDay(world.shops.values());
  const gross = sum(...[...days.values()].map((day) => day.gross));
  const returns = sum(...[...days.values()].map((day) => day.returns));
  expect(gross).toBe('10655622.484');
  expect(returns).toBe('896812.49');
  expect(sum(gross, minus(returns))).toBe('9758809.994');
  const first = days.get('2010-12-01');
  expect(sum(String(first?.gross), minus(String(first?.returns)))).toBe('58635.56');
  expect(days.size).toBe(305);
});

test('every buyer is a customer of the shop of the country, and every invoice one order', () => {
  const counts = [...world.shops.values()].map(({ name, lists }) => [name, lists.customers.length]);
  // 4,372 customers, eight of them in two countries of the shop `rest`.
  expect(counts.reduce((total, [, customers]) => total + Number(customers), 0)).toBe(4_372);
  expect(counts.map(([name]) => name)).toEqual(
    ['uk', 'germany', 'france', 'eire', 'rest'].map((retailer) => `giftware-${retailer}`),
  );
  const ids = [...world.shops.values()].flatMap(({ lists }) => lists.orders.map((order) => get(order, 'id')));
  expect(new Set(ids).size).toBe(ids.length);
});

test('times are London times in UTC, on both sides of the change of clocks', async () => {
  const query = `{ before: node(id: "gid://shopify/Order/536365") { ... on Order { processedAt } } }`;
  const uk = { shop: 'giftware-uk', token: 'shpat_sandbox_giftware_uk' };
  expect((await ask(sandbox, query, uk)).data.before.processedAt).toBe('2010-12-01T08:26:00Z');
  // Invoice 547883 is of 2011-03-28 08:40, the second day of summer time.
  const summer = await ask(sandbox, '{ order(id: "gid://shopify/Order/547883") { processedAt } }', uk);
  expect(summer.data.order.processedAt).toBe('2011-03-28T07:40:00Z');
});

test('a cancellation comes back on its own day and price, from the latest order that has the goods', async () => {
  // C581484 takes back all 80,995 pieces of invoice 581483 twelve minutes later.
  const { data } = await ask(
    sandbox,
    `{ order(id: "gid://shopify/Order/581483") { displayFinancialStatus updatedAt
      totalPriceSet { shopMoney { amount } } currentTotalPriceSet { shopMoney { amount } }
      refunds(first: 5) { createdAt refundLineItems(first: 5) { nodes { quantity lineItem { id sku currentQuantity } } } }
      transactions(first: 5) { kind amountSet { shopMoney { amount } } } } }`,
    { shop: 'giftware-uk', token: 'shpat_sandbox_giftware_uk' },
  );
  expect(data.order).toMatchObject({
    displayFinancialStatus: 'REFUNDED',
    updatedAt: '2011-12-09T09:27:00Z',
    totalPriceSet: { shopMoney: { amount: '168469.60' } },
    currentTotalPriceSet: { shopMoney: { amount: '0.00' } },
    refunds: [
      {
        createdAt: '2011-12-09T09:27:00Z',
        refundLineItems: { nodes: [{ quantity: 80_995, lineItem: { sku: '23843', currentQuantity: 0 } }] },
      },
    ],
    transactions: [
      { kind: 'SALE', amountSet: { shopMoney: { amount: '168469.60' } } },
      { kind: 'REFUND', amountSet: { shopMoney: { amount: '168469.60' } } },
    ],
  });
});

test('units that are left of the lines are the units of all sales, on every order', () => {
  for (const order of world.shops.get('giftware-rest')?.lists.orders ?? []) {
    const sales = getList(order, 'agreements').flatMap((agreement) => getList(agreement, 'sales'));
    const sold = sales.reduce((total, sale) => total + Number(get(sale, 'quantity')), 0);
    const left = getList(order, 'lineItems').reduce(
      (total, line) => total + Number(get(line, 'currentQuantity')),
      0,
    );
    expect([get(order, 'name'), left]).toEqual([get(order, 'name'), sold]);
  }
});

test('bulk gives the lines that paging gives', async () => {
  const line =
    'id sku title quantity originalUnitPriceSet { shopMoney { amount } } product { id title } variant { id }';
  const bulk = await runBulk(
    sandbox,
    `{ orders { edges { node { id name lineItems { edges { node { ${line} } } } } } } }`,
    true,
    EIRE,
  );
  const lines = await readLines(bulk.url);
  expect(String(lines.length)).toBe(bulk.objectCount);
  const { data } = await ask(
    sandbox,
    `{ orders(first: 20) { nodes { id name lineItems(first: 2) { nodes { ${line} } } } } }`,
    EIRE,
  );
  for (const { id, name, lineItems } of data.orders.nodes) {
    expect(lines).toContainEqual({ id, name });
    for (const item of lineItems.nodes) expect(lines).toContainEqual({ ...item, __parentId: id });
  }
});

test('stock, cost and location can be read down to the level', async () => {
  const { data, errors } = await ask(
    sandbox,
    `{ products(first: 50) { nodes { id title variants(first: 1) { nodes { sku price inventoryQuantity inventoryItem {
      unitCost { amount } inventoryLevels(first: 1) { nodes { location { id name } quantities(names: ["available", "incoming"]) { name quantity } } } } } } } }
      locations(first: 1) { nodes { id name } } }`,
    EIRE,
  );
  expect(errors).toBeUndefined();
  const variants = data.products.nodes.map(
    (product: { variants: { nodes: object[] } }) => product.variants.nodes[0],
  );
  for (const { inventoryQuantity, inventoryItem } of variants) {
    expect(inventoryItem.inventoryLevels.nodes[0].quantities).toEqual([
      { name: 'available', quantity: inventoryQuantity },
      { name: 'incoming', quantity: 0 },
    ]);
  }
  const costs = variants.filter(
    (variant: { inventoryItem: { unitCost: unknown } }) => variant.inventoryItem.unitCost,
  );
  expect(costs.length).toBeGreaterThan(25);
  expect(costs.length).toBeLessThan(50);
});
