import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import { ask, NOW, post, SHOP, scenarioDir, setFaults, TOKEN } from '../support/providers/sandbox.ts';

const QUERY =
  'query ($after: String) { orders(first: 2, after: $after) { pageInfo { hasNextPage endCursor } nodes { id name } } }';
const OTHER = 'other';
const gid = (n: number) => `gid://shopify/Order/${n}`;

let scenario: Awaited<ReturnType<typeof scenarioDir>>;
let sandbox: Sandbox;
beforeAll(async () => {
  const orders = [1, 2, 3, 4, 5, 6].map((id) => ({ id, processedAt: NOW }));
  const place = { currency: 'USD', zone: 'America/New_York' };
  const shops = { [SHOP]: { token: TOKEN, ...place }, [OTHER]: { token: 'shpat_other', ...place } };
  const versions = [{ id: 2, processedAt: NOW, name: 'before' }, ...orders];
  scenario = await scenarioDir(
    { 'orders.ndjson': versions, [`${OTHER}/orders.ndjson`]: [] },
    { scenario: { now: NOW, shops } },
  );
  sandbox = await startSandbox({ data: scenario.dir });
});
afterEach(() => post(sandbox, 'reset', {}));
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]();
  await scenario[Symbol.asyncDispose]();
});

function raw(): Promise<Response> {
  return fetch(`${sandbox.url}/shopify/${SHOP}/admin/api/2026-10/graphql.json`, {
    method: 'POST',
    headers: { 'x-shopify-access-token': TOKEN },
    body: JSON.stringify({ query: QUERY }),
  });
}

async function pages(): Promise<number[][]> {
  const seen: number[][] = [];
  for (let after: string | null = null; ; ) {
    const answer: Awaited<ReturnType<typeof ask>> = await ask(sandbox, QUERY, { variables: { after } });
    expect(answer.errors).toBeUndefined();
    const { nodes, pageInfo } = answer.data.orders;
    seen.push(nodes.map(({ id }: { id: string }) => Number(id.split('/').at(-1))));
    if (!pageInfo.hasNextPage) return seen;
    after = pageInfo.endCursor;
  }
}

test.each([
  [{ status: 429, retryAfter: 2 }, '2'],
  [{ status: 429 }, null],
  [{ status: 503 }, null],
])('a status strikes as often as told, after as many as told: %o', async (fields, retryAfter) => {
  await setFaults(sandbox, { kind: 'status', ...fields, after: 1, count: 2 });
  const answers = [await raw(), await raw(), await raw(), await raw()];
  expect(answers.map(({ status }) => status)).toEqual([200, fields.status, fields.status, 200]);
  expect(answers[1]?.headers.get('retry-after')).toBe(retryAfter);
});

test('a reset connection gives no answer, a cut one only a part', async () => {
  await setFaults(sandbox, { kind: 'reset' }, { kind: 'cut', bytes: 20 });
  await expect(raw()).rejects.toThrow('fetch failed');
  const cut = await raw();
  expect(cut.status).toBe(200);
  await expect(cut.text()).rejects.toThrow();
  expect((await raw()).status).toBe(200);
});

test('pages: repeated, reordered, and a cursor that is over', async () => {
  expect(await pages()).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  await setFaults(sandbox, { kind: 'repeat_page' });
  expect(await pages()).toEqual([
    [1, 2],
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  await setFaults(sandbox, { kind: 'reorder_page' });
  expect(await pages()).toEqual([
    [2, 1],
    [3, 4],
    [5, 6],
  ]);
  await setFaults(sandbox, { kind: 'expired_cursor' });
  const first = await ask(sandbox, QUERY);
  const { errors } = await ask(sandbox, QUERY, {
    variables: { after: first.data.orders.pageInfo.endCursor },
  });
  expect(errors[0].message).toContain('Invalid cursor');
});

test('rows that are late appear after so many queries, an older version is served once', async () => {
  const { requests } = (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as {
    requests: unknown[];
  };
  expect(requests).toEqual([]);
  await setFaults(sandbox, { kind: 'late_rows', ids: [gid(1), gid(4)], requests: 3 });
  expect(await pages()).toEqual([
    [2, 3],
    [5, 6],
  ]);
  expect(await pages()).toEqual([[2, 3], [4, 5], [6]]);

  await setFaults(sandbox, { kind: 'older_version', ids: [gid(2)] });
  const names = async () =>
    (await ask(sandbox, '{ orders(first: 9) { nodes { name } } }')).data.orders.nodes[1].name;
  expect([await names(), await names()]).toEqual(['before', '#2']);
});

test('a revoked key, only for one shop and only where the text fits', async () => {
  await setFaults(
    sandbox,
    { kind: 'revoked_key', count: 0, match: 'orders(' },
    { kind: 'revoked_key', shop: OTHER, count: 0 },
  );
  expect((await ask(sandbox, QUERY)).status).toBe(401);
  expect((await ask(sandbox, QUERY)).status).toBe(401);
  expect((await ask(sandbox, '{ shop { id } }')).status).toBe(200);
});

test('chance strikes alike on each run', async () => {
  const run = async () => {
    await setFaults(sandbox, { kind: 'status', status: 500, count: 0, probability: 0.5 });
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) statuses.push((await raw()).status);
    return statuses;
  };
  const first = await run();
  expect(new Set(first)).toEqual(new Set([200, 500]));
  expect(await run()).toEqual(first);
});

test('requests are listed with what struck them, and without keys', async () => {
  await setFaults(sandbox, { kind: 'status', status: 500 });
  await raw();
  await ask(sandbox, QUERY);
  const answer = await fetch(`${sandbox.url}/_sandbox/requests?shop=${SHOP}`);
  const text = await answer.text();
  expect(text).not.toContain(TOKEN);
  const { requests } = JSON.parse(text) as { requests: object[] };
  expect(requests).toMatchObject([
    { status: 500, faults: ['status'] },
    { status: 200, faults: [], query: QUERY, requestedCost: expect.any(Number) },
  ]);
});

test('a fault for somebody who is not served here is refused, since it would strike nobody', async () => {
  for (const field of ['shop', 'account']) {
    const answer = await setFaults(sandbox, { kind: 'reset', [field]: 'amce' });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(
      `faults[0].${field}: nobody is called \\"amce\\" here, only ${SHOP}`,
    );
  }
  expect((await raw()).status).toBe(200);
});

test('faults that are not as documented are refused with the reason', async () => {
  const answer = await setFaults(sandbox, { kind: 'status' });
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain('faults[0].status');
});

test('costs of single fields are not played, and the answer says so', async () => {
  const answer = await fetch(`${sandbox.url}/shopify/${SHOP}/admin/api/2026-10/graphql.json`, {
    method: 'POST',
    headers: { 'x-shopify-access-token': TOKEN, 'shopify-graphql-cost-debug': '1' },
    body: JSON.stringify({ query: QUERY }),
  });
  expect([answer.status, await answer.text()]).toEqual([501, expect.stringContaining('Cost-Debug')]);
});
