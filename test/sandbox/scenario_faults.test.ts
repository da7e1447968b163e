import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { ask, NOW, post, SHOP, scenarioDir } from '../support/providers/sandbox.ts';

const line = (fields: object) => ({
  'orders.ndjson': [
    { id: 1, processedAt: NOW },
    { id: 2, processedAt: NOW, ...fields },
  ],
});
test.each([
  [
    'a line that is not JSON',
    { 'orders.ndjson': [{ id: 1, processedAt: NOW }, '{"id": 2,'] },
    'orders.ndjson:2: this line is not JSON',
  ],
  ['a missing id', { 'orders.ndjson': [{ processedAt: NOW }] }, 'orders.ndjson:1: "id" is missing'],
  [
    'a missing time',
    { 'orders.ndjson': [{ id: 1 }] },
    'orders.ndjson:1: an order needs "createdAt" or "processedAt"',
  ],
  [
    'a wrong type',
    line({ lineItems: [{ quantity: 'two' }] }),
    'orders.ndjson:2 lineItems.0.quantity: "two" is not a valid Int',
  ],
  [
    'an unknown value',
    line({ displayFinancialStatus: 'PAYED' }),
    '"PAYED" is not a valid OrderDisplayFinancialStatus',
  ],
  [
    'an amount with a point that is not text',
    line({ lineItems: [{ originalUnitPriceSet: { shopMoney: { amount: 9.9 } } }] }),
    'write amounts as text',
  ],
  ['a time without zone', line({ cancelledAt: '2026-11-01T09:00:00' }), 'needs Z or an offset'],
  [
    'a refund of a line that is not there',
    line({ refunds: [{ createdAt: NOW, refundLineItems: [{ lineItem: 99 }] }] }),
    'the order has no line item gid://shopify/LineItem/99',
  ],
  ['a file that is none of a shop', { 'order.ndjson': [] }, 'is not a file of a shop'],
  ['a folder of no shop', { 'other/orders.ndjson': [] }, 'shopify/other: scenario.json names no such shop'],
])('%s is told with its place', async (_name, files: Record<string, unknown[]>, message) => {
  await using dir = await scenarioDir(files);
  await expect(startSandbox({ data: dir.dir })).rejects.toThrow(message);
});

test.each([
  [{ shops: { [SHOP]: { zone: 'Mars/Base' } } }, 'is not an IANA time zone'],
  [{ shops: { [SHOP]: { curency: 'USD' } } }, 'curency'],
  [{ shops: { [SHOP]: { currency: 'XXQ' } } }, 'currency'],
  [{ now: 'yesterday', shops: { [SHOP]: {} } }, 'now'],
])('a fault in scenario.json is told: %o', async (scenario, message) => {
  await using dir = await scenarioDir({}, { scenario });
  await expect(startSandbox({ data: dir.dir })).rejects.toThrow(message);
});

test('a load replaces the data; faulty data change nothing', async () => {
  await using first = await scenarioDir({ 'orders.ndjson': [{ id: 1, processedAt: NOW }] });
  await using second = await scenarioDir({ 'orders.ndjson': [{ id: 2, processedAt: NOW }] });
  await using faulty = await scenarioDir({ 'orders.ndjson': ['nonsense'] });
  await using sandbox = await startSandbox({ data: first.dir });
  const ids = async () =>
    (await ask(sandbox, '{ orders(first: 9) { nodes { legacyResourceId } } }')).data.orders.nodes;

  const refused = await post(sandbox, 'load', { dir: faulty.dir });
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain('orders.ndjson:1');
  expect(await ids()).toEqual([{ legacyResourceId: '1' }]);

  const status = (await (await post(sandbox, 'load', { dir: second.dir })).json()) as {
    shops: { counts: object }[];
  };
  expect(status.shops[0]?.counts).toMatchObject({ orders: 1 });
  expect(await ids()).toEqual([{ legacyResourceId: '2' }]);
});
