import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import {
  ask,
  type BulkLine,
  post,
  readLines,
  runBulk,
  scenarioDir,
  setFaults,
  startBulk,
} from '../support/providers/sandbox.ts';

// Many scalars, lists, objects, fragments on concrete types, aliases, two connections below each other.
const NODE = `id legacyResourceId name processedAt total: totalPriceSet { ...M } test tags customer { id displayName }
  number taxesIncluded displayFinancialStatus cancelledAt shippingAddress { countryCodeV2 }
  refunds(first: 250) { id createdAt totalRefundedSet { ...M } } transactions(first: 1) { id kind amountSet { ...M } }`;
const LINE =
  'id __typename sku quantity currentQuantity originalUnitPriceSet { ...M } discountAllocations { allocatedAmountSet { ...M } } taxLines { rate priceSet { ...M } } product { id title } variant { id }';
const SALE =
  'id actionType lineType quantity totalAmount { ...M } totalTaxAmount { ...M } ... on ProductSale { lineItem { id sku } }';
const AGREEMENT = 'id happenedAt reason ... on RefundAgreement { refund { id note } }';
const MONEY =
  'fragment M on MoneyBag { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }';
const BULK = `{ orders { edges { node { ${NODE} lineItems { edges { node { ${LINE} } } }
  agreements { edges { node { ${AGREEMENT} sales { edges { node { ${SALE} } } } } } } } } } } ${MONEY}`;
const PAGED = `{ orders(first: 4) { nodes { ${NODE} lineItems(first: 9) { nodes { ${LINE} } }
  agreements(first: 5) { nodes { ${AGREEMENT} sales(first: 9) { nodes { ${SALE} } } } } } } } ${MONEY}`;

let scenario: Awaited<ReturnType<typeof scenarioDir>>;
let sandbox: Sandbox;

beforeAll(async () => {
  const orders = [1, 2, 3].map((n) => ({
    id: n,
    processedAt: `2026-11-0${n}T10:00:00Z`,
    customer: 7,
    tags: ['quote " and \\ backslash', 'Zürich £'],
    shippingAddress: n === 2 ? null : { countryCodeV2: 'DE' },
    transactions: [{ amountSet: '21.00' }, { kind: 'REFUND', amountSet: '1.00' }],
    lineItems: [
      { id: n * 10, sku: `A${n}`, quantity: 2, originalUnitPriceSet: '10.50', product: 5, variant: 5 },
      {
        id: n * 10 + 1,
        title: 'Card',
        isGiftCard: true,
        originalUnitPriceSet: '0.001',
        taxLines: [{ rate: 0.19, priceSet: '0.00' }],
      },
    ],
    refunds: [
      { id: n, createdAt: '2026-11-09T10:00:00Z', refundLineItems: [{ lineItem: n * 10, quantity: 1 }] },
    ],
  }));
  scenario = await scenarioDir({ 'orders.ndjson': orders, 'products.ndjson': [{ id: 5, title: 'Mug' }] });
  sandbox = await startSandbox({ data: scenario.dir });
});
afterEach(() => post(sandbox, 'reset', {}));
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]();
  await scenario[Symbol.asyncDispose]();
});

type Tree = { [field: string]: unknown };

/** The paged answer as the lines that bulk has to give, parents before children. */
function linesOf(rows: Tree[], parentId?: string): BulkLine[] {
  return rows.flatMap((row) => {
    const own: Tree = {};
    const below: BulkLine[] = [];
    for (const [field, value] of Object.entries(row)) {
      if (isConnection(value)) below.push(...linesOf(value.nodes, String(row.id)));
      else own[field] = value;
    }
    return [{ ...own, ...(parentId ? { __parentId: parentId } : {}) } as BulkLine, ...below];
  });
}

function isConnection(value: unknown): value is { nodes: Tree[] } {
  return typeof value === 'object' && value !== null && 'nodes' in value;
}

test('the compiled bulk path writes what graphql-js answers, each parent followed by its children', async () => {
  const { data, errors } = await ask(sandbox, PAGED);
  expect(errors).toBeUndefined();
  const state = await runBulk(sandbox, BULK);
  const lines = await readLines(state.url);
  expect(lines).toEqual(linesOf(data.orders.nodes));
  expect(lines).toHaveLength(3 * (1 + 2 + 2 + 3));
  expect(state).toMatchObject({
    status: 'COMPLETED',
    objectCount: '24',
    rootObjectCount: '3',
    errorCode: null,
  });
});

test('without grouping the same lines come, but children stray from their parents', async () => {
  const grouped = await readLines((await runBulk(sandbox, BULK)).url);
  const loose = await readLines((await runBulk(sandbox, BULK, false)).url);
  const byId = (lines: BulkLine[]) =>
    [...lines].sort((a, b) => (a.id + a.__parentId < b.id + b.__parentId ? -1 : 1));
  expect(byId(loose)).toEqual(byId(grouped));
  expect(loose).not.toEqual(grouped);
});

test('a result is given from the byte where a Range asks', async () => {
  const { url, fileSize } = await runBulk(sandbox, BULK);
  const whole = Buffer.from(await (await fetch(String(url))).arrayBuffer());
  expect(String(whole.length)).toBe(fileSize);
  const part = await fetch(String(url), { headers: { range: 'bytes=100-' } });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe(`bytes 100-${whole.length - 1}/${whole.length}`);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(whole.subarray(100));
  expect((await fetch(String(url), { headers: { range: `bytes=${whole.length}-` } })).status).toBe(416);
  expect((await fetch(String(url).replace(/.$/, (last) => (last === '0' ? '1' : '0')))).status).toBe(403);
});

test('no rows give COMPLETED without an address', async () => {
  const state = await runBulk(sandbox, '{ orders(query: "id:99") { edges { node { id } } } }');
  expect(state).toMatchObject({ status: 'COMPLETED', url: null, objectCount: '0' });
});

const nested = (inner: string) => `{ orders { edges { node { id ${inner} } } } }`;
test.each([
  [
    'a connection inside a list',
    nested('refunds { refundLineItems { edges { node { id } } } }'),
    'within a list field',
  ],
  [
    'six connections',
    nested(
      'a: lineItems { nodes { id } } b: lineItems { nodes { id } } c: lineItems { nodes { id } } d: lineItems { nodes { id } } e: lineItems { nodes { id } }',
    ),
    'more than 5 connections',
  ],
  [
    'three nested',
    nested('customer { orders { nodes { id agreements { nodes { id sales { nodes { id } } } } } } }'),
    'nesting depth',
  ],
  ['no connection', '{ shop { id } }', 'at least one connection'],
  ['two roots', '{ orders { nodes { id } } customers { nodes { id } } }', 'exactly one top-level field'],
  ['nodes at the top', '{ nodes(ids: []) { id } }', "top-level field 'nodes'"],
  [
    'a parent without id',
    '{ orders { edges { node { name lineItems { edges { node { id } } } } } } }',
    "without 'id': orders",
  ],
  ['an unknown field', '{ orders { nodes { colour } } }', 'Invalid bulk query'],
])('bulk refuses %s', async (_name, query, message) => {
  const { bulkOperation, userErrors } = await startBulk(sandbox, query, true);
  expect(bulkOperation).toBeNull();
  expect(userErrors[0]).toMatchObject({ code: 'INVALID', message: expect.stringContaining(message) });
});

test('a sixth operation finds the five slots taken, and one that is canceled ends so', async () => {
  await setFaults(sandbox, { kind: 'bulk_slow', ms: 400, count: 5 });
  const started = await Promise.all([1, 2, 3, 4, 5].map(() => startBulk(sandbox, BULK, true)));
  const { userErrors } = await startBulk(sandbox, BULK, true);
  expect(userErrors[0].code).toBe('LIMIT_REACHED');
  expect(userErrors[0].message).toMatch(
    /^A bulk query operation for this app and shop is already in progress/,
  );

  const id = started[0].bulkOperation.id;
  const cancel =
    'mutation ($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }';
  const { data } = await ask(sandbox, cancel, { variables: { id } });
  expect(data.bulkOperationCancel.bulkOperation.status).toBe('CANCELING');
  const running =
    '{ bulkOperations(first: 9, query: "status:running AND operation_type:query") { nodes { id } } }';
  expect((await ask(sandbox, running)).data.bulkOperations.nodes).toHaveLength(4);
  await expect
    .poll(async () => (await ask(sandbox, running)).data.bulkOperations.nodes.length, { timeout: 10_000 })
    .toBe(0);
  const state = await ask(sandbox, 'query ($id: ID!) { bulkOperation(id: $id) { status url } }', {
    variables: { id },
  });
  expect(state.data.bulkOperation).toEqual({ status: 'CANCELED', url: null });
});

test('a query beyond the scopes fails with ACCESS_DENIED', async () => {
  await using dir = await scenarioDir(
    { 'orders.ndjson': [{ id: 1, processedAt: '2026-11-01T00:00:00Z' }] },
    { shop: { scopes: ['read_orders'] } },
  );
  await using poor = await startSandbox({ data: dir.dir });
  const state = await runBulk(poor, nested('customer { id }'));
  expect(state).toMatchObject({ status: 'FAILED', errorCode: 'ACCESS_DENIED', url: null });
});

test.each([
  [
    { kind: 'bulk_failed', lines: 5, errorCode: 'TIMEOUT' },
    { status: 'FAILED', errorCode: 'TIMEOUT', url: null },
    5,
  ],
  [{ kind: 'bulk_canceled', lines: 3 }, { status: 'CANCELED', errorCode: null, url: null }, 3],
])('a broken operation gives its part only as partial data: %o', async (fault, expected, count) => {
  await setFaults(sandbox, fault);
  const state = await runBulk(sandbox, BULK);
  expect(state).toMatchObject(expected);
  expect(await readLines(state.partialDataUrl)).toHaveLength(count);
});

test('faults of results: wrong count, lines that stray, an address that is over, no Range, a cut file', async () => {
  await setFaults(
    sandbox,
    { kind: 'bulk_count', difference: 2 },
    { kind: 'bulk_ungrouped' },
    { kind: 'bulk_expired_url' },
    { kind: 'no_range' },
    { kind: 'cut', on: 'download', bytes: 50, after: 1 },
  );
  const { objectCount, url } = await runBulk(sandbox, BULK);
  expect(objectCount).toBe('26');
  expect((await fetch(String(url))).status).toBe(403);
  const whole = await fetch(String(url), { headers: { range: 'bytes=10-' } });
  expect(whole.status).toBe(200);
  await whole.text();
  const cut = await fetch(String(url));
  await expect(cut.text()).rejects.toThrow();
  expect(await readLines(url)).not.toEqual(await readLines((await runBulk(sandbox, BULK)).url));
});
