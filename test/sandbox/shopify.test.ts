import { type ClientResponse, createAdminApiClient } from '@shopify/admin-api-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import { eventually } from '../support/eventually.ts';
import { ask, post, SHOP, scenarioDir, setFaults, TOKEN } from '../support/providers/sandbox.ts';

let scenario: Awaited<ReturnType<typeof scenarioDir>>;
let sandbox: Sandbox;

// Seven orders, one a day at 03:30 UTC, which is the evening before in New York.
const orders = [1, 2, 3, 4, 5, 6, 7].map((day) => ({
  id: 1000 + day,
  processedAt: `2026-11-0${day}T03:30:00Z`,
  updatedAt: `2026-11-1${day % 3}T03:30:00Z`,
  customer: 7,
  lineItems: [{ sku: `S${day}`, quantity: day, originalUnitPriceSet: '10.00' }],
}));
const old = { id: 900, processedAt: '2026-01-05T12:00:00Z' };

beforeAll(async () => {
  scenario = await scenarioDir({ 'orders.ndjson': [...orders, old] }, { shop: { scopes: ['read_orders'] } });
  sandbox = await startSandbox({ data: scenario.dir });
});
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]();
  await scenario[Symbol.asyncDispose]();
});

function client(accessToken = TOKEN) {
  return createAdminApiClient({
    storeDomain: `${SHOP}.myshopify.com`,
    apiVersion: '2026-10',
    accessToken,
    customFetchApi: (url, init) =>
      fetch(String(url).replace(`https://${SHOP}.myshopify.com`, `${sandbox.url}/shopify/${SHOP}`), init),
  });
}

const namesOf = (data: { orders: { nodes: { name: string }[] } }) =>
  data.orders.nodes.map(({ name }) => name);

test("Shopify's own client reads every order once through pages of three", async () => {
  const query = `query ($after: String) { orders(first: 3, after: $after, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor } nodes { name updatedAt totalPriceSet { shopMoney { amount currencyCode } } } } }`;
  const seen: { name: string; updatedAt: string }[] = [];
  for (let after: string | null = null; ; ) {
    const answer: ClientResponse = await client().request(query, { variables: { after } });
    const { data, errors, extensions } = answer;
    expect(errors).toBeUndefined();
    expect(extensions?.cost?.actualQueryCost).toBeGreaterThan(0);
    seen.push(...data.orders.nodes);
    if (!data.orders.pageInfo.hasNextPage) break;
    after = data.orders.pageInfo.endCursor;
  }
  expect(seen.map(({ name }) => name)).toEqual([
    '#1003',
    '#1006',
    '#1001',
    '#1004',
    '#1007',
    '#1002',
    '#1005',
  ]);
  expect(seen.at(-1)).toMatchObject({
    totalPriceSet: { shopMoney: { amount: '50.00', currencyCode: 'USD' } },
  });
});

test("Shopify's own client sees a refused key, a throttled query and a wrong field as it does at Shopify", async () => {
  const refused = await client('wrong').request('{ shop { id } }');
  expect(refused.errors?.networkStatusCode).toBe(401);

  await setFaults(sandbox, { kind: 'throttled' });
  const throttled = await client().request('{ shop { id } }');
  expect(throttled.errors?.networkStatusCode).toBe(200);
  expect(throttled.errors?.graphQLErrors?.[0]?.extensions?.code).toBe('THROTTLED');
  await post(sandbox, 'reset', {});

  const wrong = await client().request('{ shop { nonsense } }');
  expect(wrong.errors?.graphQLErrors?.[0]).toMatchObject({
    message: "Field 'nonsense' doesn't exist on type 'Shop'",
    extensions: { code: 'undefinedField', typeName: 'Shop', fieldName: 'nonsense' },
  });
});

test.each([
  ['quoted, an instant', "processed_at:>='2026-11-05T03:30:00Z'", ['#1005', '#1006', '#1007']],
  // Unquoted the time part is lost: the New York day of 5 November begins at 05:00 UTC.
  ['unquoted, a whole day', 'processed_at:>=2026-11-05T03:30:00Z', ['#1006', '#1007']],
  ['a date alone, a whole day of the shop', "processed_at:'2026-11-04'", ['#1005']],
  ['both bounds', "processed_at:>'2026-11-02T03:30:00Z' AND processed_at:<'2026-11-04T03:30:00Z'", ['#1003']],
  ['either of two', 'id:1001 OR id:1003', ['#1001', '#1003']],
  ['all but some', 'id:>=1005 -id:1006 NOT id:1007', ['#1005']],
  ['brackets', '(id:1001 OR id:1002) AND sku:S2', ['#1002']],
  ['a range', 'processed_at:2026-11-01..2026-11-02', ['#1002', '#1003']],
])('a search by %s finds what Shopify would', async (_name, query, expected) => {
  const { data } = await ask(
    sandbox,
    'query ($query: String) { orders(first: 9, query: $query) { nodes { name } } }',
    {
      variables: { query },
    },
  );
  expect(namesOf(data)).toEqual(expected);
});

test('an unknown search field is ignored, and said so', async () => {
  const { data, extensions } = await ask(
    sandbox,
    '{ orders(first: 9, query: "colour:red") { nodes { name } } }',
  );
  expect(data.orders.nodes).toHaveLength(7);
  expect(extensions.search[0].warnings).toMatchObject([{ field: 'colour', code: 'invalid_field' }]);
});

test('a missing scope gives null and ACCESS_DENIED beside the data in a 200 answer', async () => {
  const { status, data, errors } = await ask(
    sandbox,
    '{ orders(first: 1) { nodes { id customer { id } } } }',
  );
  expect(status).toBe(200);
  expect(data.orders.nodes).toEqual([{ id: 'gid://shopify/Order/1001', customer: null }]);
  expect(errors[0]).toMatchObject({
    path: ['orders', 'nodes', 0, 'customer'],
    extensions: { code: 'ACCESS_DENIED', requiredAccess: '`read_customers` access scope.' },
  });
});

test('without read_all_orders an order older than 60 days is simply not there', async () => {
  const { data, errors } = await ask(
    sandbox,
    '{ ordersCount { count } order(id: "gid://shopify/Order/900") { id } nodes(ids: ["gid://shopify/Order/900"]) { id } }',
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({ ordersCount: { count: 7 }, order: null, nodes: [null] });
});

test('nor do the orders of a customer reach further back', async () => {
  const rows = [
    { id: 1, processedAt: '2026-01-05T12:00:00Z', customer: 7 },
    { id: 2, processedAt: '2026-11-05T12:00:00Z', customer: 7 },
  ];
  await using dir = await scenarioDir(
    { 'orders.ndjson': rows },
    { shop: { scopes: ['read_orders', 'read_customers'] } },
  );
  await using shop = await startSandbox({ data: dir.dir });
  const { data } = await ask(
    shop,
    '{ customers(first: 1) { nodes { orders(first: 9) { nodes { name } } } } }',
  );
  expect(data.customers.nodes).toEqual([{ orders: { nodes: [{ name: '#2' }] } }]);
});

test('a page size that a variable has by default costs as one that is given', async () => {
  const orders = (size: string) => `query (${size}) { orders(first: $n) { nodes { id } } }`;
  const byDefault = await ask(sandbox, orders('$n: Int = 100'));
  const given = await ask(sandbox, orders('$n: Int'), { variables: { n: 100 } });
  expect(byDefault.extensions.cost.requestedQueryCost).toBe(given.extensions.cost.requestedQueryCost);
  expect(byDefault.extensions.cost.requestedQueryCost).toBeGreaterThan(5);
});

test.each([
  ['first over 250', '{ orders(first: 251) { nodes { id } } }', 'BAD_REQUEST'],
  ['neither first nor last', '{ orders { nodes { id } } }', 'BAD_REQUEST'],
  [
    'more than 1,000 points',
    `{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { originalUnitPriceSet { ...M }
      discountedUnitPriceSet { ...M } originalTotalSet { ...M } } } } } }
    fragment M on MoneyBag { shopMoney { amount } presentmentMoney { amount } }`,
    'MAX_COST_EXCEEDED',
  ],
  ['a root field without data', '{ publicApiVersions { handle } }', 'SANDBOX_UNSUPPORTED'],
])('%s is refused', async (_name, query, code) => {
  const { status, errors } = await ask(sandbox, query);
  expect(status).toBe(200);
  expect(errors[0].extensions.code).toBe(code);
});

test('a cursor is refused by a query with another filter or sort', async () => {
  const { data } = await ask(sandbox, '{ orders(first: 1) { pageInfo { endCursor } } }');
  const after = data.orders.pageInfo.endCursor;
  const query = 'query ($after: String) { orders(first: 1, after: $after, sortKey: ID) { nodes { id } } }';
  const { errors } = await ask(sandbox, query, { variables: { after } });
  expect(errors[0].message).toBe('Invalid cursor for current pagination sort.');
});

test('the bucket goes down by the cost and an empty one throttles', async () => {
  await using dir = await scenarioDir({}, { shop: { bucket: { size: 30, restoreRate: 0.001 } } });
  await using poor = await startSandbox({ data: dir.dir });
  const query = '{ shop { id } currentAppInstallation { accessScopes { handle } } }';
  const { extensions } = await ask(poor, query);
  const { requestedQueryCost, throttleStatus } = extensions.cost;
  expect(throttleStatus).toEqual({
    maximumAvailable: 30,
    currentlyAvailable: 30 - requestedQueryCost,
    restoreRate: 0.001,
  });
  for (let spent = requestedQueryCost; spent + requestedQueryCost <= 30; spent += requestedQueryCost)
    await ask(poor, query);
  const throttled = await ask(poor, query);
  expect(throttled).toMatchObject({ status: 200, errors: [{ extensions: { code: 'THROTTLED' } }] });
  expect(throttled.extensions.cost.actualQueryCost).toBeNull();
});

test('client credentials buy a token that works until its life is over', async () => {
  const clients = [
    { id: 'app', secret: 's3cret', lifeSeconds: 3_600 },
    { id: 'brief', secret: 's3cret', lifeSeconds: 0.05 },
  ];
  await using dir = await scenarioDir({}, { shop: { token: undefined, clients } });
  await using shop = await startSandbox({ data: dir.dir });
  const buy = async (client_secret: string, client_id = 'app') => {
    const body = new URLSearchParams({ client_id, client_secret, grant_type: 'client_credentials' });
    const answer = await fetch(`${shop.url}/shopify/${SHOP}/admin/oauth/access_token`, {
      method: 'POST',
      body,
    });
    return {
      status: answer.status,
      body: (await answer.json()) as { access_token: string; expires_in: number },
    };
  };
  expect(await buy('wrong')).toMatchObject({ status: 400, body: { error: 'invalid_client' } });
  const { body } = await buy('s3cret');
  expect(body.expires_in).toBe(3_600);
  expect((await ask(shop, '{ shop { id } }', { token: body.access_token })).status).toBe(200);
  const { access_token: token } = (await buy('s3cret', 'brief')).body;
  await eventually(async () => expect((await ask(shop, '{ shop { id } }', { token })).status).toBe(401));
});

test('a refresh token is exchanged at each renewal, and the one before works until the new token is used', async () => {
  const clients = [{ id: 'app', secret: 's3cret', lifeSeconds: 3_600, refreshToken: 'first' }];
  await using dir = await scenarioDir({}, { shop: { token: undefined, clients } });
  await using shop = await startSandbox({ data: dir.dir });
  const renew = async (refresh_token: string) => {
    const body = { client_id: 'app', client_secret: 's3cret', grant_type: 'refresh_token', refresh_token };
    const url = `${shop.url}/shopify/${SHOP}/admin/oauth/access_token`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    return (await answer.json()) as { access_token: string; refresh_token: string; error?: string };
  };
  await renew('first'); // its answer is lost
  const renewed = await renew('first');
  expect((await ask(shop, '{ shop { id } }', { token: renewed.access_token })).status).toBe(200);
  expect(await renew('first')).toMatchObject({ error: 'invalid_grant' });
  expect(await renew(renewed.refresh_token)).toMatchObject({
    refresh_token: expect.stringContaining('shprt_'),
  });
});

test('the shop may also be named by the host that the request was meant for', async () => {
  const answer = await fetch(`${sandbox.url}/admin/api/2026-10/graphql.json`, {
    method: 'POST',
    headers: { 'x-forwarded-host': `${SHOP}.myshopify.com`, 'x-shopify-access-token': TOKEN },
    body: JSON.stringify({ query: '{ shop { myshopifyDomain ianaTimezone currencyCode } }' }),
  });
  expect(answer.headers.get('x-shopify-api-version')).toBe('2026-10');
  expect(await answer.json()).toMatchObject({
    data: {
      shop: { myshopifyDomain: 'acme.myshopify.com', ianaTimezone: 'America/New_York', currencyCode: 'USD' },
    },
  });
});
